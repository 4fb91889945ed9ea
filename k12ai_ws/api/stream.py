"""One client's connection, below HTTP: Tornado's stream, with what it says and does at its end."""

import contextlib
import os
from collections.abc import Awaitable, Callable
from socket import socket
from types import TracebackType

from tornado.iostream import IOStream, SSLIOStream, UnsatisfiableReadError

Closing = Callable[[socket | None], None]
"""Told when a connection ends. It gets the socket where that is to be left open a while, see `Stream.lingers`."""


class Stream(IOStream):
    """A connection that was accepted. `closing` is called once, at its end, and takes over a socket that lingers.

    What it overrides are Tornado's documented hooks. `lingers`: at the end the client shall be able to read what was
    sent. A socket that is closed with unread bytes in it is reset, and the answer that was under way is lost with it.
    """

    def __init__(self, connection: socket, *, too_large: Callable[[], bytes], closing: Closing) -> None:
        super().__init__(connection)
        self.lingers = False
        self._too_large = too_large
        self._closing = closing
        self._in_head = False
        self._sent = 0
        self._seen = -1
        self._since = 0.0

    def stalled(self, now: float) -> float:
        """For how many seconds the client has taken nothing of what waits for it, as far as asked before."""
        if not self.writing() or self._sent != self._seen:
            self._seen, self._since = self._sent, now
        return now - self._since

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Reads the head of a request: nothing else is read so."""
        self._in_head = True
        return super().read_until_regex(regex, max_bytes=max_bytes)

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Reads a line of a chunked body."""
        self._in_head = False
        return super().read_until(delimiter, max_bytes=max_bytes)

    def write_to_fd(self, data: memoryview) -> int:
        """Sends what the socket takes."""
        sent = super().write_to_fd(data)
        self._sent += sent
        return sent

    def close(
        self,
        exc_info: bool
        | BaseException
        | tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
        | None = False,
    ) -> None:
        """Ends the connection; a head that is too large is answered first (Tornado would only cut it off)."""
        if isinstance(exc_info, UnsatisfiableReadError) and self._in_head and not self.closed():
            self.lingers = say(self.socket, self._too_large())
        super().close(exc_info)

    def close_fd(self) -> None:
        """Closes the socket, or leaves a copy of it to `closing`."""
        kept = None
        if self.lingers:
            with contextlib.suppress(OSError):  # no descriptor is left: the client may miss the answer
                kept = socket(fileno=os.dup(self.socket.fileno()))
        super().close_fd()
        self._closing(kept)


class TlsStream(Stream, SSLIOStream):
    """The same through TLS. `connection` is wrapped already; the handshake is done by the first reading."""


def say(connection: socket, words: bytes) -> bool:
    """Whether a short answer could be sent at once, on a socket that has nothing else to send."""
    try:
        return connection.send(words) == len(words)
    except OSError:
        return False
