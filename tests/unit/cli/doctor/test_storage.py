"""The data folder, and SQLite in it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from k12ai_ws.access.book import Token
from k12ai_ws.access.file import AccessFile
from k12ai_ws.cli.doctor import storage
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, NewEvent
from k12ai_ws.wire.job import JobRecord

GIB = 1 << 30


def test_a_data_folder_that_is_yet_to_be_made(tmp_path: Path) -> None:
    finding = storage.check_data_dir(tmp_path / "a" / "b")
    assert finding.status == "ok"
    assert "can be made" in finding.found
    assert not (tmp_path / "a").exists()


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", Path("/proc/k12ai")):
        finding = storage.check_data_dir(place)
        assert finding.status == "fail"
        assert "--data-dir" in str(finding.advice)
        assert storage.check_sqlite(place).status == "fail"


@pytest.mark.parametrize(("free", "status"), [(3 * GIB, "ok"), (GIB, "warn"), (50 << 20, "fail")])
def test_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert storage.check_data_dir(tmp_path).status == status


def test_an_old_sqlite_and_a_filesystem_without_write_ahead_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_try_wal", lambda path: "delete")
    finding = storage.check_sqlite(tmp_path)
    assert finding.status == "fail"
    assert "journal mode delete" in finding.found
    monkeypatch.setattr(storage, "MIN_SQLITE", (99, 0, 0))
    assert "99.0.0" in str(storage.check_sqlite(tmp_path).advice)


def a_log(folder: Path) -> Path:
    """A data folder with a log of one event, closed in good order."""

    async def make() -> None:
        store = await SqliteStore.open(folder / "k12ai.sqlite3", new_epoch=lambda: "e")
        await store.append(Change(JobRecord("j", "u", "p", "s", "train", {}, 1), [NewEvent("status", b'{"x":"y"}')]))
        await store.close()

    asyncio.run(make())
    return folder / "k12ai.sqlite3"


def test_a_log_that_is_sound_or_not_there(tmp_path: Path) -> None:
    assert storage.check_log(tmp_path).found == f"none yet in {tmp_path}"
    a_log(tmp_path)
    finding = storage.check_log(tmp_path)
    assert finding.status == "ok"
    assert "1 events of 1 jobs, up to seq 1" in finding.found


def test_a_log_that_is_broken_in_one_way_or_another(tmp_path: Path) -> None:
    store = a_log(tmp_path)
    whole = store.read_bytes()
    store.write_bytes(whole.replace(b'"x":"y"', b'"x":"z"'))
    assert "event 1 was overwritten" in storage.check_log(tmp_path).found
    store.write_bytes(whole[: len(whole) // 2])
    assert storage.check_log(tmp_path).status == "fail"
    store.write_bytes(whole)
    (tmp_path / "k12ai.sqlite3-head").write_text("00000000000000000007 e\n")
    finding = storage.check_log(tmp_path)
    assert finding.status == "fail"
    assert "has lost its last 6 events" in finding.found
    store.unlink()
    assert "is missing, but" in storage.check_log(tmp_path).found


def test_a_log_that_is_too_large_to_be_read_now(tmp_path: Path) -> None:
    store = a_log(tmp_path)
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(
            "WITH n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
            " INSERT INTO events (seq, job_no, type, payload)"
            " SELECT i, 1, 'log', CAST('{\"x\":1,\"seq\":' || i || '}' AS BLOB) FROM n"
        )
    finding = storage.check_log(tmp_path, patience_s=0.0)
    assert finding.status == "warn"
    assert "too large to be read in 0 s" in finding.found
    assert "60000 events" in storage.check_log(tmp_path, patience_s=60.0).found


def test_an_access_file_that_can_be_read_or_not(tmp_path: Path) -> None:
    def found(now_ms: int = 1) -> storage.Finding:
        return storage.check_access(tmp_path, now_ms)

    assert found().found == f"none yet in {tmp_path}: nobody has made a token or a user"
    file = tmp_path / "access.sqlite3"
    file.touch()
    assert (found().status, "is empty" in found().found) == ("fail", True)
    file.unlink()
    with closing(AccessFile(file)) as access:
        access.add_token(Token("a", b"x", None, "", 0))
        access.add_token(Token("b", b"y", "ann", "", 0, expires_ms=5))
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert found(1).found == "readable: 2 good tokens (2 in all), 0 users"
    assert found(9).found == "readable: 1 good tokens (2 in all), 0 users"
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
    file.write_bytes(b"no database at all, but some text of sufficient length")
    assert found().status == "fail"
    assert "cannot be used" in found().found
    assert file.read_bytes().startswith(b"no database")
