"""What a request brings to show who sends it: an Authorization header, a sub-protocol, a session's cookie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .tokens import SUBPROTOCOL_PREFIX, from_subprotocol

SESSION_COOKIE = "k12ai_session"
SECURE_COOKIE = "__Host-k12ai_session"
"""The name behind TLS: a browser takes a cookie with this prefix only for this very host, and only over TLS."""


def cookie_name(*, secure: bool) -> str:
    """The session cookie's name."""
    return SECURE_COOKIE if secure else SESSION_COOKIE


@dataclass(frozen=True, slots=True)
class Credentials:
    """`token` is a bearer token's text, `session` a session cookie's; never shown anywhere."""

    token: str | None = None
    session: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(token={self.token is not None}, session={self.session is not None})"


def credentials_of(
    headers: Mapping[str, str], cookies: Mapping[str, str], subprotocols: Sequence[str] = (), *, secure: bool = False
) -> Credentials:
    """What the request brings. A bearer token goes before a sub-protocol, that before a cookie.

    Other schemes of Authorization are a proxy's, and nothing to us. A token that is malformed is still one that was
    brought: it is wrong.
    """
    scheme, _, given = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return Credentials(token=given.strip())
    for name in subprotocols:
        if name.startswith(SUBPROTOCOL_PREFIX):
            return Credentials(token=from_subprotocol(name) or "")
    return Credentials(session=cookies.get(cookie_name(secure=secure)))
