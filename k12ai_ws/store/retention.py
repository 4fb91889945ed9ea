"""What is to go, and in which order: a pure function of what is kept, the operator's rules and the time.

Log lines go first, then progress, then metrics (thinned first), then the rest: statuses, errors and infos. A job's
terminal status and its last error go with the job itself. Of a job that has not ended nothing goes for its age, and for
want of room only log lines, progress, and what thinning takes. Among jobs the one that ended first goes first.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

LOW_WATER = 0.9
"""Past a bound, room is made down to this share of it: else every look would remove a little of everything."""
DAY_MS = 86_400_000


class Kind(IntEnum):
    """The classes of events, in the order in which they go."""

    LOG = 0
    PROGRESS = 1
    METRICS = 2
    REST = 3

    @classmethod
    def of(cls, event_type: str) -> "Kind":
        """The class of an event's type."""
        return {"log": cls.LOG, "progress": cls.PROGRESS, "metrics": cls.METRICS}.get(event_type, cls.REST)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator wants. Ages are days since a job's end, None: no age. `points` is what thinning leaves."""

    log_days: float | None = None
    progress_days: float | None = None
    metrics_days: float | None = None
    job_days: float | None = None
    thin_days: float | None = None
    points: int = 2000
    max_job_events: int = 1 << 62
    max_job_bytes: int = 1 << 62
    max_events: int = 1 << 62
    max_bytes: int = 1 << 62
    max_jobs: int = 1 << 62


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is kept of one job: events and their bytes by `Kind`, and the bytes of its record and its request.

    `ended_ms` is None while it has not ended; `thinned` is the number of points that its metrics were thinned to (0:
    they are whole).
    """

    job_no: int
    job_id: str
    ended_ms: int | None
    own_bytes: int
    thinned: int
    events: tuple[int, int, int, int]
    bytes: tuple[int, int, int, int]


Verb = Literal["drop", "thin", "remove"]


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to do. drop: of a job's events of one kind, oldest first, until so many `events` and `bytes` are gone.
    thin: leave `points` of each metric. remove: the job with all that is stored of it.

    Of thin and remove `events` and `bytes` say what may go at most.
    """

    verb: Verb
    job_no: int
    job_id: str
    kind: Kind
    events: int
    bytes: int
    points: int = 0


def plan(shelves: Iterable[Shelf], rules: Rules, now_ms: int) -> Sequence[Order]:
    """What has to go now."""
    stock = _Stock(shelves, rules)
    stock.by_age(now_ms)
    stock.by_number()
    stock.per_job()
    stock.in_all()
    return stock.orders


class _Left:
    """What will be left of a job once the orders so far are carried out."""

    __slots__ = ("bytes", "events", "gone", "shelf", "thinned")

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.events = list(shelf.events)
        self.bytes = list(shelf.bytes)
        self.thinned = shelf.thinned
        self.gone = False

    @property
    def ended(self) -> bool:
        return self.shelf.ended_ms is not None


class _Stock:
    """All jobs, those that ended first before the others, those that have not ended last."""

    def __init__(self, shelves: Iterable[Shelf], rules: Rules) -> None:
        self._rules = rules
        self.orders: list[Order] = []
        self._jobs = sorted(
            (_Left(s) for s in shelves),
            key=lambda j: (not j.ended, j.shelf.ended_ms or 0, j.shelf.job_no),
        )

    def by_age(self, now_ms: int) -> None:
        rules = self._rules
        ages: list[tuple[Kind, float | None]] = []
        longest: float | None = None
        for kind, days in reversed(((Kind.LOG, rules.log_days), (Kind.PROGRESS, rules.progress_days),
                                    (Kind.METRICS, rules.metrics_days))):  # fmt: skip
            # Metrics outlive log lines, also where only the metrics have an age.
            longest = days if longest is None else longest if days is None else min(days, longest)
            ages.insert(0, (kind, longest))
        for job in self._jobs:
            if job.shelf.ended_ms is None:
                return
            age = (now_ms - job.shelf.ended_ms) / DAY_MS
            if rules.job_days is not None and age > rules.job_days:
                self._remove(job)
                continue
            for kind, days in ages:
                if days is not None and age > days:
                    self._drop(job, kind)
            if rules.thin_days is not None and age > rules.thin_days:
                self._thin(job)

    def by_number(self) -> None:
        """Too many jobs: those that ended first go."""
        kept = [j for j in self._jobs if not j.gone]
        for job in kept[: max(0, len(kept) - self._rules.max_jobs)]:
            if job.ended:
                self._remove(job)

    def per_job(self) -> None:
        rules = self._rules
        for job in self._jobs:
            if job.gone:
                continue
            need = _Need.over(sum(job.events), sum(job.bytes), rules.max_job_events, rules.max_job_bytes)
            for make_room in self._ways(job):
                if not need.any:
                    break
                make_room(need)

    def _ways(self, job: _Left) -> list[Callable[["_Need"], None]]:
        """How room is made within a job, in the order in which it is tried."""
        ways: list[Callable[[_Need], None]] = [
            lambda need: self._drop(job, Kind.LOG, need),
            lambda need: self._drop(job, Kind.PROGRESS, need),
            lambda need: self._thin(job, need),
        ]
        if job.ended:
            ways += [lambda need: self._drop(job, Kind.METRICS, need), lambda need: self._drop(job, Kind.REST, need)]
        return ways

    def in_all(self) -> None:
        rules, jobs = self._rules, [j for j in self._jobs if not j.gone]
        size = sum(sum(j.bytes) + j.shelf.own_bytes for j in jobs)
        need = _Need.over(sum(sum(j.events) for j in jobs), size, rules.max_events, rules.max_bytes)
        ended = [j for j in jobs if j.ended]
        passes: tuple[tuple[list[_Left], Callable[[_Left], None]], ...] = (
            (jobs, lambda job: self._drop(job, Kind.LOG, need)),
            (jobs, lambda job: self._drop(job, Kind.PROGRESS, need)),
            (jobs, lambda job: self._thin(job, need)),
            (ended, lambda job: self._drop(job, Kind.METRICS, need)),
            (ended, lambda job: self._remove(job, need)),
        )
        for chosen, make_room in passes:
            for job in chosen:
                if not need.any:
                    return
                make_room(job)

    # ---- the orders

    def _drop(self, job: _Left, kind: Kind, need: "_Need | None" = None) -> None:
        """All of a kind or, with a need, as much of it as is needed."""
        have, size = job.events[kind], job.bytes[kind]
        if kind is Kind.REST:  # its terminal status and its last error stay
            size = size * max(0, have - 2) // max(1, have)
            have = max(0, have - 2)
        if not have:
            return
        share = 1.0 if need is None else min(1.0, max(need.events / have, need.bytes / max(1, size)))
        events, gone = (have, size) if share == 1.0 else (int(have * share), int(size * share) + 1)
        self._give(job, Order("drop", job.shelf.job_no, job.shelf.job_id, kind, events, gone), need)

    def _thin(self, job: _Left, need: "_Need | None" = None) -> None:
        have, points = job.events[Kind.METRICS], self._rules.points
        if have <= points or (job.ended and 0 < job.thinned <= points):
            return
        job.thinned = points
        size = job.bytes[Kind.METRICS] * (have - points) // have
        order = Order("thin", job.shelf.job_no, job.shelf.job_id, Kind.METRICS, have - points, size, points)
        self._give(job, order, need)

    def _remove(self, job: _Left, need: "_Need | None" = None) -> None:
        self.orders.append(Order("remove", job.shelf.job_no, job.shelf.job_id, Kind.REST, sum(job.events),
                                 sum(job.bytes) + job.shelf.own_bytes))  # fmt: skip
        job.gone = True
        if need is not None:
            need.less(sum(job.events), sum(job.bytes) + job.shelf.own_bytes)

    def _give(self, job: _Left, order: Order, need: "_Need | None") -> None:
        self.orders.append(order)
        job.events[order.kind] -= order.events
        job.bytes[order.kind] -= order.bytes
        if need is not None:
            need.less(order.events, order.bytes)


@dataclass(slots=True)
class _Need:
    """How many events, and how many bytes, must still go."""

    events: int
    bytes: int

    @classmethod
    def over(cls, events: int, size: int, max_events: int, max_bytes: int) -> "_Need":
        """Nothing within the bounds; past one, what lies above its low water."""
        return cls(
            events - int(max_events * LOW_WATER) if events > max_events else 0,
            size - int(max_bytes * LOW_WATER) if size > max_bytes else 0,
        )

    @property
    def any(self) -> bool:
        return self.events > 0 or self.bytes > 0

    def less(self, events: int, size: int) -> None:
        self.events = max(0, self.events - events)
        self.bytes = max(0, self.bytes - size)
