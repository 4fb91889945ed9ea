"""All open channels: how many there may be, their pings, their bookmarks, and their end at shutdown."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from k12ai_ws.wire.requests import Refusal

from .places import Places

TICK_S = 1.0
SHARES = 10
"""The timer goes off so many times in a tick and serves a share of the channels each time: serving thousands at once
would hold up the events of all.
"""

AWAY = "the server is going away; its jobs go on, so come back and resume"

log = logging.getLogger(__name__)


class Channel(Protocol):
    """What the connections ask of a channel."""

    def tick(self, now: float) -> None:
        """Pings, ends a silent connection, sends bookmarks; `now` in seconds of the monotonic clock."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Begins the closing handshake."""
        ...

    def abort(self) -> None:
        """Hangs up."""
        ...


class Connections:
    """The set of open channels and the one timer that serves them all."""

    def __init__(self, places: Places, now: Callable[[], float]) -> None:
        self._places = places
        self.now = now
        self._open: dict[Channel, tuple[str, int]] = {}  # with its address and its share
        self._shares: tuple[set[Channel], ...] = tuple(set() for _ in range(SHARES))
        self._refused: set[Channel] = set()  # being told so
        self._leaving = False  # all that are open were told so
        self._ticker: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, channel: Channel, address: str) -> None:
        """Takes a place for it; `discard` is called in either case, once it is closed. Raises Refusal where there is
        none. One that comes while the server goes is told so at once.
        """
        self._empty.clear()
        try:
            self._places.enter(address)
        except Refusal:
            self._refused.add(channel)
            raise
        share = min(range(SHARES), key=lambda i: len(self._shares[i]))
        self._open[channel] = address, share
        self._shares[share].add(channel)
        if self._leaving:
            channel.close(1001, AWAY)

    def discard(self, channel: Channel) -> None:
        """It is closed."""
        if channel in self._open:
            address, share = self._open.pop(channel)
            self._places.leave(address)
            self._shares[share].discard(channel)
        self._refused.discard(channel)
        if not self._open and not self._refused:
            self._empty.set()

    def start(self) -> None:
        """Starts the timer."""
        self._ticker = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            for share in self._shares:
                await asyncio.sleep(TICK_S / SHARES)
                now = self.now()
                for channel in tuple(share):
                    try:
                        channel.tick(now)
                    except Exception:
                        log.exception("a connection's timer failed; the others go on")

    async def close(self, timeout_s: float) -> None:
        """Closes every channel with 1001, waits a while for their goodbyes, and hangs up on the rest."""
        if self._ticker is not None:
            self._ticker.cancel()
        self._leaving = True
        for channel in tuple(self._open):
            channel.close(1001, AWAY)
        try:
            await asyncio.wait_for(self._empty.wait(), timeout_s)
        except TimeoutError:
            for channel in (*self._open, *self._refused):
                channel.abort()
            await self._empty.wait()
