"""The one writer: a thread that takes what has gathered, stores it in one transaction, then tells the event loop.

While one commit is being synced, the next changes gather: that is the group commit. Everyone who appends waits for
the commit, so at most as many changes are pending as there are callers.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from k12ai_ws.store.store import Change, CommitListener, StoredEvent, StoreError
from k12ai_ws.wire.envelope import encode, with_seq
from k12ai_ws.wire.filter import EventKey
from k12ai_ws.wire.job import JobRecord

T = TypeVar("T")

log = logging.getLogger(__name__)

GROUP = 256
"""Changes in one transaction at most: bounds the latency of the first one."""


Timed = Callable[[float, int, int], None]
"""Hears how many seconds a group took, and how many of its changes were stored and failed."""


@dataclass(slots=True)
class _Request:
    change: Change
    future: "asyncio.Future[Sequence[StoredEvent]]"
    stored: list[StoredEvent] = field(default_factory=list)
    error: Exception | None = None


@dataclass(slots=True)
class _Step:
    """A small piece of work on the writing connection, between two groups."""

    work: Callable[[sqlite3.Connection], Any]
    future: "asyncio.Future[Any]"


class Writer:
    """Owns the writing connection and the numbering of events. Lives on the loop that made it."""

    def __init__(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop
        self.timed: Timed = lambda *_: None
        self._queue: queue.SimpleQueue[_Request | _Step | None] = queue.SimpleQueue()
        self._listeners: list[CommitListener] = []
        self._next_seq = 1 + (connection.execute("SELECT max(seq) FROM events").fetchone()[0] or 0)
        self.head = self._next_seq - 1
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="k12ai-store-writer", daemon=True)
        self._thread.start()

    def on_commit(self, listener: CommitListener) -> None:
        """See Store.on_commit."""
        self._listeners.append(listener)

    async def append(self, change: Change) -> Sequence[StoredEvent]:
        """See Store.append. The change is stored even if the caller stops waiting."""
        if self._closed:
            raise StoreError("the store is closed")
        request = _Request(change, self._loop.create_future())
        self._queue.put(request)
        return await asyncio.shield(request.future)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does one short piece of work on the writing connection, a whole transaction, after the changes that wait.
        Raises StoreError; then its transaction is rolled back. It is done even if the caller stops waiting.
        """
        if self._closed:
            raise StoreError("the store is closed")
        step = _Step(work, self._loop.create_future())
        self._queue.put(step)
        done: T = await asyncio.shield(step.future)
        return done

    async def close(self) -> None:
        """Stores what is pending, then ends the thread and closes the connection."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self._connection.close()

    # ---- in the writer's thread

    def _run(self) -> None:
        last = False
        while not last:
            group = [self._queue.get()]
            while len(group) < GROUP:
                try:
                    group.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            last = None in group
            requests = [r for r in group if isinstance(r, _Request)]
            if requests:
                began = time.perf_counter()
                self._store(requests)
                failed = sum(r.error is not None for r in requests)
                self.timed(time.perf_counter() - began, len(requests) - failed, failed)
                self._loop.call_soon_threadsafe(self._committed, requests, self._next_seq - 1)
            for step in group:
                if isinstance(step, _Step):
                    self._take(step)

    def _take(self, step: _Step) -> None:
        try:
            result, error = step.work(self._connection), None
        except Exception as e:  # noqa: BLE001 - whoever asked hears of it; this thread must go on
            result, error = None, e
            self._roll_back()
        self._loop.call_soon_threadsafe(self._taken, step, result, error)

    def _store(self, requests: Sequence[_Request]) -> None:
        """Stores the group in one transaction; where that fails, each on its own, so that one cannot spoil others."""
        if self._attempt(requests) is None:
            return
        for request in requests:
            request.error = self._attempt([request])

    def _attempt(self, requests: Sequence[_Request]) -> Exception | None:
        first_seq = self._next_seq
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for request in requests:
                request.stored = self._write(request.change)
            self._connection.execute("COMMIT")
        except Exception as e:  # noqa: BLE001 - SQLite's, or of a value that cannot be encoded: this thread must go on
            self._next_seq = first_seq
            for request in requests:
                request.stored = []
            self._roll_back()
            return e
        return None

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as e:  # the transaction stays open, and the next BEGIN fails and comes here again
            log.error("the event log's transaction cannot be rolled back: %s", e)

    def _write(self, change: Change) -> list[StoredEvent]:
        record = change.record
        number = self._write_record(record)
        stored = []
        for event in change.events:
            seq = self._next_seq
            self._next_seq += 1
            stored.append(StoredEvent(seq, key_of(record, event.type), with_seq(event.encoded, seq)))
        self._connection.executemany(
            "INSERT INTO events (seq, job_no, type, payload) VALUES (?, ?, ?, ?)",
            [(e.seq, number, e.key.type, e.payload) for e in stored],
        )
        if record.status.terminal:
            self._connection.execute("DELETE FROM positions WHERE job_no = ?", (number,))
        elif change.position is not None:
            self._connection.execute(
                "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT (job_no)"
                " DO UPDATE SET log_offset = excluded.log_offset, state = excluded.state",
                (number, change.position.offset, encode(change.position.state)),
            )
        return stored

    def _write_record(self, record: JobRecord) -> int:
        """The job's number. Its params, which never change and may be large, are written with its first record only."""
        fields = record.to_json()
        params = fields.pop("params")
        state = {
            "job_id": record.job_id,
            "status": record.status.value,
            "active": int(not record.status.terminal),
            "record": encode(fields),
        }
        row = self._connection.execute(
            "UPDATE jobs SET status = :status, active = :active, record = :record WHERE job_id = :job_id RETURNING no",
            state,
        ).fetchone()
        if row is None:
            row = self._connection.execute(
                "INSERT INTO jobs (job_id, user, service_uuid, service_name, status, active, idempotency_key, record)"
                " VALUES (:job_id, :user, :service_uuid, :service_name, :status, :active, :idempotency_key, :record)"
                " RETURNING no",
                fields | state,
            ).fetchone()
            self._connection.execute("INSERT INTO requests VALUES (?, ?)", (row[0], encode(params)))
        return int(row[0])

    # ---- back on the event loop

    def _taken(self, step: _Step, result: Any, error: Exception | None) -> None:
        if step.future.done():
            return
        if error is not None:
            step.future.set_exception(StoreError(f"the event log cannot be written: {error}"))
        else:
            step.future.set_result(result)

    def _committed(self, requests: Sequence[_Request], head: int) -> None:
        self.head = head
        events = [e for r in requests for e in r.stored]
        if events:
            for listener in self._listeners:
                try:
                    listener(events)
                except Exception:  # those who wait for their commit must hear of it all the same
                    log.exception("a listener failed at the commit of events up to %d", events[-1].seq)
        for request in requests:
            if request.future.done():
                continue
            if request.error is not None:
                request.future.set_exception(StoreError(f"the event log cannot be written: {request.error}"))
            else:
                request.future.set_result(request.stored)


def key_of(record: JobRecord, event_type: str) -> EventKey:
    """The filter key of one of the job's events."""
    return EventKey(event_type, "framework", record.user, record.service_uuid, record.service_name, record.job_id)
