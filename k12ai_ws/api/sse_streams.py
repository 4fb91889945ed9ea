"""All open event streams: their one timer, and their end at shutdown."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from k12ai_ws.settings import SseSettings

from .places import Places
from .sse_frames import retry_frame

TICK_S = 1.0
SPREAD = 3.0
"""Clients of a server that goes away come back between `sse.retry_s` and so many times as much."""

log = logging.getLogger(__name__)


class Opened(Protocol):
    """What the streams ask of one of them."""

    def tick(self, now: float) -> None:
        """Bookmarks, and the end of a stream that takes nothing; `now` in seconds of the monotonic clock."""
        ...

    def end(self, last: bytes) -> None:
        """Sends `last`, and closes the connection once all is sent."""
        ...

    def abort(self) -> None:
        """Closes the connection now."""
        ...


class Streams:
    """The set of open event streams. `spread` gives a random number in [0, 1)."""

    def __init__(self, places: Places, settings: SseSettings, spread: Callable[[], float]) -> None:
        self._places = places
        self._settings = settings
        self._spread = spread
        self._open: dict[Opened, str] = {}
        self._leaving = False  # all that are open were ended
        self._ticker: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._open)

    def require_room(self, address: str) -> None:
        """Raises Refusal (100108) where `address` may open none now."""
        self._places.enter(address)
        self._places.leave(address)

    def add(self, stream: Opened, address: str) -> None:
        """Takes a place for it. Raises Refusal (100108) where there is none. One that comes while the server goes is
        ended once it has begun.
        """
        self._places.enter(address)
        self._open[stream] = address
        self._empty.clear()
        if self._leaving:
            asyncio.get_running_loop().call_soon(self._end, stream)

    def discard(self, stream: Opened) -> None:
        """It is closed."""
        address = self._open.pop(stream, None)
        if address is not None:
            self._places.leave(address)
        if not self._open:
            self._empty.set()

    def start(self) -> None:
        """Starts the timer."""
        self._ticker = asyncio.get_running_loop().create_task(self._tick(), name="event streams")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            for stream in tuple(self._open):
                try:
                    stream.tick(now)
                except Exception:
                    log.exception("an event stream's timer failed; the others go on")

    def _end(self, stream: Opened) -> None:
        stream.end(retry_frame(self._settings.retry_s * (1 + (SPREAD - 1) * self._spread())))

    async def close(self, timeout_s: float) -> None:
        """Ends every stream, each told another time to come back, and waits a while for what is unsent."""
        if self._ticker is not None:
            self._ticker.cancel()
        self._leaving = True
        for stream in tuple(self._open):
            self._end(stream)
        try:
            await asyncio.wait_for(self._empty.wait(), timeout_s)
        except TimeoutError:  # whoever has not taken it by now resumes by what it took
            for stream in tuple(self._open):
                stream.abort()
