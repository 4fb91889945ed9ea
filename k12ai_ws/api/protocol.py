"""RFC 6455 where Tornado leaves it: a text that is no UTF-8 closes with 1007, instead of a connection cut off."""

from asyncio import Future

from tornado.websocket import WebSocketProtocol13

TEXT = 1
INVALID_TEXT = 1007


class Protocol(WebSocketProtocol13):
    """A channel's protocol. Overrides a method that Tornado does not document; a test sees whether it still does."""

    def _handle_message(self, opcode: int, data: bytes) -> "Future[None] | None":
        if opcode == TEXT and not self.is_closing():
            try:
                data.decode("utf-8")
            except UnicodeDecodeError:
                self.close(INVALID_TEXT, "a text frame must be UTF-8")
                return None
        return super()._handle_message(opcode, data)
