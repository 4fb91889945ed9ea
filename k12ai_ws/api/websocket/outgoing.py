"""The writing half of a connection: straight into the socket while it takes everything, else what waits, counted.

A frame that the socket takes at once costs one call of `send`. Only what it does not take is kept, as views of the
bytes that all connections share, and only then the event loop is asked to tell when there is room.
"""

import asyncio
import socket
import ssl
from abc import ABC, abstractmethod

JOIN_BYTES = 64 << 10
"""Small frames that wait are sent together, so many bytes at a time."""
LOW_BYTES = 64 << 10
"""With no more than this unsent, a connection counts as drained."""
BLOCKED = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket raises that would block; the last two through TLS."""


class Outgoing(ABC):
    """A feed's sink on a socket that does not block. Past `limit` unsent bytes `send` says stop.

    `taken` counts the bytes that had to wait and were sent since.
    """

    __slots__ = ("_limit", "_loop", "_room", "_sealed", "_socket", "_unsent", "_waiting", "taken")

    def __init__(self, connected: socket.socket, limit: int) -> None:
        self._socket = connected
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._sealed = False  # nothing may be sent any more
        self._waiting: list[bytes | memoryview] | None = None  # what the socket has not taken, oldest first
        self._unsent = 0  # bytes of it
        self._room: asyncio.Event | None = None  # there while more than a little is unsent
        self.taken = 0

    @property
    def behind(self) -> bool:
        """Whether anything waits for the socket to take it."""
        return self._waiting is not None

    def send(self, frame: bytes) -> bool:
        """See `events.feed.Sink`. Where nothing may be sent any more, it takes nothing and never says stop."""
        if self._sealed:
            return True
        if self._waiting is None:
            try:
                sent = self._socket.send(frame)
            except BLOCKED:
                sent = 0
            except OSError:
                self._end()
                return True
            if sent == len(frame):
                return True
            self._waiting = [memoryview(frame)[sent:] if sent else frame]
            self._loop.add_writer(self._socket, self._flush)
        else:
            sent = 0
            self._waiting.append(frame)
        self._unsent += len(frame) - sent
        if self._room is None and self._unsent > self._low:
            self._room = asyncio.Event()
        return self._unsent <= self._limit

    async def drained(self) -> None:
        """See `events.feed.Sink`."""
        while self._room is not None:
            await self._room.wait()

    @property
    def _low(self) -> int:
        return min(self._limit // 2, LOW_BYTES)

    def _flush(self) -> None:
        """The socket takes bytes again."""
        waiting = self._waiting
        while waiting:
            try:
                sent = self._socket.send(_first(waiting))
            except BLOCKED:
                return
            except OSError:
                self._end()
                return
            self._unsent -= sent
            self.taken += sent
            rest = memoryview(waiting[0])[sent:]  # TLS must be offered what it has begun again: it stays the first
            waiting[:1] = [rest] if rest else []
            if self._room is not None and self._unsent <= self._low:
                self._make_room()
                self._drained()
        self._waiting = None
        self._loop.remove_writer(self._socket)
        self._flushed()

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    def _stop_sending(self) -> None:
        """The connection is over: what waits is gone, and nobody waits for room."""
        self._sealed = True
        if self._waiting is not None:  # else nobody listens to the socket, and Tornado may have closed it already
            self._loop.remove_writer(self._socket)
        self._waiting, self._unsent = None, 0
        self._make_room()

    @abstractmethod
    def _drained(self) -> None:
        """There is room again."""

    @abstractmethod
    def _flushed(self) -> None:
        """Nothing waits any more."""

    @abstractmethod
    def _end(self) -> None:
        """Closes the socket."""


def _first(waiting: list[bytes | memoryview]) -> bytes | memoryview:
    """The first of what waits, small ones made one."""
    count, size = 0, 0
    for part in waiting:
        size += len(part)
        if size > JOIN_BYTES:
            break
        count += 1
    if count > 1:
        waiting[:count] = [b"".join(waiting[:count])]
    return waiting[0]
