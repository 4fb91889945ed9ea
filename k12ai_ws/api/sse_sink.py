"""An event stream as a feed's sink: what the socket has not taken is counted; a job's stream ends with the job."""

import asyncio
from collections.abc import Callable

import orjson
from tornado.iostream import IOStream, StreamClosedError

from k12ai_ws.wire.status import JobStatus

HEAD_BYTES = 300
"""An event's type stands so near its beginning: behind the id and the version, before anything of the client's."""
STATUS = b'"type":"status"'
END = b"\n\n"
"""Of a message."""


class SseSink:
    """See `events.feed.Sink`. Lives on the event loop."""

    def __init__(self, stream: IOStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._unsent = 0
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False

    def send(self, frame: bytes) -> bool:
        """See `events.feed.Sink`. A stream that has ended takes nothing and is never behind."""
        if self._ended:
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

    def end(self) -> None:
        """See `events.feed.Sink`. The connection is closed once the client has taken all that was said."""
        if self._ended:
            return
        self._ended = True
        try:
            written = self._stream.write(b"")
        except StreamClosedError:
            return
        written.add_done_callback(lambda _: self._stream.close())


class JobSink(SseSink):
    """The stream of one job: it ends with the job's terminal status, which is the job's last event.

    So the feed must be asked for statuses too; where the client did not ask for them (`statuses` is false) they are
    left out, and `bookmark(seq)` gives the message that takes its resume token past the end.
    """

    def __init__(self, stream: IOStream, limit: int, *, statuses: bool, bookmark: Callable[[int], bytes]) -> None:
        super().__init__(stream, limit)
        self._statuses = statuses
        self._bookmark = bookmark

    def send(self, frame: bytes) -> bool:
        """See `events.feed.Sink`."""
        if STATUS not in frame:
            return super().send(frame)
        told, ends = [], False
        for one in frame.split(END)[:-1]:  # it may be several; their data hold no newline
            seq, ends = self._terminal(one)
            if seq is None or self._statuses:
                told.append(one + END)
            elif ends:
                told.append(self._bookmark(seq))
            if ends:
                break
        room = super().send(b"".join(told)) if told else True
        if ends:
            self.end()
        return room

    @staticmethod
    def _terminal(frame: bytes) -> tuple[int | None, bool]:
        """The seq of a status (None: it is none), and whether the job has ended with it."""
        if STATUS not in frame[:HEAD_BYTES]:
            return None, False
        message = orjson.loads(frame.partition(b"\ndata: ")[2])
        return message["seq"], JobStatus(message["status"]["value"]).terminal
