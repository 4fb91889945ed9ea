"""Who may call: this server under its own name, and pages of its own alone. Both doors ask `require_own`."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import refuse

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def require_own(headers: Mapping[str, str], host: str | None, listening_on: str) -> None:
    """Raises Refusal (100106) for a Host that is another machine's name, or a page of another origin.

    `host` is the request's Host; `listening_on` the address that the server listens on.
    """
    if not own_host(host, listening_on):
        raise refuse(
            Code.NOT_ALLOWED,
            "the header Host names another machine, and this server listens on loopback alone: call it as localhost or "
            "127.0.0.1 (a proxy before it sends one of these)",
        )
    if not same_origin(headers.get("Origin"), host):
        raise refuse(
            Code.NOT_ALLOWED,
            "the page that sent this belongs to another origin; call from the server's own origin, or from a "
            "program that sends no Origin header",
        )


def same_origin(origin: str | None, host: str | None) -> bool:
    """Whether a browser's page may call: one of this server's own, or no browser at all."""
    try:
        return origin is None or urlsplit(origin).netloc.lower() == (host or "").lower()
    except ValueError:  # an unclosed bracket
        return False


def own_host(host: str | None, listening_on: str) -> bool:
    """Whether a request names this server as its Host. Listening on loopback, only loopback's names are its own: a
    page whose name was pointed at 127.0.0.1 (DNS rebinding) has another one, and would pass for the same origin.
    """
    try:
        return listening_on not in LOOPBACK or urlsplit(f"//{host or ''}").hostname in LOOPBACK
    except ValueError:  # an unclosed bracket
        return False
