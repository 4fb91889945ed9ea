"""Processor and memory use of the host, from psutil.

A processor's use is the difference of two readings of its clocks, so a reader keeps the one before. psutil's own
`cpu_percent` keeps it per thread and for as long as nobody asks; here it belongs to the reader, and has an age limit.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import psutil

from k12ai_ws.wire.bodies import Json

MIN_WINDOW_S = 0.2
"""Processors count in hundredths of a second: over less time than this a percentage is mostly rounding."""
MAX_WINDOW_S = 10.0
"""A percentage over more time than this (nobody asked for a while) would not be about now."""


@dataclass(frozen=True, slots=True)
class CpuStats:
    """Use of the host's processors (percent, 0..100) and memory (bytes; usage is what is not available)."""

    percent: float
    percents: tuple[float, ...]
    memory_total: int
    memory_usage: int

    def fields(self) -> dict[str, Json]:
        """The `cpus` part of the answer, as the contract names it."""
        return {
            "cpu_percent": self.percent,
            "cpu_percent_list": list(self.percents),
            "cpu_memory_total": self.memory_total,
            "cpu_memory_usage": self.memory_usage,
            "cpu_memory_percent": round(100.0 * self.memory_usage / self.memory_total, 1) if self.memory_total else 0.0,
        }


class Memory(Protocol):
    """The part of `psutil.virtual_memory()` that is read, in bytes."""

    @property
    def total(self) -> int:
        """All there is."""

    @property
    def available(self) -> int:
        """What programs can still get without swapping."""


@dataclass(frozen=True, slots=True)
class CpuClock:
    """Seconds that one processor has spent, busy and in all, since the host started."""

    busy: float
    total: float


def psutil_clocks(
    times: Callable[[], Sequence[object]] = lambda: psutil.cpu_times(percpu=True),
) -> tuple[CpuClock, ...]:
    """The clocks of every processor, from psutil's `times`. Waiting for a disk is not being busy."""
    return tuple(_clock(each) for each in times())


def _clock(times: object) -> CpuClock:
    spent: dict[str, float] = times._asdict()  # type: ignore[attr-defined]  # a named tuple whose fields vary by system
    # Linux counts a guest's time in `user` and `nice` already.
    total = sum(spent.values()) - spent.get("guest", 0.0) - spent.get("guest_nice", 0.0)
    return CpuClock(busy=total - spent["idle"] - spent.get("iowait", 0.0), total=total)


class CpuReader:
    """Reads use over the time since its last reading. Blocking; at most one thread at a time may call `read`."""

    def __init__(
        self,
        *,
        clocks: Callable[[], Sequence[CpuClock]] = psutil_clocks,
        memory: Callable[[], Memory] = psutil.virtual_memory,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clocks = clocks
        self._memory = memory
        self._clock = clock
        self._sleep = sleep
        self._before: tuple[float, Sequence[CpuClock]] | None = None

    def read(self) -> CpuStats:
        """The use now. Takes up to `MIN_WINDOW_S` the first time and after a long pause, else no time."""
        before = self._before
        if before is None or self._clock() - before[0] > MAX_WINDOW_S:
            before = (self._clock(), self._clocks())
        if (missing := before[0] + MIN_WINDOW_S - self._clock()) > 0:
            self._sleep(missing)
        after = (self._clock(), self._clocks())
        self._before = after
        if len(before[1]) != len(after[1]):  # a processor was switched on or off: nobody knows which clock was whose
            return self.read()
        spans = [_span(*pair) for pair in zip(before[1], after[1], strict=True)]
        memory = self._memory()
        return CpuStats(
            percent=_percent(sum(busy for busy, _ in spans), sum(total for _, total in spans)),
            percents=tuple(_percent(*span) for span in spans),
            memory_total=memory.total,
            memory_usage=memory.total - memory.available,
        )


def _span(before: CpuClock, after: CpuClock) -> tuple[float, float]:
    # The kernel's clocks may step back a little (its counter for waiting does): never below nothing.
    return max(0.0, after.busy - before.busy), max(0.0, after.total - before.total)


def _percent(busy: float, total: float) -> float:
    return round(min(100.0, 100.0 * busy / total), 1) if total > 0 else 0.0
