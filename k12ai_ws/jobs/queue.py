"""Who may run, and who waits: a bounded queue, first come first served, under limits in all and per user. Pure."""

from collections import Counter
from collections.abc import Mapping


class QueueFull(Exception):
    """No more jobs may wait; the text says which limit was reached."""


class Queue:
    """Waiting and running jobs by id. Not durable itself: the store's queued jobs refill it after a restart."""

    def __init__(
        self, *, max_running: int, max_running_per_user: int, max_queued: int, max_queued_per_user: int
    ) -> None:
        self._max_running = max_running
        self._max_running_per_user = max_running_per_user
        self._max_queued = max_queued
        self._max_queued_per_user = max_queued_per_user
        self._waiting: dict[str, str] = {}  # job_id -> user, in order of arrival
        self._coming: set[str] = set()  # of those waiting: reserved, not stored yet
        self._running: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many jobs hold a place to run."""
        return len(self._running)

    def reserve(self, job_id: str, user: str) -> None:
        """Holds a place at the end of the queue for a job that is being stored: `add` it then, or `remove` it.

        Raises QueueFull where the job could neither run at once nor wait.
        """
        self._waiting[job_id] = user
        running = self._running | dict.fromkeys(self._startable(self._waiting), "")
        left = [u for j, u in self._waiting.items() if j not in running]
        if job_id not in running:
            try:
                self._check_room(len(left) - 1, left.count(user) - 1, user)
            except QueueFull:
                del self._waiting[job_id]
                raise
        self._coming.add(job_id)

    def _check_room(self, in_all: int, waiting: int, user: str) -> None:
        if in_all >= self._max_queued:
            raise QueueFull(f"{in_all} jobs are waiting, and no more may (jobs.max_queued): try again later")
        if waiting >= self._max_queued_per_user:
            raise QueueFull(
                f"{waiting} jobs of user {user!r} are waiting, and no more may (jobs.max_queued_per_user): "
                "stop one of them or wait"
            )

    def add(self, job_id: str, user: str) -> None:
        """The job waits: in the place reserved for it, or at the end."""
        self._waiting.setdefault(job_id, user)
        self._coming.discard(job_id)

    def resume(self, job_id: str, user: str) -> None:
        """The job runs already (it was found again), whatever the limits say now."""
        self._running[job_id] = user

    def remove(self, job_id: str) -> None:
        """The job neither waits nor runs any more."""
        self._waiting.pop(job_id, None)
        self._coming.discard(job_id)
        self._running.pop(job_id, None)

    def admit(self) -> list[str]:
        """The jobs that may start now; they hold their places from here on."""
        admitted = self._startable({j: u for j, u in self._waiting.items() if j not in self._coming})
        for job_id in admitted:
            self._running[job_id] = self._waiting.pop(job_id)
        return admitted

    def _startable(self, waiting: Mapping[str, str]) -> list[str]:
        """Those of `waiting` that the limits let start, first come first served."""
        per_user = Counter(self._running.values())
        room = self._max_running - len(self._running)
        found: list[str] = []
        for job_id, user in waiting.items():
            if len(found) >= room:
                break
            if per_user[user] < self._max_running_per_user:
                per_user[user] += 1
                found.append(job_id)
        return found
