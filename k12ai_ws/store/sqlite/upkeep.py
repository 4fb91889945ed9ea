"""Carrying out what the policy orders, step by step: each step is one short transaction, and between two of them
whoever waits to append goes first.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from sqlite3 import Connection
from typing import TypeVar

from k12ai_ws.store.retention import Kind, Order, Shelf
from k12ai_ws.store.thinning import Bucket, bucket_size

from . import prune, tally
from .prune import Erased, Row
from .store import SqliteStore

T = TypeVar("T")

STEP_BYTES = 1 << 20
"""A step removes no more than so many bytes (or one event): freeing the pages of large events takes time too."""


@dataclass(slots=True)
class Removed:
    """What was removed in all. Bytes are those of events, requests and records."""

    events: int = 0
    bytes: int = 0
    jobs: int = 0

    def add(self, erased: Erased) -> None:
        """And this."""
        self.events += erased.events
        self.bytes += erased.bytes
        self.jobs += erased.jobs


class Upkeep:
    """The store's upkeep. `rest` is how long it pauses after a step, in lengths of that step; `removed` what went."""

    def __init__(self, store: SqliteStore, *, step_events: int, rest: float) -> None:
        self._store = store
        self._step_events = step_events
        self._rest = rest
        self.removed = Removed()

    async def count(self) -> None:
        """Counts what came since the last time, and until now. Raises StoreError."""
        after, last = await self._store.read(tally.tallied), self._store.head
        while (found := await self._store.read(tally.count, after, last)) is not None:
            await self._write(partial(tally.write, tally=found))
            after = found.upto

    async def shelves(self) -> Sequence[Shelf]:
        """What is kept of every job. Raises StoreError."""
        return await self._store.read(tally.shelves)

    async def carry_out(self, order: Order) -> None:
        """Does one thing. Raises StoreError; what was done until then stays done, and counts as removed."""
        match order.verb:
            case "drop":
                await self._drop(order)
            case "thin":
                await self._thin(order)
            case "remove":
                await self._remove(order)

    async def _drop(self, order: Order) -> None:
        spared: frozenset[int] = frozenset()
        if order.kind is Kind.REST:
            spared = await self._store.read(prune.protected, order.job_no)
        events, size = order.events, order.bytes
        after = await self._store.read(prune.first_after, order.job_no, order.kind)
        while (events > 0 or size > 0) and (rows := await self._store.read(prune.scan, order.job_no, after)):
            after = rows[-1].seq
            doomed = []
            for row in rows:
                if Kind.of(row.type) is order.kind and row.seq not in spared and (events > 0 or size > 0):
                    doomed.append(row)
                    events, size = events - 1, size - row.bytes
            await self._erase(order.job_no, doomed)

    async def _thin(self, order: Order) -> None:
        most = bucket_size(await self._store.read(prune.count_of, order.job_no, Kind.METRICS), order.points)
        bucket, seen = Bucket(), {}  # type: tuple[Bucket, dict[int, Row]]
        after = 0
        while rows := await self._store.read(prune.scan, order.job_no, after, values=True):
            after = rows[-1].seq
            for row in rows:
                if Kind.of(row.type) is Kind.METRICS:
                    bucket.add(row.seq, row.values)
                    seen[row.seq] = Row(row.seq, row.type, row.bytes)
                if len(bucket) >= most:
                    await self._erase(order.job_no, [seen[s] for s in bucket.doomed()])
                    bucket, seen = Bucket(), {}
        await self._erase(order.job_no, [seen[s] for s in bucket.doomed()])
        await self._write(partial(prune.thinned, job_no=order.job_no, points=order.points))

    async def _remove(self, order: Order) -> None:
        spared = await self._store.read(prune.protected, order.job_no)
        after = 0
        while rows := await self._store.read(prune.scan, order.job_no, after):
            after = rows[-1].seq
            await self._erase(order.job_no, [row for row in rows if row.seq not in spared])
        last = await self._write(partial(prune.remove, job_no=order.job_no, most=max(self._step_events, len(spared))))
        if last is not None:
            self.removed.add(last)

    async def _erase(self, job_no: int, doomed: Sequence[Row]) -> None:
        for step in steps_of(doomed, self._step_events):
            self.removed.add(await self._write(partial(prune.erase, job_no=job_no, doomed=step)))

    async def _write(self, work: Callable[[Connection], T]) -> T:
        began = time.monotonic()
        done = await self._store.write(work)
        await asyncio.sleep((time.monotonic() - began) * self._rest)
        return done


def steps_of(doomed: Sequence[Row], most: int) -> Sequence[Sequence[Row]]:
    """Cut into steps of at most so many events, and of `STEP_BYTES` unless a single event has more."""
    steps: list[list[Row]] = []
    size = 0
    for row in doomed:
        if not steps or len(steps[-1]) >= most or size + row.bytes > STEP_BYTES:
            steps.append([])
            size = 0
        steps[-1].append(row)
        size += row.bytes
    return steps
