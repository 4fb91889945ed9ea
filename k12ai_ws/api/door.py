"""The door: accepts connections, no more than allowed, and ends those that hold a place and do nothing with it.

Takes the place of Tornado's HTTPServer, out of the same public parts, because that one has no bound on connections,
has one time-out for a request's head and for the pause between two requests, cuts off a head that is too large without
a word, and waits for ever for a client that does not take its answer.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socket import socket
from ssl import SSLContext

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters, HTTP1ServerConnection
from tornado.httputil import (
    HTTPConnection,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    format_timestamp,
)
from tornado.netutil import add_accept_handler, ssl_wrap_socket
from tornado.web import Application

from k12ai_ws.settings import Settings
from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import Refusal

from .address import UNKNOWN, counted_as
from .farewells import Farewells
from .places import Bounds
from .stream import Closing, Stream, TlsStream, say

SWEEP_S = 1.0
BODY_SLACK_S = 5.0
"""A handler answers a body that comes too slowly; a client that does not take even that is cut off so much later."""
UNBOUNDED = 1 << 40
"""A body that is counted by its handler, which answers what is too large with 413."""
PHRASES = {429: "Too Many Requests", 431: "Request Header Fields Too Large"}

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Peer:
    """Who is at the other end, as Tornado hands it to requests (`HTTPConnection.context`)."""

    remote_ip: str
    stream: Stream
    protocol: str

    def __str__(self) -> str:
        return self.remote_ip


class Door(HTTPServerConnectionDelegate):
    """Listens; its methods have the names of HTTPServer's. `spell` makes the envelope of what is refused before there
    is a request. With `ssl_options` it speaks HTTPS.
    """

    def __init__(
        self,
        application: Application,
        settings: Settings,
        bounds: Bounds,
        spell: Callable[[Fault], bytes],
        ssl_options: SSLContext | None = None,
    ) -> None:
        self._application = application
        self._tls = ssl_options
        self._limits = settings.limits
        self._bounds = bounds
        self._spell = spell
        self._first, self._further = (
            HTTP1ConnectionParameters(
                header_timeout=head_s,
                body_timeout=settings.server.body_timeout_s + BODY_SLACK_S,
                max_header_size=settings.limits.max_header_bytes,
                max_body_size=settings.server.max_body_bytes,
            )
            for head_s in (settings.limits.header_timeout_s, settings.limits.keep_alive_s)
        )
        self._serving: dict[HTTP1ServerConnection, Stream] = {}
        self._farewells = Farewells()
        self._stop_accepting: list[Callable[[], None]] = []
        self._sweeper: asyncio.Task[None] | None = None

    # ---- accepting

    def add_sockets(self, sockets: Iterable[socket]) -> None:
        """Accepts connections on these sockets, which stay the caller's to close."""
        self._stop_accepting += [add_accept_handler(listening, self._accept) for listening in sockets]
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep(), name="sweep connections")

    def renew(self, tls: SSLContext) -> None:
        """New connections have this certificate; those who are in keep theirs."""
        self._tls = tls

    def stop(self) -> None:
        """Accepts no more; those who are in stay."""
        while self._stop_accepting:
            self._stop_accepting.pop()()

    async def close_all_connections(self) -> None:
        """Ends all connections that are HTTP still."""
        self.stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
        while self._serving:
            await next(iter(self._serving)).close()
        self._farewells.close()

    def _accept(self, connection: socket, address: tuple[str, int] | str) -> None:
        connection.setblocking(False)
        peer = address[0] if isinstance(address, tuple) else UNKNOWN
        counted = None if self._bounds.addresses.trusts(peer) else counted_as(peer)
        places = self._bounds.connections
        try:
            places.enter(counted)
        except Refusal as e:
            if self._tls is None and say(connection, self._answer(429, e.fault)):
                self._farewells.take(connection, lambda: None)
            else:
                connection.close()
            return

        def leave() -> None:
            places.leave(counted)

        def closing(kept: socket | None) -> None:
            if kept is None:
                leave()
            else:
                self._farewells.take(kept, leave)

        try:
            stream = self._stream(connection, closing)
        except OSError:  # it is gone before it said anything
            connection.close()
            leave()
            return
        scheme = "http" if self._tls is None else "https"
        server = HTTP1ServerConnection(stream, self._first, Peer(peer, stream, scheme))
        self._serving[server] = stream
        server.start_serving(self)

    def _stream(self, connection: socket, closing: Closing) -> Stream:
        if self._tls is None:
            return Stream(connection, too_large=self._too_large, closing=closing)
        wrapped = ssl_wrap_socket(connection, self._tls, server_side=True, do_handshake_on_connect=False)
        return TlsStream(wrapped, too_large=self._too_large, closing=closing)

    def _too_large(self) -> bytes:
        limit = self._limits.max_header_bytes
        text = f"the request's line and headers have more than {limit} bytes (limits.max_header_bytes)"
        return self._answer(431, Fault(Code.PAYLOAD_TOO_LARGE, text))

    def _answer(self, status: int, fault: Fault) -> bytes:
        payload = self._spell(fault) + b"\n"
        head = (
            f"HTTP/1.1 {status} {PHRASES[status]}\r\nDate: {format_timestamp(time.time())}\r\n"
            f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(payload)}\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n"
        )
        return (head + ("Retry-After: 5\r\n" if status == 429 else "") + "\r\n").encode() + payload

    # ---- Tornado's HTTPServerConnectionDelegate

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """A request is waited for; the next one on this connection may be waited for longer."""
        if isinstance(server_conn, HTTP1ServerConnection):
            server_conn.params = self._further
        return self._application.start_request(server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        """The connection is closed, or has become something else than HTTP."""
        if isinstance(server_conn, HTTP1ServerConnection):
            self._serving.pop(server_conn, None)

    # ---- those who take nothing

    async def _sweep(self) -> None:
        patience = self._limits.send_timeout_s
        while True:
            await asyncio.sleep(min(SWEEP_S, patience / 4))
            now = time.monotonic()
            for stream in [s for s in self._serving.values() if s.stalled(now) >= patience]:
                log.info("a client has taken nothing of its answer for %g s; it is cut off", patience)
                stream.close()


def lingering(request: HTTPServerRequest) -> None:
    """The request is answered before all of it was read, and its client shall be able to read the answer."""
    peer = getattr(request.connection, "context", None)
    if isinstance(peer, Peer):
        peer.stream.lingers = True


def unbounded(request: HTTPServerRequest) -> None:
    """The request's handler counts its body as it comes; the body of any other is gathered before it is looked at."""
    if isinstance(request.connection, HTTP1Connection):
        request.connection.set_max_body_size(UNBOUNDED)
