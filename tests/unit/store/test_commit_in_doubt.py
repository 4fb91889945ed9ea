"""Commits that fail although they were made, and those that were not: each event has one number, and is there once."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.sqlite.opening import open_store as opened_store
from k12ai_ws.store.store import StoreError
from k12ai_ws.wire.filter import EventFilter


class Liar:
    """A connection whose next COMMIT fails, after it was made or before."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.lies: str | None = None

    def __getattr__(self, name: str):
        return getattr(self._connection, name)

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        lies = self.lies
        if statement != "COMMIT" or lies is None:
            return self._connection.execute(statement, *values)
        self.lies = None
        if lies == "made":
            self._connection.execute(statement)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise error


@pytest.fixture
async def store(path):
    opened = opened_store(path, "full", lambda: "e")
    liar = Liar(opened.connection)
    store = SqliteStore(path, opened._replace(connection=liar), asyncio.get_running_loop())
    store.liar = liar
    yield store
    await store.close()


async def test_a_commit_that_was_made_counts_as_made(store, path, make) -> None:
    heard = []
    store.on_commit(lambda events: heard.extend(e.seq for e in events))
    await store.append(make.change(1, "before"))
    store.liar.lies = "made"
    assert [e.seq for e in await store.append(make.change(1, "in doubt", "too"))] == [2, 3]
    assert [e.seq for e in await store.append(make.change(1, "after"))] == [4]
    assert (store.head, heard) == (4, [1, 2, 3, 4])
    page = await store.replay(EventFilter(), 0)
    assert [e.seq for e in page.events] == [1, 2, 3, 4]
    await store.close()
    with closing(sqlite3.connect(path)) as bare:
        assert bare.execute("SELECT count(*), max(seq) FROM events").fetchone() == (4, 4)


async def test_a_commit_that_was_not_made_is_told_and_its_numbers_are_given_anew(store, make) -> None:
    heard = []
    store.on_commit(lambda events: heard.extend(e.seq for e in events))
    await store.append(make.change(1, "before"))
    store.liar.lies = "not made"
    with pytest.raises(StoreError, match="disk I/O error"):
        await store.append(make.change(1, "refused"))
    assert [e.seq for e in await store.append(make.change(1, "after"))] == [2]
    texts = [e.payload for e in (await store.replay(EventFilter(), 0)).events]
    assert len(texts) == 2
    assert b'"after"' in texts[1]
    assert heard == [1, 2]
