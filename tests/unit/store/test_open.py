"""What may be opened as a store, and what is refused with a clear word."""

import json
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from k12ai_ws.store.sqlite import SqliteStore, migrations
from k12ai_ws.store.sqlite.migrations import SCHEMA_VERSION
from k12ai_ws.store.store import LogPosition, StoreError
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus


def epoch() -> str:
    return "e"


def fill(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def content_of(path: Path) -> bytes:
    return path.read_bytes()


async def test_a_new_file_is_an_empty_log(store) -> None:
    assert (store.epoch, store.head) == ("epoch-1", 0)


async def test_a_newer_schema_is_refused_and_left_alone(open_store, path: Path) -> None:
    await (await open_store()).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = content_of(path)
    with pytest.raises(StoreError, match=rf"schema version 99, and this server knows version {SCHEMA_VERSION}\b"):
        await SqliteStore.open(path, new_epoch=epoch)
    assert content_of(path) == before


@pytest.mark.parametrize(
    "content", [b"hello, I am a text file\n" * 500, b"\0" * 4096, b"SQLite format 3\0" + b"\xff" * 5000]
)
async def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    fill(path, content)
    with pytest.raises(StoreError, match=r"k12ai\.sqlite3"):
        await SqliteStore.open(path, new_epoch=epoch)
    assert content_of(path) == content


@pytest.mark.parametrize("version", [0, 1, SCHEMA_VERSION, 7000])
async def test_a_database_of_somebody_elses_is_refused_and_left_alone(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    before = content_of(path)
    with pytest.raises(StoreError, match=r"k12ai\.sqlite3"):
        await SqliteStore.open(path, new_epoch=epoch)
    assert content_of(path) == before


async def test_a_store_without_its_epoch_is_refused(open_store, path: Path) -> None:
    await (await open_store()).close()
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM meta")
    connection.close()
    with pytest.raises(StoreError, match="no epoch"):
        await SqliteStore.open(path, new_epoch=epoch)


async def test_a_folder_and_a_place_that_is_not_there_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "k12ai.sqlite3"):
        with pytest.raises(StoreError, match="cannot be opened"):
            await SqliteStore.open(path, new_epoch=epoch)


async def test_a_relative_path_and_odd_characters_are_fine(tmp_path: Path, monkeypatch, make) -> None:
    (tmp_path / "a ?#%&é").mkdir()
    monkeypatch.chdir(tmp_path / "a ?#%&é")
    store = await SqliteStore.open(Path("k12ai.sqlite3"), new_epoch=epoch)
    await store.append(make.change(1, "x"))
    assert (await store.job("job-1")).job_id == "job-1"
    await store.close()
    assert (tmp_path / "a ?#%&é" / "k12ai.sqlite3").exists()


async def test_a_half_made_file_is_made_again(path: Path) -> None:
    """A server that died while it made the file leaves an empty one."""
    fill(path, b"")
    store = await SqliteStore.open(path, new_epoch=epoch)
    assert store.epoch == "e"
    await store.close()


def modes(folder: Path) -> dict[str, str]:
    return {file.name: oct(file.stat().st_mode & 0o777) for file in folder.iterdir()}


async def test_the_files_are_their_owners_alone(open_store, path: Path, make) -> None:
    store = await open_store()
    await store.append(make.change(1, "x"))
    names = ("k12ai.sqlite3", "k12ai.sqlite3-wal", "k12ai.sqlite3-shm", "k12ai.sqlite3-head")
    assert modes(path.parent) == dict.fromkeys(names, "0o600")
    await store.close()
    os.chmod(path, 0o644)  # noqa: PTH101 - as an earlier server left it
    await open_store()
    assert modes(path.parent)["k12ai.sqlite3"] == "0o600"


VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE jobs (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    user TEXT NOT NULL,
    service_uuid TEXT NOT NULL,
    service_name TEXT NOT NULL,
    status TEXT NOT NULL,
    active INTEGER NOT NULL,
    idempotency_key TEXT,
    record BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_active_job ON jobs (user, service_uuid) WHERE active = 1;
CREATE UNIQUE INDEX one_job_per_key ON jobs (user, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_of_user ON jobs (user, no);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    job_no INTEGER NOT NULL REFERENCES jobs (no),
    type TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX events_of_job ON events (job_no, seq);
CREATE TABLE positions (
    job_no INTEGER PRIMARY KEY REFERENCES jobs (no),
    log_offset INTEGER NOT NULL,
    state BLOB NOT NULL
) STRICT;
INSERT INTO meta VALUES ('epoch', 'old-epoch');
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""
"""What the server before wrote: the schema of version 1, word for word."""


def old_file(path: Path, records: list[JobRecord]) -> None:
    """A file of version 1 with these jobs, an event of each, and a log position of the first."""
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    for seq, record in enumerate(records, 1):
        connection.execute(
            "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (seq, record.job_id, record.user, record.service_uuid, record.service_name, record.status.value,
             int(not record.status.terminal), record.idempotency_key, json.dumps(record.to_json()).encode()),
        )  # fmt: skip
        connection.execute("INSERT INTO events VALUES (?, ?, 'status', ?)", (seq, seq, b'{"seq":%d}' % seq))
    connection.execute("INSERT INTO positions VALUES (1, 77, ?)", (b'{"tail":[]}',))
    connection.commit()
    connection.close()


async def test_a_file_of_version_1_is_brought_up_to_date_and_nothing_of_it_is_lost(
    open_store, path: Path, make
) -> None:
    records = [
        make.record(1, params={"epochs": 3, "text": "\u4e2d" * 1000}, status=JobStatus.RUNNING, handle={"run": "x"}),
        make.record(2, params={}, status=JobStatus.FINISHED, idempotency_key="key", last_metrics={"loss": 0.5}),
    ]
    old_file(path, records)
    for _ in range(2):  # migrated, then as it is
        store = await open_store()
        assert (store.epoch, store.head) == ("old-epoch", 2)
        assert [await store.job(r.job_id) for r in records] == records
        assert (await store.jobs()).jobs == records[::-1]
        assert list(await store.active_jobs()) == records[:1]
        assert await store.job_by_idempotency_key("u", "key") == records[1]
        assert await store.position("job-1") == LogPosition(77, {"tail": []})
        assert [e.payload for e in (await store.replay(EventFilter(), 0)).events] == [b'{"seq":1}', b'{"seq":2}']
        await store.close()
    store = await open_store()
    await store.append(make.change(1, "x", status=JobStatus.STOPPING))
    assert await store.job("job-1") == replace(make.record(1, status=JobStatus.STOPPING), params=records[0].params)


async def test_a_step_that_fails_leaves_the_version_before_it_whole(path: Path, make, monkeypatch) -> None:
    """Each step is a transaction: a server that goes back to the step takes it up there."""
    old_file(path, [make.record(1)])
    done = []

    def second(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (x)")
        done.append(1)
        raise sqlite3.OperationalError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", (migrations.STEPS[0], second))
        with pytest.raises(StoreError, match="no room"):
            await SqliteStore.open(path, new_epoch=epoch)
    assert done == [1]
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    connection.close()
    store = await SqliteStore.open(path, new_epoch=epoch)
    assert await store.job("job-1") == make.record(1)
    await store.append(make.change(1, "x"))
    await store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert connection.execute("SELECT crc IS NULL FROM events ORDER BY seq").fetchall() == [(1,), (0,)]
    connection.close()


async def test_a_file_of_version_1_with_a_broken_record_is_refused_and_left_as_it_was(path: Path, make) -> None:
    old_file(path, [make.record(1), make.record(2)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE jobs SET record = ? WHERE no = 2", (b'{"job_id":"job-2"}',))
        before = connection.execute("SELECT * FROM jobs").fetchall()
    connection.close()
    with pytest.raises(StoreError, match=r"job number 2 is broken.*params"):
        await SqliteStore.open(path, new_epoch=epoch)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT * FROM jobs").fetchall() == before
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'requests'").fetchone() == (0,)
    connection.close()
