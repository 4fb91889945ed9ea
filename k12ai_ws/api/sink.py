"""A WebSocket as a feed's sink: prebuilt frames straight into the connection's stream, its backlog counted.

Tornado's `write_message` makes a frame, a coroutine and a task per receiver; for fan-out that is most of the cost. The
stream's own `write` takes the bytes as they are and keeps the order with everything else written to the connection.
"""

import asyncio
from collections.abc import Callable

from tornado.iostream import IOStream, StreamClosedError


class StreamSink:
    """Counts what the socket has not taken yet. Lives on the event loop.

    `closing` says whether a Close frame was sent or received: nothing may follow it (RFC 6455, section 5.5.1). `taken`
    counts the frames that had to wait, and that the socket has taken since.
    """

    def __init__(self, stream: IOStream, limit: int, closing: Callable[[], bool]) -> None:
        self._stream = stream
        self._limit = limit
        self._closing = closing
        self.taken = 0
        self._unsent = 0
        self._room = asyncio.Event()
        self._room.set()

    @property
    def behind(self) -> bool:
        """Whether anything waits for the socket to take it."""
        return self._unsent > 0

    def send(self, frame: bytes) -> bool:
        """See `events.feed.Sink`. A closed or closing connection takes nothing and is never behind."""
        if self._closing():
            return True
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
            self.taken += 1
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
