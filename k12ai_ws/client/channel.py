"""The client's WebSocket: one connection, frames of JSON both ways."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketError, websocket_connect

from .errors import ClientError, ProtocolError, Unreachable, refusal
from .message import Message, NotAnEnvelope
from .rest import reason_of

PING_S = 20.0
"""Seconds between pings: a connection whose other end is gone without a word is noticed."""
MAX_FRAME_BYTES = 64 << 20
GOODBYE_S = 1.0


class ChannelClosed(ClientError):
    """The connection ended. `code` and `reason` are the server's, where it said any."""

    def __init__(self, code: int | None, reason: str | None) -> None:
        super().__init__(reason or (f"closed with {code}" if code else "the connection was lost"))
        self.code = code
        self.reason = reason


class Channel:
    """An open connection; made by `Channel.open`, ended by `close`."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._ended = False

    @classmethod
    async def open(cls, address: str, headers: Mapping[str, str], timeout_s: float) -> "Channel":
        """Connects to the server at `address` (http or https). Raises Unreachable, Refused, ProtocolError."""
        request = HTTPRequest(
            f"ws{address.removeprefix('http')}/k12ai/ws",
            headers=dict(headers),
            connect_timeout=timeout_s,
            request_timeout=timeout_s,
        )
        try:
            connection = await websocket_connect(
                request, ping_interval=PING_S, ping_timeout=PING_S, max_message_size=MAX_FRAME_BYTES
            )
        except HTTPClientError as e:
            raise _refused(address, e) from e
        except WebSocketError as e:
            raise ProtocolError(f"what answers at {address} speaks no WebSocket: {e}; check the address") from e
        except (OSError, StreamClosedError) as e:
            raise Unreachable(address, reason_of(e)) from e
        return cls(connection)

    async def send(self, frame: Mapping[str, Any]) -> None:
        """Sends one request. Raises ChannelClosed."""
        try:
            await self._connection.write_message(orjson.dumps(frame).decode())
        except (WebSocketError, StreamClosedError) as e:
            raise self._closed() from e

    async def receive(self) -> Message:
        """The next message. Raises ChannelClosed at the end, ProtocolError for rubbish."""
        raw = None if self._ended else await self._connection.read_message()
        if raw is None:
            raise self._closed()
        try:
            return Message.parse(raw)
        except NotAnEnvelope as e:
            raise ProtocolError(f"the server sent a frame that is no envelope: {e}") from e

    async def close(self) -> None:
        """Says goodbye, and waits a moment for the server's."""
        self._connection.close(1000)
        try:
            async with asyncio.timeout(GOODBYE_S):
                while not self._ended and await self._connection.read_message() is not None:
                    pass
        except TimeoutError:
            pass  # Tornado itself cuts the connection off some seconds later
        self._ended = True

    def _closed(self) -> ChannelClosed:
        self._ended = True
        connection = self._connection
        connection.close()
        return ChannelClosed(connection.close_code, connection.close_reason)


def _refused(address: str, error: HTTPClientError) -> ClientError:
    """What the server said instead of opening a WebSocket."""
    if error.code == 599 or error.response is None:
        return Unreachable(address, reason_of(error))
    try:
        return refusal(Message.parse(error.response.body), error.code)
    except NotAnEnvelope:
        return ProtocolError(f"what answers at {address} (HTTP {error.code}) is no k12ai server; check the address")
