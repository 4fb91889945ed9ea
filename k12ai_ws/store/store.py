"""The store's contract. One writer with group commit; readers never block it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.filter import EventFilter, EventKey
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus


class StoreError(Exception):
    """The store cannot do what was asked (disk full, file broken, closed); nothing of it was stored.

    One exception, where a disk fails to sync a commit and goes on failing: the text says that the change may be found
    stored if the server dies before its disk works again.
    """


class StoreDamaged(StoreError):
    """What is on the disk is not what was stored, and trying again does not help. `seq` is the event that cannot be
    read; None where it is something else, or unknown.
    """

    def __init__(self, message: str, seq: int | None = None) -> None:
        super().__init__(message)
        self.seq = seq


class NewEvent(NamedTuple):
    """An event to store: its type, and its envelope encoded without `seq`."""

    type: str
    encoded: bytes


class StoredEvent(NamedTuple):
    """An event of the log: `payload` is the whole envelope, the same bytes for everyone, for ever."""

    seq: int
    key: EventKey
    payload: bytes


@dataclass(frozen=True, slots=True)
class LogPosition:
    """How far a job's raw log was read (`offset`, the launcher's position), and what the reader remembers there."""

    offset: int
    state: Json


@dataclass(frozen=True, slots=True)
class Change:
    """One atomic step: the job's new record, the events that came with it, and the log position they came from.

    A `position` of None leaves the stored one as it is. A job's first change creates it.
    """

    record: JobRecord
    events: Sequence[NewEvent] = ()
    position: LogPosition | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of a replay: the events in order of seq, and the seq up to which everything was looked at.

    `prunings` is the store's at the moment of the reading.
    """

    events: Sequence[StoredEvent]
    scanned: int
    prunings: int = 0


Payload = tuple[int, bytes]
"""A stored event as it is sent: its seq, and its payload."""


@dataclass(frozen=True, slots=True)
class PayloadPage:
    """As an `EventPage`, for those who do not look at what the events are of."""

    payloads: Sequence[Payload]
    scanned: int
    prunings: int = 0


@dataclass(frozen=True, slots=True)
class JobsPage:
    """A page of jobs, newest first, and the cursor of the next page (None at the end)."""

    jobs: Sequence[JobRecord]
    next: str | None


CommitListener = Callable[[Sequence[StoredEvent]], None]


class Store(ABC):
    """The log of all jobs and events. `epoch` names the log: random, made when the log is created."""

    epoch: str

    @abstractmethod
    def on_commit(self, listener: CommitListener) -> None:
        """Calls `listener` on the event loop with every batch of stored events, in order of seq, after its commit and
        before the `append` that brought them returns.
        """

    @property
    @abstractmethod
    def head(self) -> int:
        """The seq of the last stored event; 0 for an empty log."""

    @property
    def prunings(self) -> int:
        """How often events were removed, as far as the event loop has heard of it; 0: never."""
        return 0

    @property
    def damage(self) -> str | None:
        """What was found damaged since the store was opened, and what to do about it; None: nothing."""
        return None

    async def pruned(self, wanted: EventFilter, *, after: int = 0, since: int = 0) -> int:
        """The highest seq above `after` that was removed and that `wanted` would have let through; 0: none.

        `since` leaves out what the pruning of that number, and those before it, removed. Of jobs that are gone
        themselves less is known: the answer may be a seq that another job of the same owner and service had.
        """
        return 0

    async def earliest(self, wanted: EventFilter) -> int:
        """The first seq that is kept; of a filter that names a job, the first that passes it (at least so much where
        the job has many events that do not). Where nothing is kept, what comes will have this seq, or a higher one.
        """
        return 1

    @abstractmethod
    async def append(self, change: Change) -> Sequence[StoredEvent]:
        """Stores the change in one transaction and returns its events as stored. Raises StoreError, then nothing of
        it is stored.
        """

    @abstractmethod
    async def probe(self) -> None:
        """Stores something that nobody sees, to find out whether that can be done now. Raises StoreError.

        Everything that was given to `append` before is stored, and its listeners have heard of it, when it returns.
        """

    @abstractmethod
    async def replay(self, wanted: EventFilter, after: int, *, limit: int = 500) -> EventPage:
        """Stored events that pass `wanted`, strictly after the seq `after`.

        A page is bounded in number and bytes, and in how much of the log it looks at: it may be empty, and still
        `scanned` be before the head. Whoever wants all goes on from `scanned`.

        A page ends before an event that is damaged; one that would begin with it raises StoreDamaged. Raises
        StoreError.
        """

    async def payloads(self, wanted: EventFilter, after: int, *, limit: int = 500) -> PayloadPage:
        """As `replay`, without the events' keys; that may be faster."""
        page = await self.replay(wanted, after, limit=limit)
        return PayloadPage([(e.seq, e.payload) for e in page.events], page.scanned, page.prunings)

    @abstractmethod
    async def jobs(
        self,
        *,
        user: str | None = None,
        service_uuid: str | None = None,
        service_name: str | None = None,
        status: JobStatus | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobsPage:
        """Jobs that match, newest first."""

    @abstractmethod
    async def job(self, job_id: str) -> JobRecord | None:
        """One job."""

    @abstractmethod
    async def active_jobs(self) -> Sequence[JobRecord]:
        """Every job that has no terminal status yet, oldest first."""

    @abstractmethod
    async def job_by_idempotency_key(self, user: str, key: str) -> JobRecord | None:
        """The job that a start with this key made."""

    @abstractmethod
    async def position(self, job_id: str) -> LogPosition | None:
        """Where the job's raw log goes on."""

    @abstractmethod
    async def close(self) -> None:
        """Waits for what is being written, and closes. Later calls raise StoreError."""
