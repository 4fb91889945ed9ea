"""The answer to a handshake, and the connection taken from Tornado."""

import asyncio
import base64
import binascii
import hashlib

from tornado.iostream import IOStream, StreamClosedError
from tornado.web import RequestHandler

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""
PATIENCE_S = 5.0
"""Who has not taken the answer by then is cut off."""


async def upgrade(handler: RequestHandler, subprotocol: str | None = None) -> IOStream | None:
    """Answers 101 to a request whose Sec-WebSocket-Key is one; its stream, now the caller's. None: the client is gone.

    No extension is agreed on: a frame is made once for all receivers, so it is compressed for none.
    """
    handler.set_status(101)
    handler.clear_header("Server")
    handler.clear_header("Content-Type")
    handler.set_header("Upgrade", "websocket")
    handler.set_header("Connection", "Upgrade")
    handler.set_header("Sec-WebSocket-Accept", accept_value(handler.request.headers["Sec-WebSocket-Key"]))
    if subprotocol is not None:
        handler.set_header("Sec-WebSocket-Protocol", subprotocol)
    answered = handler.finish()
    stream = handler.detach()  # at once: Tornado would go on to the next request
    try:
        async with asyncio.timeout(PATIENCE_S):  # nobody else looks after this stream any more
            await answered
    except (StreamClosedError, TimeoutError):
        stream.close()
        return None
    if stream.closed():
        return None
    stream.set_nodelay(True)
    return stream


def accept_value(key: str) -> str:
    """What proves that the handshake was understood (RFC 6455, section 4.2.2).

    >>> accept_value("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    return base64.b64encode(hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()).decode()


def is_key(key: str) -> bool:
    """Whether a Sec-WebSocket-Key is one: 16 bytes in base64."""
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
