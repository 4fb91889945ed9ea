"""Who may run, and who waits: a bounded queue, first come first served, under limits in all and per user. Pure."""

from collections import Counter


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
        self._running: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many jobs hold a place to run."""
        return len(self._running)

    def check_room(self, user: str) -> None:
        """Raises QueueFull where a new job of `user` may not even wait."""
        if len(self._waiting) >= self._max_queued:
            raise QueueFull(
                f"{len(self._waiting)} jobs are waiting, and no more may (jobs.max_queued): try again later"
            )
        waiting = sum(1 for u in self._waiting.values() if u == user)
        if waiting >= self._max_queued_per_user:
            raise QueueFull(
                f"{waiting} jobs of user {user!r} are waiting, and no more may (jobs.max_queued_per_user): "
                "stop one of them or wait"
            )

    def add(self, job_id: str, user: str) -> None:
        """The job waits at the end."""
        self._waiting[job_id] = user

    def resume(self, job_id: str, user: str) -> None:
        """The job runs already (it was found again), whatever the limits say now."""
        self._running[job_id] = user

    def remove(self, job_id: str) -> None:
        """The job neither waits nor runs any more."""
        self._waiting.pop(job_id, None)
        self._running.pop(job_id, None)

    def admit(self) -> list[str]:
        """The jobs that may start now; they hold their places from here on."""
        per_user = Counter(self._running.values())
        admitted = []
        for job_id, user in list(self._waiting.items()):
            if len(self._running) >= self._max_running:
                break
            if per_user[user] < self._max_running_per_user:
                per_user[user] += 1
                self._running[job_id] = self._waiting.pop(job_id)
                admitted.append(job_id)
        return admitted
