"""A WebSocket as a feed's sink: prebuilt frames straight into the connection's stream, its backlog counted.

Tornado's `write_message` makes a frame, a coroutine and a task per receiver; for fan-out that is most of the cost. The
stream's own `write` takes the bytes as they are and keeps the order with everything else written to the connection.
"""

import asyncio

from tornado.iostream import IOStream, StreamClosedError


class StreamSink:
    """Counts what the socket has not taken yet. Lives on the event loop."""

    def __init__(self, stream: IOStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._unsent = 0
        self._room = asyncio.Event()
        self._room.set()

    def send(self, frame: bytes) -> bool:
        """See `events.feed.Sink`. A closed stream takes nothing and is never behind."""
        try:
            written = self._stream.write(frame)
        except StreamClosedError:
            return True
        if written.done():
            return True
        self._unsent += len(frame)
        if self._unsent > self._limit:
            self._room.clear()

        def sent(_: object) -> None:
            self._unsent -= len(frame)
            if self._unsent <= self._limit // 2:
                self._room.set()

        written.add_done_callback(sent)
        return self._room.is_set()

    async def drained(self) -> None:
        """See `events.feed.Sink`."""
        await self._room.wait()

    def fail(self) -> None:
        """See `events.feed.Sink`."""
        self._stream.close()
