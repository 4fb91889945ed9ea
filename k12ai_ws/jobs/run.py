"""A live job: its record, and the only two ways it changes, a signal of its life or a reading of its log.

Both go through one lock and the store, in this order: stored first, then seen.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from k12ai_ws.store.store import Change, Store, StoredEvent, StoreError
from k12ai_ws.wire.job import JobRecord

from .life import Action, Signal, Step, status_of, step
from .reading import Reading, encode_event

RETRY_S = 1.0
"""Between attempts to store what a running job gave: its log waits safely where the launcher keeps it."""

log = logging.getLogger(__name__)


class Run:
    """One active job. `ended` is set once its terminal status is stored, `dead` once what it ran was seen dead;
    `last_status` is the last status event that this server stored of it.
    """

    def __init__(self, record: JobRecord, store: Store, clock_ms: Callable[[], int]) -> None:
        self.record = record
        self.ended = asyncio.Event()
        self.dead = False
        self.last_status: StoredEvent | None = None
        self._store = store
        self._clock_ms = clock_ms
        self._lock = asyncio.Lock()

    @property
    def is_over(self) -> bool:
        """Whether another job may have its place: whoever sees the end may start the next one at once."""
        return self.dead and self.record.status.terminal

    async def create(self) -> Sequence[StoredEvent]:
        """Stores the new job as it is submitted, and what follows at once. Raises StoreError."""
        async with self._lock:
            return await self._commit(Step(self.record, (status_of(self.record),)))

    async def apply(
        self, signal: Signal, *, last: Reading | None = None
    ) -> tuple[Sequence[StoredEvent], Sequence[Action]]:
        """Takes a step of the job's life; `last` is a reading to store with it (its record part included).

        Raises StoreError where it could not be stored: then nothing has changed.
        """
        async with self._lock:
            record = _with(self.record, last)
            done = step(record, signal)
            if done.record is record and not done.events:
                return (), done.actions
            events = await self._commit(done, last)
        return events, done.actions

    async def apply_surely(self, signal: Signal, *, last: Reading | None = None) -> Sequence[Action]:
        """Like `apply`, for facts that nobody can refuse: tries until it is stored. Cancelling ends the attempts."""
        while True:
            try:
                return (await self.apply(signal, last=last))[1]
            except StoreError as e:
                log.error("job %s: %s; trying again in %g s", self.record.job_id, e, RETRY_S)
                await asyncio.sleep(RETRY_S)

    async def ingest(self, reading: Reading) -> None:
        """Stores what the log gave, with the log position it came from; tries until it is stored."""
        if reading.position is None:
            return
        while True:
            try:
                async with self._lock:
                    record = _with(self.record, reading)
                    await self._store.append(Change(record, reading.events, reading.position))
                    self.record = record
                    return
            except StoreError as e:
                log.error("job %s: %s; trying again in %g s", self.record.job_id, e, RETRY_S)
                await asyncio.sleep(RETRY_S)

    async def _commit(self, done: Step, last: Reading | None = None) -> Sequence[StoredEvent]:
        now = self._clock_ms()
        events = [*(last.events if last else ()), *(encode_event(done.record, body, now) for body in done.events)]
        stored = await self._store.append(Change(done.record, events, last.position if last else None))
        self.record = done.record
        self.last_status = next((event for event in reversed(stored) if event.key.type == "status"), self.last_status)
        if done.record.status.terminal:
            self.ended.set()
        return stored


def _with(record: JobRecord, reading: Reading | None) -> JobRecord:
    if reading is None:
        return record
    new = {
        name: value
        for name in ("last_metrics", "last_progress", "last_error")
        if (value := getattr(reading, name)) is not None
    }
    return replace(record, **new) if new else record
