"""What containers use now: one cached sampler, on the kernel's own files, or else on the engine's one-shot answers.

A processor's use is the difference of two looks, so the meter keeps the one before. Nothing waits for a second look:
the first one tells the average since the container's start, where that is known.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import sysconf
from pathlib import Path

from k12ai_ws.launchers.launcher import RunStats

from .cgroups import Group, Hierarchies, Usage
from .oneshot import MAX_AGE_S, EngineStats, OneShots

KEEP_S = 600.0
"""How long what was seen of a container is kept after it was last asked for: its peak is asked for after its end."""
MAX_KEPT = 4096
_MIN_WINDOW_S = 0.05
"""Over less time than this a percentage is mostly rounding: the kernel counts in ticks of a hundredth of a second."""


@dataclass(frozen=True, slots=True)
class ContainerRef:
    """A container to measure: its full id, the host's number of its first process (0: none), its name, and its memory
    limit in bytes (0: none). Raises ValueError for what is no id: it is looked for in the names of folders.
    """

    id: str
    pid: int
    name: str
    memory_limit: int

    def __post_init__(self) -> None:
        if len(self.id) < 12 or set(self.id) - set("0123456789abcdef"):
            raise ValueError(f"{self.id!r} is no container's id: give the engine's own, of 64 hexadecimal digits")


@dataclass(slots=True)
class _Seen:
    """What is kept of one container between two looks."""

    asked_at: float
    looked_at: float | None = None
    group: Group | None = None
    group_pid: int = 0
    at: float | None = None
    """When `cpu_s` was read, by the clock of whoever read it."""
    cpu_s: float = 0.0
    by_engine: bool = False
    percent: float = 0.0
    came_at: float | None = None
    """When the engine last answered, by our own clock."""
    stats: RunStats | None = None
    peak: int | None = None
    oom_kills: int | None = None


class ContainerMeter:
    """Measures containers. Blocking: for threads; several may call it at once, and share one look.

    `engine_stats(id)` gives the engine's one-shot statistics of a container (`GET /containers/{id}/stats` with
    `stream=false&one-shot=true`), or None where there is no such container; it is asked where no container's
    control groups are to be seen from here, several at once, and must give up by itself after a while. Who
    measures again and again is given answers up to three seconds old and does not wait; else an answer is waited for,
    and a container for which none comes within `engine_timeout_s` seconds is left out.
    """

    def __init__(
        self,
        *,
        interval_s: float = 1.0,
        engine_stats: EngineStats | None = None,
        engine_timeout_s: float = 3.0,
        proc: Path = Path("/proc"),
        host_memory: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._host_memory = host_memory or sysconf("SC_PAGE_SIZE") * sysconf("SC_PHYS_PAGES")
        self._trees = Hierarchies(proc, clock)
        self._engine = OneShots(engine_stats, engine_timeout_s, clock) if engine_stats else None
        self._kernel_tells = False  # once it has told of one container, another that is not to be seen is gone
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._turn = threading.Lock()  # one look at a time
        self._lock = threading.Lock()  # the two below it

    def measure(self, containers: Mapping[str, ContainerRef]) -> dict[str, RunStats]:
        """What each container uses now, by the given keys (job ids); those that do not run are left out.

        `cpu_percent` is of one core, since the look before (at least `interval_s` seconds ago), and the first time
        since the container's start, or 0 where that is not known. Memory counts as `docker stats` counts it. Where
        the engine was asked, there are no `pids`.
        """
        with self._turn:
            self._ask_engine([ref for ref in self._stale(containers) if not self._look(ref)])
            with self._lock:
                found = {key: self._seen[ref.id].stats for key, ref in containers.items() if ref.id in self._seen}
        return {key: stats for key, stats in found.items() if stats is not None}

    def peak(self, ref: ContainerRef) -> int | None:
        """The most memory that the container was seen charged with, page cache and all, in bytes; None: never seen.

        The kernel's own mark while the container is there (all but the newest kernels of the second version of
        control groups have one), else the highest that was seen; known for ten minutes after its end.
        """
        with self._lock:
            seen = self._entry(ref)
            if group := self._group(ref, seen):
                seen.peak = _highest(seen.peak, group.peak())
            return seen.peak

    def oom_kills(self, ref: ContainerRef) -> int | None:
        """How many of its processes the kernel killed for want of memory, as far as seen; None where nobody counts."""
        with self._lock:
            seen = self._entry(ref)
            if group := self._group(ref, seen):
                seen.oom_kills = _highest(seen.oom_kills, group.oom_kills())
            return seen.oom_kills

    def close(self) -> None:
        """Ends the threads that ask the engine; a call under way is not waited for."""
        if self._engine:
            self._engine.close()

    def _stale(self, containers: Mapping[str, ContainerRef]) -> list[ContainerRef]:
        """The containers to look at now, each once; forgets what nobody asks for."""
        now = self._clock()
        with self._lock:
            refs = {ref.id: ref for ref in containers.values()}
            stale = []
            for ref in refs.values():
                seen = self._entry(ref)
                if seen.looked_at is None or now - seen.looked_at >= self._interval_s:
                    seen.looked_at = now
                    stale.append(ref)
        return stale

    def _entry(self, ref: ContainerRef) -> _Seen:
        now = self._clock()
        seen = self._seen.setdefault(ref.id, _Seen(now))
        seen.asked_at = now
        self._seen.move_to_end(ref.id)
        while len(self._seen) > MAX_KEPT or next(iter(self._seen.values())).asked_at < now - KEEP_S:
            self._seen.popitem(last=False)
        return seen

    def _group(self, ref: ContainerRef, seen: _Seen) -> Group | None:
        # Once found it stays good: its folders bear the id. A container started again may have got others.
        if seen.group is None or seen.group_pid != ref.pid:
            seen.group, seen.group_pid = self._trees.find(ref), ref.pid
        return seen.group

    def _look(self, ref: ContainerRef) -> bool:
        """Looks at the kernel's files. False: they are not to be seen (now), and only the engine could tell."""
        with self._lock:
            seen = self._entry(ref)
            group = self._group(ref, seen)
            if group is None:
                return False
            self._kernel_tells = True
            try:
                usage = group.usage()
                seen.oom_kills = _highest(seen.oom_kills, group.oom_kills())
            except (OSError, ValueError):  # the container ended under our eyes
                usage = None
            if usage is None:
                seen.stats = None
        if usage is not None:
            self._land(ref, usage, self._clock(), by_engine=False)
        return True

    def _ask_engine(self, unseen: Sequence[ContainerRef]) -> None:
        """For what the kernel's files do not show. Waits only for containers of which nothing new is known yet."""
        engine = None if self._kernel_tells else self._engine
        now, needed = self._clock(), set[str]()
        with self._lock:
            for ref in unseen:
                seen = self._entry(ref)
                if engine is None or seen.came_at is None or now - seen.came_at >= MAX_AGE_S:
                    seen.stats = None
                    needed.add(ref.id)
        if not unseen or engine is None:
            return
        answers = engine.ask([ref.id for ref in unseen], needed)
        for ref in unseen:
            if (answer := answers.get(ref.id)) is None:
                continue
            with self._lock:
                seen = self._entry(ref)
                seen.came_at = answer.came_at
                if answer.shot is None:
                    seen.stats = None
            if answer.shot:
                self._land(ref, answer.shot.usage, answer.shot.at, by_engine=True)

    def _land(self, ref: ContainerRef, usage: Usage, at: float, *, by_engine: bool) -> None:
        """Takes a look in; `at` is in seconds by the clock of the one who looked."""
        limits = [each for each in (usage.limit, ref.memory_limit, self._host_memory) if each]
        with self._lock:
            seen = self._entry(ref)
            if seen.at is not None and seen.by_engine == by_engine and usage.cpu_s >= seen.cpu_s:
                span, spent = at - seen.at, usage.cpu_s - seen.cpu_s
            else:
                # Among the container's own processes the number is of its first one; elsewhere it may be anyone's.
                age_s = self._trees.age_s(ref.pid) if ref.pid in usage.pids else None
                span, spent, seen.at, seen.percent = age_s or 0.0, usage.cpu_s, None, 0.0
            if span >= _MIN_WINDOW_S:
                seen.percent = 100.0 * spent / span
            if span >= _MIN_WINDOW_S or seen.at is None:  # too soon after the last: that one's percentage still holds
                seen.at, seen.cpu_s, seen.by_engine = at, usage.cpu_s, by_engine
            seen.peak = _highest(seen.peak, usage.peak, usage.charged)
            seen.stats = RunStats(
                id=ref.id,
                cpu_percent=seen.percent,
                memory_total=min(limits),
                memory_usage=usage.memory,
                pids=usage.pids,
                name=ref.name,
            )


def _highest(*values: int | None) -> int | None:
    return max((each for each in values if each is not None), default=None)
