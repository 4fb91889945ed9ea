"""The channel's handshake: what is no upgrade, or comes from elsewhere, is answered with an error."""

from typing import Any

from tornado.iostream import IOStream

from k12ai_ws.access.principal import Caller
from k12ai_ws.wire.bodies import Body, Fault
from k12ai_ws.wire.codes import Code, Language, http_status
from k12ai_ws.wire.requests import Refusal

from .channel import Channel
from .connections import Connections
from .context import Context
from .entry import SUBPROTOCOL, enter, subprotocols
from .identified import Identified
from .languages import preferred_language
from .operations import Operations
from .safety import ANSWERS, of_fault
from .websocket.connection import Connection
from .websocket.upgrade import is_key, upgrade


class ChannelHandler(Identified):
    """The request that opens a channel. It is over once the channel is open, and Tornado holds nothing of it."""

    def initialize(self, context: Context, operations: Operations, connections: Connections) -> None:
        """Tornado's own way of handing a handler what it works with."""
        self.context = context
        self.operations = operations
        self._connections = connections
        self.identify(context.new_id)
        self.caller = Caller(None)

    @property
    def language(self) -> Language:
        """The language that the handshake asked for."""
        return preferred_language(self.request.headers.get("Accept-Language"), self.context.settings.language)

    async def get(self) -> None:
        """The upgrade; what is none, or comes from another origin, is answered with an error."""
        headers = self.request.headers
        key = headers.get("Sec-WebSocket-Key", "")
        if headers.get("Upgrade", "").lower() != "websocket":
            self._answer_http(426, Code.VALUE_INVALID, "this address speaks WebSocket: open it with ws://")
        elif headers.get("Sec-WebSocket-Version") != "13":
            self._answer_http(426, Code.VALUE_INVALID, "Sec-WebSocket-Version must be 13")
        elif not is_key(key) or "upgrade" not in headers.get("Connection", "").lower():
            text = "a WebSocket handshake needs the headers `Connection: Upgrade` and Sec-WebSocket-Key (base64)"
            self._answer_http(400, Code.VALUE_INVALID, text)
        elif self.request.version != "HTTP/1.1":
            self._answer_http(400, Code.VALUE_INVALID, "a WebSocket handshake is a request of HTTP/1.1")
        else:
            try:
                self.caller = enter(self.context, self.request, self.request_id, socket=True)
            except Refusal as e:
                self._answer_fault(http_status(e.fault.code), e.fault)
                return
            stream = await upgrade(self, SUBPROTOCOL if SUBPROTOCOL in subprotocols(self.request) else None)
            if stream is not None:
                self._open(stream)

    def _open(self, stream: IOStream) -> None:
        """The answer is sent: the connection is the channel's."""
        settings = self.context.settings.channel
        connection = Connection(stream, limit=settings.buffer_bytes, max_message=settings.max_frame_bytes)
        channel = Channel(
            self.context,
            self.operations,
            self._connections,
            connection,
            language=self.language,
            caller=self.caller,
            request_id=self.request_id,
        )
        connection.open(channel)
        channel.open(self.context.bounds.addresses.of(self.request))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Tornado itself refuses: a method other than GET."""
        if status_code == 405:
            self.set_header("Allow", "GET")
            text = f"{self.request.path} takes GET, not {self.request.method}"
            self._answer_http(405, Code.VALUE_INVALID, text)
        else:
            self._answer_http(status_code, Code.UNKNOWN, "the server failed at this request; its log says how")

    def _answer_http(self, status: int, code: Code, message: str) -> None:
        self._answer_fault(status, Fault(code, message))

    def _answer_fault(self, status: int, fault: Fault) -> None:
        self.set_status(status)
        if status == 426:
            self.set_header("Upgrade", "websocket")
            self.set_header("Sec-WebSocket-Version", "13")
        self.clear_header("Server")
        for name, value in (*ANSWERS.items(), *of_fault(fault).items()):
            self.set_header(name, value)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(self._message(fault, "channel", "open") + b"\n")

    def _message(self, body: Body, tag: str, op: str) -> bytes:
        return self.context.message(body, tag=tag, op=op, language=self.language)
