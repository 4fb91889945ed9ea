"""The one writer: a thread that takes what has gathered, stores it in one transaction, then tells the event loop.

While one commit is being synced, the next changes gather: that is the group commit. Everyone who appends waits for
the commit, so at most as many changes are pending as there are callers.

A commit that fails is either stored or not, and the writer finds out before it gives a number again. SQLite writes a
commit and then syncs it; where the sync fails, it takes the commit back in memory, but its bytes are in the file, and
whoever recovers that file after a `kill -9` may find them. So the writer commits something else over them first (a
*settlement*), and says of what it could not settle that it may be found.
"""

import asyncio
import contextlib
import itertools
import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from k12ai_ws.store.store import Change, CommitListener, StoredEvent, StoreError

from .changes import Changes
from .ills import HOPELESS, code_of, explain
from .published import Mark

T = TypeVar("T")

log = logging.getLogger(__name__)

GROUP = 1024
"""Changes in one transaction at most: with `GROUP_EVENTS`, bounds the latency of the first one."""
GROUP_EVENTS = 8192
SETTLE_S = 1.0
"""Between attempts to settle, while nothing else is written."""
SETTLEMENT = (
    "INSERT INTO meta VALUES ('settlements', '1')"
    " ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)"
)
IN_DOUBT = "; the commit was not synced: it may be found stored if the server dies before the disk works again"


Timed = Callable[[float, int, int], None]
"""Hears how many seconds a group took, and how many of its changes were stored and failed."""


@dataclass(slots=True)
class _Request:
    change: Change
    future: "asyncio.Future[Sequence[StoredEvent]]"
    stored: Sequence[StoredEvent] = ()
    error: str | None = None


@dataclass(slots=True)
class _Step:
    """A small piece of upkeep on the writing connection, between two groups. `due` once so many requests were done:
    those that had come when it was looked at first.
    """

    work: Callable[[sqlite3.Connection], Any]
    future: "asyncio.Future[Any]"
    due: int = 0


class Writer:
    """Owns the writing connection and the numbering of events. Lives on the loop that made it.

    What is asked for within one turn of the loop is handed to the thread at once: a thread that is woken by the first
    change would commit that one alone, while the others wait for the next commit.
    """

    def __init__(self, connection: sqlite3.Connection, mark: Mark, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._mark = mark
        self._loop = loop
        self._asked: list[_Request | _Step] = []
        self._queue: queue.SimpleQueue[list[_Request | _Step] | None] = queue.SimpleQueue()
        self._listeners: list[CommitListener] = []
        self._changes = Changes(connection)
        self._in_doubt = False
        self._done = 0
        self.timed: Timed = lambda *_: None
        self.head = self._last_seq()
        self._next_seq = self.head + 1
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="k12ai-store-writer", daemon=True)
        self._thread.start()

    def on_commit(self, listener: CommitListener) -> None:
        """See Store.on_commit."""
        self._listeners.append(listener)

    async def append(self, change: Change) -> Sequence[StoredEvent]:
        """See Store.append. The change is stored even if the caller stops waiting."""
        request = _Request(change, self._loop.create_future())
        self._ask(request)
        return await request.future

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does one short piece of work on the writing connection, a whole transaction, after the changes that wait.
        Raises StoreError; then its transaction is rolled back. It is done even if the caller stops waiting.
        """
        step = _Step(work, self._loop.create_future())
        self._ask(step)
        done: T = await step.future
        return done

    def _ask(self, asked: _Request | _Step) -> None:
        if self._closed:
            raise StoreError("the store is closed")
        if not self._asked:
            self._loop.call_soon(self._hand_over)
        self._asked.append(asked)

    def _hand_over(self) -> None:
        if self._asked:
            self._queue.put(self._asked)
            self._asked = []

    async def stop(self) -> None:
        """Stores what is pending, and takes no more."""
        self._closed = True
        self._hand_over()
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def close(self) -> None:
        """Closes the connection of a writer that was stopped."""
        self._connection.close()
        self._mark.close()

    # ---- in the writer's thread

    def _run(self) -> None:
        requests: deque[_Request] = deque()
        steps: deque[_Step] = deque()
        goes_on = True
        while goes_on or requests or steps:
            if goes_on:
                goes_on = self._gather(requests, steps)
            if requests:
                group = self._cut(requests)
                began = time.perf_counter()
                self._store(group)
                failed = sum(r.error is not None for r in group)
                self.timed(time.perf_counter() - began, len(group) - failed, failed)
                self._done += len(group)
                self._loop.call_soon_threadsafe(self._committed, group, self._next_seq - 1)
            elif self._in_doubt and not steps:
                self._settle()
            if steps and steps[0].due <= self._done:  # one, and then those who append have come again
                self._take(steps.popleft())

    def _gather(self, requests: deque[_Request], steps: deque[_Step]) -> bool:
        """Waits for something to do (not for ever while a commit is in doubt), and takes what has come; False at the
        end.
        """
        known, goes_on = len(steps), True
        with contextlib.suppress(queue.Empty):
            timeout = SETTLE_S if self._in_doubt else None
            asked = self._queue.get_nowait() if requests or steps else self._queue.get(timeout=timeout)
            while asked is not None:
                for one in asked:
                    requests.append(one) if isinstance(one, _Request) else steps.append(one)
                asked = self._queue.get_nowait()
            goes_on = False
        for step in itertools.islice(steps, known, None):
            step.due = self._done + len(requests)
        return goes_on

    @staticmethod
    def _cut(requests: deque[_Request]) -> list[_Request]:
        """The next group, bounded as one transaction is."""
        group: list[_Request] = []
        events = 0
        while requests and len(group) < GROUP and events < GROUP_EVENTS:
            group.append(requests.popleft())
            events += len(group[-1].change.events)
        return group

    def _take(self, step: _Step) -> None:
        try:
            self._mark.require_store()
            result, error = step.work(self._connection), None
        except Exception as e:  # noqa: BLE001 - whoever asked hears of it; this thread must go on
            result, error = None, explain(e)
            self._roll_back()
            self._doubt(e)
        self._loop.call_soon_threadsafe(self._taken, step, result, error)

    def _store(self, requests: Sequence[_Request]) -> None:
        """Stores the group in one transaction; where one change spoils it, the others without that one."""
        error = self._attempt(requests)
        if error is None:
            return
        if len(requests) == 1 or code_of(error) in HOPELESS:
            text = explain(error) + (IN_DOUBT if self._in_doubt else "")
            for request in requests:
                request.error = text
            return
        half = len(requests) // 2
        self._store(requests[:half])
        self._store(requests[half:])

    def _attempt(self, requests: Sequence[_Request]) -> Exception | None:
        """Stores all of them, or none; the error."""
        committing = False
        try:
            self._mark.require_store()
            self._connection.execute("BEGIN IMMEDIATE")
            stored = self._changes.write([request.change for request in requests], self._next_seq)
            committing = True
            self._connection.execute("COMMIT")
        except Exception as e:  # noqa: BLE001 - SQLite's, or of a value that cannot be encoded: this thread must go on
            self._changes.forget()
            self._roll_back()
            if not committing or not self._is_stored(sum(map(len, stored))):
                if committing:
                    self._doubt(e)
                return e
        self._changes.keep()
        if any(stored):  # a record alone may be the one that stands there: nothing is written then
            self._in_doubt = False
        for request, events in zip(requests, stored, strict=True):
            request.stored = events
            self._next_seq += len(events)
        self._mark.write(self._next_seq - 1)
        return None

    def _is_stored(self, count: int) -> bool:
        """Whether the group of so many events is in the log although its commit failed. One without events never is:
        it is stored again, which changes nothing.
        """
        try:
            return count > 0 and self._last_seq() == self._next_seq - 1 + count
        except sqlite3.Error:
            return False  # and no commit can be seen before reading works again

    def _doubt(self, error: Exception) -> None:
        """A commit failed of this: what it wrote may lie in the file."""
        if code_of(error) == "SQLITE_IOERR":  # where there was no room, its last page was not written
            self._in_doubt = True
            self._settle()

    def _settle(self) -> None:
        """Commits something small where the commit in doubt lies."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(SETTLEMENT)
            self._connection.execute("COMMIT")
        except sqlite3.Error as e:
            log.error("the event log's disk fails: %s", explain(e))
            self._roll_back()
        else:
            self._in_doubt = False

    def _last_seq(self) -> int:
        return int(self._connection.execute("SELECT max(seq) FROM events").fetchone()[0] or 0)

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as e:  # the transaction stays open, and the next BEGIN fails and comes here again
            log.error("the event log's transaction cannot be rolled back: %s", e)

    # ---- back on the event loop

    def _taken(self, step: _Step, result: Any, error: str | None) -> None:
        if step.future.done():
            return
        if error is not None:
            step.future.set_exception(StoreError(f"the event log cannot be written: {error}"))
        else:
            step.future.set_result(result)

    def _committed(self, requests: Sequence[_Request], head: int) -> None:
        self.head = head
        events = [event for request in requests for event in request.stored]
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
