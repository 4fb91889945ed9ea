"""Who may run, and who waits: a bounded queue, fair between users, under limits and what the machine has. Pure.

A user's own jobs go in the order in which they came. Between users, the one with the fewest running jobs goes first;
of several, the one that was served least recently (who is new to the queue counts as served just before the last one);
then the one whose job came first. A job that does not fit now may be overtaken by other users' jobs that do, but not
for ever: once `MAX_PASSED` jobs that came later have gone before it, it goes before everyone, and what it needs is kept
for it: only jobs that fit beside it may still go. Nothing is kept for one that asks for more GPUs than answer now: no
end of a job would let it go.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .needs import Free, Need, Room, excess, shortage

MAX_PASSED = 16
"""So many later jobs may go before one that could go but for what it needs, or for its user's turn."""

ROOMY = Room()


class QueueFull(Exception):
    """No more jobs may wait; the text says which limit was reached."""


@dataclass(slots=True)
class _Waiting:
    job_id: str
    user: str
    need: Need
    arrival: int
    coming: bool = False  # reserved, not stored yet
    passed: int = 0

    @property
    def due(self) -> bool:
        return self.passed >= MAX_PASSED


@dataclass(frozen=True, slots=True)
class Place:
    """A waiting job's place: the `position`-th (1: the next) of `waiting` to go, and why it does not run now."""

    position: int
    waiting: int
    reason: str


@dataclass(slots=True)
class _Plan:
    """Who would start now, in order; for whom room is kept; what is free after the starts, the kept room included."""

    starts: list[_Waiting]
    kept: list[_Waiting]
    free: Free


class Queue:
    """Waiting and running jobs by id. Not durable itself: the store's queued jobs refill it after a restart, in their
    order; how often each was passed over, and whose turn it is, begin anew then.
    """

    def __init__(
        self, *, max_running: int, max_running_per_user: int, max_queued: int, max_queued_per_user: int
    ) -> None:
        self._max_running = max_running
        self._max_running_per_user = max_running_per_user
        self._max_queued = max_queued
        self._max_queued_per_user = max_queued_per_user
        self._waiting: dict[str, _Waiting] = {}  # in order of arrival
        self._running: dict[str, tuple[str, Need]] = {}
        self._arrivals = 0
        self._served = 0
        self._turns: dict[str, int] = {}  # of users with a job here: when they were served last

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many jobs hold a place to run."""
        return len(self._running)

    @property
    def wants_gpus(self) -> bool:
        """Whether a waiting job asks for a GPU."""
        return any(job.need.gpus for job in self._waiting.values())

    def reserve(self, job_id: str, user: str, need: Need = Need(), room: Room = ROOMY) -> str | None:  # noqa: B008
        """Holds a place at the end of the queue for a job that is being stored: `add` it then, or `remove` it.

        The answer says why it has to wait; None: it can run at once. Raises QueueFull where it could neither run nor
        wait.
        """
        job = self._enter(job_id, user, need, coming=True)
        plan = self._plan(room, coming=True)
        starts = {each.job_id for each in plan.starts}
        if job_id in starts:
            return None
        left = [each.user for each in self._waiting.values() if each.job_id not in starts]
        try:
            self._check_room(len(left) - 1, left.count(user) - 1, user)
        except QueueFull:
            self.remove(job_id)
            raise
        heads = {each.job_id for each in self._heads(room, coming=True)}
        return self._reason(job, room, plan, heads, Counter(user for user, _ in self._running.values()))

    def _enter(self, job_id: str, user: str, need: Need, *, coming: bool) -> _Waiting:
        self._arrivals += 1
        self._turns.setdefault(user, 2 * self._served - 1)
        job = self._waiting[job_id] = _Waiting(job_id, user, need, self._arrivals, coming)
        return job

    def _check_room(self, in_all: int, waiting: int, user: str) -> None:
        if in_all >= self._max_queued:
            raise QueueFull(f"{in_all} jobs are waiting, and no more may (jobs.max_queued): try again later")
        if waiting >= self._max_queued_per_user:
            raise QueueFull(
                f"{waiting} jobs of user {user!r} are waiting, and no more may (jobs.max_queued_per_user): "
                "stop one of them or wait"
            )

    def add(self, job_id: str, user: str, need: Need = Need()) -> None:  # noqa: B008
        """The job waits: in the place reserved for it, or at the end."""
        job = self._waiting.get(job_id) or self._enter(job_id, user, need, coming=False)
        job.coming = False

    def resume(self, job_id: str, user: str, need: Need = Need()) -> None:  # noqa: B008
        """The job runs already (it was found again), whatever the limits say now."""
        self._turns.setdefault(user, 2 * self._served - 1)
        self._running[job_id] = (user, need)

    def remove(self, job_id: str) -> None:
        """The job neither waits nor runs any more."""
        waited, ran = self._waiting.pop(job_id, None), self._running.pop(job_id, None)
        user = waited.user if waited else ran[0] if ran else None
        here = (job.user for job in self._waiting.values()), (user for user, _ in self._running.values())
        if user is not None and not any(user in users for users in here):
            self._turns.pop(user, None)

    def admit(self, room: Room = ROOMY) -> Mapping[str, Need]:
        """The jobs that may start now, in order, and what each needs; they hold it, and their places, from here on."""
        starts = self._plan(room).starts
        for job in starts:
            del self._waiting[job.job_id]
            self._running[job.job_id] = (job.user, job.need)
            self._served += 1
            self._turns[job.user] = 2 * self._served
        if starts:
            running = Counter(user for user, _ in self._running.values())
            for head in self._heads(room):
                if running[head.user] < self._max_running_per_user:  # else its own user's jobs hold it up
                    head.passed += sum(job.arrival > head.arrival for job in starts)
        return {job.job_id: job.need for job in starts}

    def places(self, room: Room = ROOMY) -> Mapping[str, Place]:
        """The place of every waiting job. Positions are the order in which they would go if places to run came free one
        by one and nothing more arrived; a job that asks for more than there is stands at the end.
        """
        plan, running = self._plan(room), Counter(user for user, _ in self._running.values())
        heads = {job.job_id for job in self._heads(room)}
        ordered = list(self._in_turn(self._lines(room)))
        ordered += [job for job in self._waiting.values() if not job.coming and room.beyond(job.need)]
        return {
            job.job_id: Place(number, len(ordered), self._reason(job, room, plan, heads, running))
            for number, job in enumerate(ordered, 1)
        }

    # ---- the order

    def _lines(self, room: Room, *, coming: bool = False) -> dict[str, list[_Waiting]]:
        """Each user's jobs in order, last first; without those that ask for more than there is: they hold up nobody."""
        lines: dict[str, list[_Waiting]] = {}
        for job in reversed(self._waiting.values()):
            if (coming or not job.coming) and not room.beyond(job.need):
                lines.setdefault(job.user, []).append(job)
        return lines

    def _heads(self, room: Room, *, coming: bool = False) -> Iterable[_Waiting]:
        return [line[-1] for line in self._lines(room, coming=coming).values()]

    def _key(self, job: _Waiting, running: Mapping[str, int], turns: Mapping[str, int]) -> tuple[int, int, int, int]:
        if job.due:
            return (0, 0, 0, job.arrival)
        return (1, running.get(job.user, 0), turns.get(job.user, 0), job.arrival)

    def _in_turn(self, lines: dict[str, list[_Waiting]]) -> Iterator[_Waiting]:
        """All jobs of `lines` in the order in which they would go, if each could."""
        running, turns, served = Counter(user for user, _ in self._running.values()), dict(self._turns), self._served
        heap = [(self._key(line[-1], running, turns), user) for user, line in lines.items()]
        heapq.heapify(heap)
        while heap:
            _, user = heapq.heappop(heap)
            yield lines[user].pop()
            served += 1
            running[user] += 1
            turns[user] = 2 * served
            if lines[user]:
                heapq.heappush(heap, (self._key(lines[user][-1], running, turns), user))

    def _plan(self, room: Room, *, coming: bool = False) -> _Plan:
        """Who may start. A user whose first job cannot go is out, as its jobs keep their order."""
        running, turns, served = Counter(user for user, _ in self._running.values()), dict(self._turns), self._served
        held = self._running.values()
        free = Free(
            self._max_running - len(held),
            room.cpus - sum(need.cpus for _, need in held),
            room.memory - sum(need.memory for _, need in held),
            room.free_gpus,
        )
        plan, beside = _Plan([], [], free), Free(free.slots, free.cpus, free.memory, free.gpus)
        lines = {} if room.unknown or free.slots <= 0 else self._lines(room, coming=coming)
        heap = [(self._key(line[-1], running, turns), user) for user, line in lines.items()]
        heapq.heapify(heap)
        while heap and beside.slots > 0:
            _, user = heapq.heappop(heap)
            job = lines[user][-1]
            if running[user] >= self._max_running_per_user:
                continue
            if beside.short_of(job.need):
                if job.due and job.need.gpus <= room.gpus_now:
                    plan.kept.append(job)
                    beside.take(job.need)
                continue
            lines[user].pop()
            plan.starts.append(job)
            free.take(job.need)
            beside.take(job.need)
            served += 1
            running[user] += 1
            turns[user] = 2 * served
            if lines[user]:
                heapq.heappush(heap, (self._key(lines[user][-1], running, turns), user))
        return plan

    # ---- the reasons

    def _reason(self, job: _Waiting, room: Room, plan: _Plan, heads: Iterable[str], running: Mapping[str, int]) -> str:
        """Why the job does not run: what holds it up first."""
        beyond = room.beyond(job.need)
        if beyond:
            return f"{excess(beyond, job.need, room)}: it can run only once there is more"
        if room.unknown:
            return room.unknown
        mine = running.get(job.user, 0)
        if mine >= self._max_running_per_user:
            return f"{mine} of {self._max_running_per_user} jobs of this user are running (jobs.max_running_per_user)"
        if self.running >= self._max_running:
            return f"{self.running} of {self._max_running} jobs are running (jobs.max_running)"
        if job.job_id not in heads:
            return "waits behind an earlier job of the same user: a user's jobs keep their order"
        short = plan.free.short_of(job.need)
        if short:
            return shortage(short, job.need, room, plan.free)
        first = next((kept for kept in plan.kept if kept is not job), None)
        if first is not None:
            return f"lets job {first.job_id} go first, which {first.passed} later jobs have passed"
        return "its turn comes next"
