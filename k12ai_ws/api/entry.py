"""Who comes in: both doors ask `enter` once for each request, before its body is read."""

from tornado.httputil import HTTPServerRequest

from k12ai_ws.access.addresses import is_loopback
from k12ai_ws.access.credentials import credentials_of
from k12ai_ws.access.principal import Caller, Kind
from k12ai_ws.access.tokens import SUBPROTOCOL_PREFIX, TOKEN
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import Refusal, refuse

from .context import Context
from .origins import require_own, require_own_page, require_own_socket

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SUBPROTOCOL = "v1.k12ai"
"""What a channel speaks: a client that brings its token as a sub-protocol offers this one too, and gets it back."""


def enter(
    context: Context, request: HTTPServerRequest, request_id: str, *, stranger: bool = False, socket: bool = False
) -> Caller:
    """Who sends this request. Raises Refusal where it may not come in: 100105, 100106, 100108.

    `stranger`: it may come in unknown, as where its credentials are wrong; then `Caller.principal` is None.
    """
    gate, server, headers = context.gate, context.settings.server, request.headers
    peer = request.remote_ip or ""
    address, secure = gate.proxies.client(peer, headers), is_secure(context, request)
    try:
        require_own(headers, request.host, server, exposed=gate.exposed, secure=secure)
        _require_encrypted(context, request, peer)
        _require_bare_url(context, request)
    except Refusal as e:
        gate.denied(Caller(None, address, request_id), request.path, e.fault.code)
        raise
    gate.knock(address)
    offered = subprotocols(request) if socket else ()
    cookies = {name: morsel.value for name, morsel in request.cookies.items()}
    try:
        principal = gate.authenticate(
            credentials_of(headers, cookies, offered, secure=secure), Caller(None, address, request_id)
        )
        if principal is not None and principal.kind is Kind.SESSION:
            _require_page(request, Caller(principal, address, request_id), context, socket=socket, stranger=stranger)
    except Refusal:
        if stranger:
            return Caller(None, address, request_id)
        raise
    if principal is None and not stranger:
        raise gate.missing()
    if principal is not None:
        gate.spend(principal)
    if any(name.startswith(SUBPROTOCOL_PREFIX) for name in offered) and SUBPROTOCOL not in offered:
        raise refuse(
            Code.VALUE_INVALID,
            f"offer the sub-protocol {SUBPROTOCOL} beside the one that carries the token: it is chosen",
        )
    return Caller(principal, address, request_id)


def subprotocols(request: HTTPServerRequest) -> tuple[str, ...]:
    """The sub-protocols that a handshake offers."""
    return tuple(name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if name.strip())


def is_secure(context: Context, request: HTTPServerRequest) -> bool:
    """Whether the client's end of the line is encrypted."""
    return context.gate.proxies.is_secure(request.remote_ip or "", request.headers, request.protocol)


def _require_page(
    request: HTTPServerRequest, caller: Caller, context: Context, *, socket: bool, stranger: bool
) -> None:
    try:
        if socket:
            require_own_socket(request.headers, request.host, secure=is_secure(context, request))
        else:
            require_own_page(
                request.headers, request.host, changes=request.method not in SAFE, secure=is_secure(context, request)
            )
    except Refusal as e:
        if not stranger:  # who may come in without a session is not denied anything
            context.gate.denied(caller, request.path, e.fault.code)
        raise


def _require_encrypted(context: Context, request: HTTPServerRequest, peer: str) -> None:
    """A server that other machines reach, without TLS of its own, takes them only by way of its proxies."""
    gate = context.gate
    if gate.exposed and request.protocol != "https" and not is_loopback(peer) and not gate.proxies.trusts(peer):
        raise refuse(
            Code.NOT_ALLOWED,
            "this server takes requests from its proxies alone (server.trusted_proxies): call their address",
        )


def _require_bare_url(context: Context, request: HTTPServerRequest) -> None:
    """A token in a URL ends up in histories and in the logs of proxies."""
    redaction = context.gate.redaction
    for name, values in request.query_arguments.items():
        if redaction.is_secret(name) or any(TOKEN.fullmatch(value.decode("latin-1")) for value in values):
            raise refuse(
                Code.VALUE_INVALID,
                "a URL carries no token and no password, for it stands in histories and logs: send a token as "
                "`Authorization: Bearer TOKEN`, and make a new one in place of this",
            )
