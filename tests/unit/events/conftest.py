"""A hub over a real store, and readers that a test makes fast, slow or stuck."""

import asyncio
import json
from pathlib import Path

import pytest

from k12ai_ws.events.hub import Hub
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, NewEvent, Store, StoredEvent, StoreError
from k12ai_ws.wire.job import JobRecord


def plain(payload: bytes, seq: int | None) -> bytes:
    """The framing of a reader that takes payloads as lines."""
    return payload + b"\n"


class Reader:
    """A sink. It reads `rate` frames whenever the loop comes round (None: all at once), holding `limit` at most."""

    def __init__(self, limit: int = 1000) -> None:
        self.frames: list[bytes] = []
        self.sends = 0
        self.limit = limit
        self.unsent = 0
        self.worst = 0
        self.failed = False
        self.ended = False
        self.stuck = False
        self._room = asyncio.Event()
        self._room.set()

    def send(self, frame: bytes) -> bool:
        self.sends += 1
        self.frames += frame.splitlines()
        if self.stuck:
            self.unsent += len(frame)
            self.worst = max(self.worst, self.unsent)
            if self.unsent > self.limit:
                self._room.clear()
        return self._room.is_set()

    def read(self) -> None:
        """The reader takes what is there."""
        self.unsent = 0
        self._room.set()

    async def drained(self) -> None:
        await self._room.wait()

    def fail(self) -> None:
        self.failed = True

    def end(self) -> None:
        self.ended = True

    @property
    def seqs(self) -> list[int]:
        return [json.loads(f)["seq"] for f in self.frames]


class Log:
    """Appends events of some users and types."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.stored: list[StoredEvent] = []

    async def append(self, count: int = 1, *, user: str = "u", kind: str = "status", text: str = "") -> None:
        record = JobRecord(f"job-{user}", user, "p", "s", "train", {}, 1)
        body = json.dumps({"text": text}).encode()
        self.stored += await self.store.append(Change(record, [NewEvent(kind, body) for _ in range(count)]))

    def matching(self, wanted, after: int = 0) -> list[int]:
        return sorted(e.seq for e in self.stored if e.seq > after and wanted.matches(e.key))


class Troubled(Store):
    """A store whose replays a test can hold back, or make fail."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.epoch = store.epoch
        self.failures = 0
        self.replays = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def replay(self, wanted, after, *, limit=500):
        self.replays += 1
        if self.failures:
            self.failures -= 1
            raise StoreError("the test says so")
        try:
            return await self._store.replay(wanted, after, limit=limit)
        finally:
            await self.gate.wait()

    def on_commit(self, listener) -> None:
        self._store.on_commit(listener)

    @property
    def head(self) -> int:
        return self._store.head

    @property
    def prunings(self) -> int:
        return self._store.prunings

    async def pruned(self, wanted, *, after=0, since=0):
        return await self._store.pruned(wanted, after=after, since=since)

    async def append(self, change):
        return await self._store.append(change)

    async def probe(self):
        await self._store.probe()

    async def jobs(self, **conditions):
        return await self._store.jobs(**conditions)

    async def job(self, job_id):
        return await self._store.job(job_id)

    async def active_jobs(self):
        return await self._store.active_jobs()

    async def job_by_idempotency_key(self, user, key):
        return await self._store.job_by_idempotency_key(user, key)

    async def position(self, job_id):
        return await self._store.position(job_id)

    async def close(self) -> None:
        await self._store.close()


@pytest.fixture
async def store(tmp_path: Path):
    inner = await SqliteStore.open(tmp_path / "k12ai.sqlite3", new_epoch=lambda: "e", synchronous="normal")
    store = Troubled(inner)
    yield store
    await store.close()


@pytest.fixture
def log(store) -> Log:
    return Log(store)


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def hub(store, clock) -> Hub:
    return Hub(store, now=lambda: clock[0])


@pytest.fixture
def attach(hub):
    feeds = []

    def attached(reader: Reader):
        feed = hub.attach(reader, plain)
        feeds.append(feed)
        return feed

    yield attached
    for feed in feeds:
        hub.detach(feed)


@pytest.fixture
def new_reader() -> type[Reader]:
    return Reader


@pytest.fixture
def until():
    """Waits until a condition holds; the test fails where it does not come."""

    async def until_it_holds(condition, patience_s: float = 10) -> None:
        async with asyncio.timeout(patience_s):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
                await asyncio.sleep(0.001)

    return until_it_holds
