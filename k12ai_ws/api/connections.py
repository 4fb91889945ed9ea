"""All open channels: how many there may be, their pings, their bookmarks, and their end at shutdown."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from .places import Places

TICK_S = 1.0

log = logging.getLogger(__name__)


class Channel(Protocol):
    """What the connections ask of a channel."""

    def tick(self, now: float) -> None:
        """Pings, ends a silent connection, sends bookmarks; `now` in seconds of the monotonic clock."""
        ...

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begins the closing handshake."""
        ...


class Connections:
    """The set of open channels and the one timer that serves them all."""

    def __init__(self, places: Places, now: Callable[[], float]) -> None:
        self._places = places
        self.now = now
        self._open: dict[Channel, str] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, channel: Channel, address: str) -> None:
        """Takes a place for it. Raises Refusal where there is none."""
        self._places.enter(address)
        self._open[channel] = address
        self._empty.clear()

    def discard(self, channel: Channel) -> None:
        """It is closed."""
        address = self._open.pop(channel, None)
        if address is not None:
            self._places.leave(address)
        if not self._open:
            self._empty.set()

    def start(self) -> None:
        """Starts the timer."""
        self._ticker = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = self.now()
            for channel in tuple(self._open):
                try:
                    channel.tick(now)
                except Exception:
                    log.exception("a connection's timer failed; the others go on")

    async def close(self, timeout_s: float) -> None:
        """Closes every channel with 1001 and waits a while for their goodbyes."""
        if self._ticker is not None:
            self._ticker.cancel()
        for channel in tuple(self._open):
            channel.close(1001, "the server is going away; its jobs go on, so come back and resume")
        try:
            await asyncio.wait_for(self._empty.wait(), timeout_s)
        except TimeoutError:
            return  # whoever has not answered by now is cut off with the process
