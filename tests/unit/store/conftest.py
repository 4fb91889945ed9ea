"""A store in a real file, and the changes that tests put into it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, LogPosition, NewEvent
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus


class Changes:
    """Makes records, events and changes."""

    @staticmethod
    def record(number: int | str = 1, **fields) -> JobRecord:
        record = JobRecord(f"job-{number}", "u", f"p-{number}", "s", "train", {}, 1)
        return replace(record, **fields)

    @staticmethod
    def event(text: str = "x", kind: str = "status") -> NewEvent:
        return NewEvent(kind, json.dumps({"type": kind, "text": text}, separators=(",", ":")).encode())

    def change(self, number: int | str = 1, *texts: str, position: LogPosition | None = None, **fields) -> Change:
        return Change(self.record(number, **fields), [self.event(t) for t in texts], position)

    def end(self, number: int | str = 1, status: JobStatus = JobStatus.FINISHED, **fields) -> Change:
        return self.change(number, "end", status=status, **fields)


@pytest.fixture
def make() -> Changes:
    return Changes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "k12ai.sqlite3"


@pytest.fixture
async def open_store(path: Path):
    """Opens the store; called again, once more (close the first one before)."""
    opened: list[SqliteStore] = []

    async def open_it(new_epoch: Callable[[], str] = lambda: "epoch-1") -> SqliteStore:
        store = await SqliteStore.open(path, new_epoch=new_epoch, synchronous="normal")
        opened.append(store)
        return store

    yield open_it
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store) -> SqliteStore:
    return await open_store()
