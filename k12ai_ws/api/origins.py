"""Whose pages may call, and under which name: both doors ask `require_own`."""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from k12ai_ws.access.addresses import names_loopback
from k12ai_ws.settings import ServerSettings
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import refuse

CSRF_HEADER = "X-K12AI-Request"
"""A page sends it, with any value, where it calls by its cookie: no other page can, without being asked for leave."""


def require_own(
    headers: Mapping[str, str], host: str | None, server: ServerSettings, *, exposed: bool, secure: bool
) -> None:
    """Raises Refusal (100106) for a Host that is another machine's name, or a page of an origin that is not allowed.

    `host` is the request's Host.
    """
    if not own_host(host, (server.host.lower(), *server.allowed_hosts), exposed=exposed and not server.allowed_hosts):
        raise refuse(
            Code.NOT_ALLOWED,
            "the header Host names another machine: call this server as "
            + (" or ".join(server.allowed_hosts) or "localhost or 127.0.0.1 (a proxy before it sends one of these)")
            + "; server.allowed_hosts adds names",
        )
    origin = headers.get("Origin")
    if not same_origin(origin, host, secure=secure) and not is_allowed(origin, server.allowed_origins):
        raise refuse(
            Code.NOT_ALLOWED,
            "the page that sent this belongs to another origin; call from the server's own origin, or from a "
            "program that sends no Origin header (server.allowed_origins adds origins)",
        )


def require_own_page(headers: Mapping[str, str], host: str | None, *, changes: bool, secure: bool) -> None:
    """Raises Refusal (100106) where a request that came by a session's cookie may not be the own page's doing.

    `changes`: it may change something. Then a proof is wanted: an Origin (or Sec-Fetch-Site) that says so, and a header
    that a form or a link cannot send.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    own = site == "same-origin" or (site is None and origin is not None)
    if not same_origin(origin, host, secure=secure) or (
        not own if changes else site not in (None, "same-origin", "none")
    ):
        raise refuse(Code.NOT_ALLOWED, "a session's cookie serves pages of the server's own origin alone")
    if changes and not headers.get(CSRF_HEADER):
        raise refuse(Code.NOT_ALLOWED, f"a request by a session's cookie needs the header {CSRF_HEADER}: 1")


def require_own_socket(headers: Mapping[str, str], host: str | None, *, secure: bool) -> None:
    """Raises Refusal (100106) where a WebSocket that came by a session's cookie is not the own page's. Browsers always
    say whose it is, and let no page set a header.
    """
    if headers.get("Origin") is None or not same_origin(headers.get("Origin"), host, secure=secure):
        raise refuse(Code.NOT_ALLOWED, "a session's cookie opens WebSockets for pages of the server's own origin alone")


def same_origin(origin: str | None, host: str | None, *, secure: bool) -> bool:
    """Whether a browser's page may call: one of this server's own, or no browser at all. `secure`: the request came
    over TLS; then a page that did not is nobody's own, for whoever is on its way may have written it.
    """
    if origin is None:
        return True
    try:
        page = urlsplit(origin)
    except ValueError:  # an unclosed bracket
        return False
    return page.netloc.lower() == (host or "").lower() and (not secure or page.scheme == "https")


def is_allowed(origin: str | None, allowed: Collection[str]) -> bool:
    """Whether the operator lets pages of this origin call."""
    return origin is not None and origin.lower() in allowed


def own_host(host: str | None, allowed: Collection[str], *, exposed: bool) -> bool:
    """Whether a request names this server as its Host. Listening on loopback, only loopback's names are its own: a
    page whose name was pointed at 127.0.0.1 (DNS rebinding) has another one, and would pass for the same origin.
    """
    if exposed:  # the token is what keeps strangers out there
        return True
    try:
        name = urlsplit(f"//{host or ''}").hostname
    except ValueError:  # an unclosed bracket
        return False
    return name is not None and (name in allowed or names_loopback(name))
