"""What may be opened as a store, and what is refused with a clear word."""

import sqlite3
from pathlib import Path

import pytest

from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import StoreError


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
    with pytest.raises(StoreError, match=r"schema version 99, and this server knows version 1"):
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


async def test_a_database_of_somebody_elses_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 1")
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"k12ai\.sqlite3"):
        await SqliteStore.open(path, new_epoch=epoch)


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
