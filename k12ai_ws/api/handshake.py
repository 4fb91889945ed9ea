"""The channel's handshake: what is no upgrade, or comes from elsewhere, is answered with an error."""

from typing import Any

from tornado.websocket import WebSocketHandler, WebSocketProtocol13

from k12ai_ws.access.principal import Caller
from k12ai_ws.wire.bodies import Body, Fault
from k12ai_ws.wire.codes import Code, Language, http_status
from k12ai_ws.wire.requests import Refusal

from .context import Context
from .entry import SUBPROTOCOL, enter
from .identified import Identified
from .protocol import Protocol
from .rest import preferred_language
from .safety import ANSWERS, of_fault


class HandshakeHandler(Identified, WebSocketHandler):
    """A request for a channel, up to its opening."""

    context: Context
    caller: Caller

    @property
    def language(self) -> Language:
        """The language that the handshake asked for."""
        return preferred_language(self.request.headers.get("Accept-Language"), self.context.settings.language)

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """The upgrade; what is none, or comes from another origin, is answered with an error."""
        headers = self.request.headers
        if headers.get("Upgrade", "").lower() != "websocket":
            self._answer_http(426, Code.VALUE_INVALID, "this address speaks WebSocket: open it with ws://")
        elif headers.get("Sec-WebSocket-Version") != "13":
            self._answer_http(426, Code.VALUE_INVALID, "Sec-WebSocket-Version must be 13")
        elif not headers.get("Sec-WebSocket-Key") or "upgrade" not in headers.get("Connection", "").lower():
            text = "a WebSocket handshake needs the headers `Connection: Upgrade` and Sec-WebSocket-Key"
            self._answer_http(400, Code.VALUE_INVALID, text)
        else:
            try:
                self.caller = enter(self.context, self.request, self.request_id, socket=True)
            except Refusal as e:
                self._answer_fault(http_status(e.fault.code), e.fault)
                return
            await super().get(*args, **kwargs)

    def get_websocket_protocol(self) -> Protocol | None:
        """Tornado's own, with what RFC 6455 wants besides."""
        made = super().get_websocket_protocol()
        return Protocol(self, False, made.params) if isinstance(made, WebSocketProtocol13) else None

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

    def check_origin(self, origin: str) -> bool:
        """Checked in `get` already, with an answer that says so."""
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Ours, where it is offered; never the one that carries a token."""
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    def _message(self, body: Body, tag: str, op: str) -> bytes:
        return self.context.message(body, tag=tag, op=op, language=self.language)
