"""A cached reading, taken in a thread of its own, that can never hold up whoever asks.

What is read (a driver, a network filesystem) may take long or hang for good. So each thing has its own lane: one
thread at a time, started only when somebody asks for something newer than what is there, shared by all who ask
meanwhile. The threads are daemons and not an executor's, because a hung one must not keep the server from ending.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sample(Generic[T]):
    """The newest reading there is: None before the first. `problem` says why it is not a fresh one (None: it is)."""

    value: T | None
    age_s: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a thread came back with: a value, or the exception."""

    value: T | None = None
    error: Exception | None = None


def in_daemon_thread(work: Callable[[], T], name: str) -> "asyncio.Future[Outcome[T]]":
    """Runs `work` in a daemon thread; the future gets its outcome, and never raises."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Outcome[T]] = loop.create_future()

    def land(outcome: Outcome[T]) -> None:
        if not future.done():
            future.set_result(outcome)

    def run() -> None:
        try:
            outcome = Outcome(value=work())
        except Exception as error:  # noqa: BLE001 - a thread's exception has no other way to whoever waits
            outcome = Outcome(error=error)
        with contextlib.suppress(RuntimeError):  # the loop has ended since: nobody is left to tell
            loop.call_soon_threadsafe(land, outcome)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


class Lane(Generic[T]):
    """One thing to read. `read` blocks, and is never called by two threads at once.

    A sample younger than `max_age_s` is given again. A reading that takes longer than `timeout_s` is waited for no
    longer: the sample before it is given, with the reason, to everyone until it comes back.
    """

    def __init__(
        self, name: str, read: Callable[[], T], *, max_age_s: float, timeout_s: float, clock: Callable[[], float]
    ) -> None:
        self._name = name
        self._read = read
        self._max_age_s = max_age_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._value: T | None = None
        self._value_at: float | None = None
        self._tried_at: float | None = None
        self._error: str | None = None
        self._flight: asyncio.Future[Outcome[T]] | None = None
        self._flight_at = 0.0

    async def sample(self) -> Sample[T]:
        """The cached sample, or a fresh one; returns within `timeout_s`."""
        late = False
        if self._tried_at is None or self._clock() - self._tried_at >= self._max_age_s:
            flight = self.begin()
            # Counted from the reading's own start: of those who find it hung, only the first waited.
            remaining = self._flight_at + self._timeout_s - self._clock()
            await asyncio.wait({flight}, timeout=max(0.0, remaining))
            late = not flight.done()
        now = self._clock()
        age = None if self._value_at is None else now - self._value_at
        problem = f"no answer for {now - self._flight_at:.1f} s" if late else self._error
        return Sample(self._value, age, problem)

    def last(self) -> Sample[T]:
        """The newest reading there is, however old; nothing is read for it."""
        age = None if self._value_at is None else self._clock() - self._value_at
        return Sample(self._value, age, self._error)

    def begin(self) -> "asyncio.Future[Outcome[T]]":
        """Starts a reading, where none is under way, without waiting for it."""
        if self._flight is None:
            self._flight_at = self._clock()
            self._flight = in_daemon_thread(self._read, f"monitor-{self._name}")
            self._flight.add_done_callback(self._land)
        return self._flight

    async def close(self) -> bool:
        """Waits for a reading under way, `timeout_s` at most. False: it still hangs."""
        if self._flight is None:
            return True
        done, _ = await asyncio.wait({self._flight}, timeout=self._timeout_s)
        return bool(done)

    def _land(self, flight: "asyncio.Future[Outcome[T]]") -> None:
        self._flight = None
        if flight.cancelled():
            return
        outcome, was = flight.result(), self._error
        self._tried_at = self._clock()
        if outcome.error is None:
            self._value, self._value_at, self._error = outcome.value, self._tried_at, None
            return
        self._error = f"{type(outcome.error).__name__}: {outcome.error}"
        if self._error != was:  # once, not once a second
            logger.warning("reading %s failed", self._name, exc_info=outcome.error)
