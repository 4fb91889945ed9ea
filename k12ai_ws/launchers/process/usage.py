"""What runs use: processor time between two looks, and memory, over whole process trees."""

import os
import threading
import time
from collections.abc import Callable, Mapping

from k12ai_ws.launchers.launcher import RunStats

from . import proc

_SHORTEST_S = 0.1
"""Processor time is counted in hundredths of a second: over less than this, the figure before says more."""

_LONGEST_S = 600.0
"""A look so long ago is forgotten: the run is over, or nobody looks at it."""


class UsageMeter:
    """Measures runs by their supervisors' process ids; remembers the last look at each. Blocks for about a
    millisecond per hundred processes of the machine.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, tuple[float, int, float]] = {}
        self._one_at_a_time = threading.Lock()
        self._ticks_per_s = os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._memory_total = os.sysconf("SC_PHYS_PAGES") * self._page

    def measure(self, supervisors: Mapping[str, tuple[int, int] | None]) -> dict[str, RunStats]:
        """job_id -> usage, from job_id -> (process id, start) of its supervisor; a run without is left out.

        Memory is the sum of the processes' resident sets: what they share counts for each. At the first look,
        `cpu_percent` is the mean since the run's start.
        """
        with self._one_at_a_time:
            self._forget_the_old()
            return self._measure(supervisors)

    def _measure(self, supervisors: Mapping[str, tuple[int, int] | None]) -> dict[str, RunStats]:
        processes = proc.every()
        found: dict[str, RunStats] = {}
        for job_id, known in supervisors.items():
            supervisor = processes.get(known[0]) if known else None
            if supervisor is None or (supervisor.pid, supervisor.start) != known:
                continue
            tree = [p for p in proc.descendants(supervisor.pid, processes) if p.state not in "ZX"]
            if not tree:
                continue
            # With what ended processes left to those that waited for them, the sum does not fall when one ends.
            ticks = supervisor.waited_ticks + sum(p.ticks + p.waited_ticks for p in tree)
            found[job_id] = RunStats(
                id=job_id,
                cpu_percent=self._percent(job_id, ticks, min(p.start for p in tree)),
                memory_total=self._memory_total,
                memory_usage=sum(p.rss for p in tree) * self._page,
                pids=tuple(p.pid for p in tree),
            )
        return found

    def _forget_the_old(self) -> None:
        now = self._clock()
        for job_id in [job_id for job_id, (at, _, _) in self._last.items() if now - at > _LONGEST_S]:
            del self._last[job_id]

    def _percent(self, job_id: str, ticks: int, start: int) -> float:
        now = self._clock()
        before = self._last.get(job_id)
        if before and now - before[0] < _SHORTEST_S:
            return before[2]
        if before:
            seconds, used = now - before[0], ticks - before[1]
        else:
            seconds, used = time.clock_gettime(time.CLOCK_BOOTTIME) - start / self._ticks_per_s, ticks
        percent = max(0.0, 100.0 * used / self._ticks_per_s / seconds) if seconds > 0 else 0.0
        self._last[job_id] = (now, ticks, percent)
        return percent
