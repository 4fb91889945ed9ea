"""Lets clients read their last answer: reads off what they still send, for a while, before the socket is closed."""

import asyncio
from collections.abc import Callable
from socket import SHUT_WR, socket

MOST = 256
"""Sockets that are waited for at one time; more are closed without, and their clients may miss the answer."""
PATIENCE_S = 2.0
CHUNK = 64 << 10
DISCARDED = 8 << 20
"""Bytes that a client may still send; whoever goes on after that does not want an answer."""


class Farewells:
    """The sockets that have had their last answer. Lives on the event loop."""

    def __init__(self) -> None:
        self._waiting: dict[socket, Callable[[], None]] = {}

    def take(self, connection: socket, gone: Callable[[], None]) -> None:
        """Closes the connection as soon as its client has; `gone` is called then."""
        if len(self._waiting) >= MOST:
            connection.close()
            gone()
            return
        loop = asyncio.get_running_loop()
        left = DISCARDED

        def read() -> None:
            nonlocal left
            try:
                size = len(connection.recv(CHUNK))
            except BlockingIOError:
                return
            except OSError:
                size = 0
            left -= size
            if size == 0 or left <= 0:
                end()

        def end() -> None:
            if self._waiting.pop(connection, None) is not None:
                due.cancel()
                loop.remove_reader(connection)
                connection.close()
                gone()

        self._waiting[connection] = end
        due = loop.call_later(PATIENCE_S, end)
        loop.add_reader(connection, read)
        try:
            connection.shutdown(SHUT_WR)
        except OSError:  # the client is gone already
            end()

    def close(self) -> None:
        """Waits for nobody any more."""
        for end in tuple(self._waiting.values()):
            end()
