"""The embedded store: the writer's thread and a small pool of reading threads behind the store's contract."""

import asyncio
import logging
import queue
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, TypeVar

from k12ai_ws.store.store import (
    Change,
    CommitListener,
    EventPage,
    JobsPage,
    LogPosition,
    PayloadPage,
    Store,
    StoreDamaged,
    StoredEvent,
    StoreError,
)
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus

from . import marks, reader
from .ills import FAULTS, explain, is_damage
from .opening import Opened, open_reader, open_store
from .probe import write_probe
from .prune import Erased
from .writer import Timed, Writer

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
"""Reading threads, each with a connection: more only fight for the interpreter."""
TOLD = 100
"""Damages that the log tells of one by one."""

log = logging.getLogger(__name__)


class SqliteStore(Store):
    """Use `await SqliteStore.open(...)`. Belongs to the event loop it was opened on."""

    def __init__(self, path: Path, opened: Opened, loop: asyncio.AbstractEventLoop) -> None:
        self.epoch = opened.epoch
        self._loop = loop
        self._prunings = marks.prunings(opened.connection)
        self._facts = reader.Facts()
        self._damages: dict[str, None] = {}
        self._closed = False
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="k12ai-store-reader")
        self._connections: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for _ in range(READERS):
            self._connections.put(open_reader(path))
        self._writer = Writer(opened.connection, opened.mark, loop)  # last: it starts a thread

    @classmethod
    async def open(
        cls, path: Path, *, new_epoch: Callable[[], str], synchronous: Literal["full", "normal"] = "full"
    ) -> "SqliteStore":
        """Opens the file, or makes it. Raises StoreError for one that is broken or of another version."""
        loop = asyncio.get_running_loop()
        opened = await loop.run_in_executor(None, open_store, path, synchronous, new_epoch)
        try:
            return cls(path, opened, loop)
        except FAULTS as e:  # nothing was started yet
            opened.connection.close()
            raise StoreError(f"the event log cannot be read: {explain(e)}") from e

    def on_commit(self, listener: CommitListener) -> None:
        """See Store."""
        self._writer.on_commit(listener)

    @property
    def head(self) -> int:
        """See Store."""
        return self._writer.head

    @property
    def prunings(self) -> int:
        """See Store."""
        return self._prunings

    @property
    def damage(self) -> str | None:
        """See Store."""
        return next(iter(self._damages), None)

    async def pruned(self, wanted: EventFilter, *, after: int = 0, since: int = 0) -> int:
        """See Store."""
        return await self.read(marks.read_pruned, wanted, after, since)

    async def earliest(self, wanted: EventFilter) -> int:
        """See Store."""
        return await self.read(marks.read_earliest, wanted)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs one short transaction of upkeep on the writing connection. Raises StoreError."""
        done = await self._writer.run(work)
        if isinstance(done, Erased):
            self._prunings = max(self._prunings, done.prunings)
        return done

    async def append(self, change: Change) -> Sequence[StoredEvent]:
        """See Store."""
        return await self._writer.append(change)

    async def probe(self) -> None:
        """See Store."""
        await self._writer.run(write_probe)

    def time_commits(self, timed: Timed) -> None:
        """`timed` hears of every group of changes, in the writer's thread."""
        self._writer.timed = timed

    async def replay(self, wanted: EventFilter, after: int, *, limit: int = 500) -> EventPage:
        """See Store."""
        return await self.read(reader.read_events, self._facts, wanted, after, limit)

    async def payloads(self, wanted: EventFilter, after: int, *, limit: int = 500) -> PayloadPage:
        """See Store."""
        return await self.read(reader.read_payloads, wanted, after, limit)

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
        """See Store."""
        conditions = {"user": user, "service_uuid": service_uuid, "service_name": service_name}
        return await self.read(reader.read_jobs, conditions, status, limit, cursor)

    async def job(self, job_id: str) -> JobRecord | None:
        """See Store."""
        return await self.read(reader.read_job, job_id)

    async def active_jobs(self) -> Sequence[JobRecord]:
        """See Store."""
        return await self.read(reader.read_active_jobs)

    async def job_by_idempotency_key(self, user: str, key: str) -> JobRecord | None:
        """See Store."""
        return await self.read(reader.read_job_by_key, user, key)

    async def position(self, job_id: str) -> LogPosition | None:
        """See Store."""
        return await self.read(reader.read_position, job_id)

    async def close(self) -> None:
        """See Store."""
        if self._closed:
            return
        self._closed = True
        await self._writer.stop()
        await self._loop.run_in_executor(None, self._pool.shutdown)
        for _ in range(READERS):
            self._connections.get().close()
        # The last one to close takes what is in the -wal into the file and removes it; readers may not.
        await self._loop.run_in_executor(None, self._writer.close)

    async def read(
        self, query: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a query on one of the reading connections. Raises StoreError."""
        if self._closed:
            raise StoreError("the store is closed")

        def run() -> T:
            connection = self._connections.get()
            try:
                return query(connection, *args, **kwargs)
            except FAULTS as e:
                failed = StoreDamaged if is_damage(e) else StoreError
                raise failed(f"the event log cannot be read: {explain(e)}") from e
            finally:
                self._connections.put(connection)

        try:
            return await self._loop.run_in_executor(self._pool, run)
        except StoreDamaged as e:
            self._remember(str(e))
            raise

    def _remember(self, damage: str) -> None:
        """Each is logged once, however many meet it."""
        if damage not in self._damages and len(self._damages) < TOLD:
            self._damages[damage] = None
            log.error("the store is damaged: %s", damage)
