"""Backups: whole or not there, of one moment, and a log with another epoch once they are restored."""

import asyncio
import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.sqlite.backup import back_up, files_of, restore
from k12ai_ws.store.sqlite.published import read_mark
from k12ai_ws.store.store import LogPosition, StoreError
from k12ai_ws.wire.filter import EVENT_TYPES, EventFilter
from k12ai_ws.wire.status import JobStatus


async def payloads(store) -> list[bytes]:
    found, after = [], 0
    while after < store.head:
        page = await store.replay(EventFilter(types=EVENT_TYPES), after)
        found += [e.payload for e in page.events]
        after = page.scanned
    return found


async def test_a_backup_of_a_store_in_use_is_one_moment_of_it(open_store, make, tmp_path: Path) -> None:
    store = await open_store()
    stop = False

    async def write(name: str) -> None:
        i = 0
        while not stop:
            await store.append(
                make.change(name, *"abc"[: 1 + i % 3], status=JobStatus.RUNNING, position=LogPosition(i, {"i": i}))
            )
            i += 1

    writers = [asyncio.create_task(write(f"w{i}")) for i in range(4)]
    found = [await asyncio.to_thread(back_up, tmp_path / "k12ai.sqlite3", tmp_path / f"backup-{n}") for n in range(5)]
    stop = True
    await asyncio.gather(*writers)
    everything = await payloads(store)
    assert found[-1].head > found[0].head
    for number, sound in enumerate(found):
        file = tmp_path / f"backup-{number}"
        assert oct(file.stat().st_mode & 0o777) == "0o600"
        assert not [p for p in tmp_path.iterdir() if p.name.startswith(f"{file.name}-") or "partial" in p.name]
        copy = await SqliteStore.open(file, new_epoch=lambda: "no")
        assert (copy.head, copy.epoch) == (sound.head, "epoch-1") == (sound.events, "epoch-1")
        assert await payloads(copy) == everything[: sound.head]
        jobs = await copy.active_jobs()
        assert len(jobs) == sound.jobs
        for job in jobs:
            position = await copy.position(job.job_id)
            assert position.state == {"i": position.offset}
        await copy.close()


async def test_what_is_there_already_is_not_overwritten_unless_asked(store, make, path: Path, tmp_path: Path) -> None:
    await store.append(make.change(1, "a"))
    target = tmp_path / "precious"
    target.write_text("precious")
    with pytest.raises(StoreError, match=r"precious is there already.*--force"):
        back_up(path, target)
    assert target.read_text() == "precious"
    assert back_up(path, target, force=True).head == 1
    for odd, word in ((path, "is the store itself"), (tmp_path, "is a folder"), (tmp_path / "no" / "x", "No such")):
        with pytest.raises(StoreError, match=word):
            back_up(path, odd, force=True)
    assert (await store.job("job-1")).job_id == "job-1"
    with pytest.raises(StoreError, match="there is no store"):
        back_up(tmp_path / "nothing", tmp_path / "b")
    assert not (tmp_path / "nothing").exists()


async def test_nothing_but_a_regular_file_is_ever_replaced(store, make, path: Path, tmp_path: Path) -> None:
    await store.append(make.change(1, "a"))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/full")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    before = {p.name: p.lstat().st_ino for p in tmp_path.iterdir()}
    for name in ("pipe", "device", "nowhere"):
        for force in (False, True):
            with pytest.raises(StoreError, match=rf"{name} is no regular file, and is never replaced"):
                back_up(path, tmp_path / name, force=force)
    (tmp_path / "folder").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="is a folder"):
        back_up(path, tmp_path / "folder", force=True)
    (tmp_path / "folder").unlink()
    assert {p.name: p.lstat().st_ino for p in tmp_path.iterdir()} == before


async def test_what_is_told_of_a_file_names_that_file(open_store, make, path: Path, tmp_path: Path) -> None:
    store = await open_store()
    await store.append(make.change(1, "a"))
    await store.close()
    whole = path.read_bytes()
    overwritten = whole.replace(b'"text":"a"', b'"text":"b"')
    for content in (overwritten, whole[: len(whole) // 2], b""):
        bad = tmp_path / "bad"
        bad.write_bytes(content)
        with pytest.raises(StoreError) as told:
            restore(path, bad, new_epoch=lambda: "e", aside=tmp_path / "aside")
        assert str(bad) in str(told.value)
        assert "the store" not in str(told.value).replace("stop the server", "")
        path.write_bytes(content)
        with pytest.raises(StoreError) as told:
            back_up(path, tmp_path / "target")
        assert str(path) in str(told.value)
        assert "partial" not in str(told.value)
        path.write_bytes(whole)
    (tmp_path / "device").symlink_to("/dev/zero")
    for odd in (tmp_path, tmp_path / "device"):
        with pytest.raises(StoreError, match=rf"{odd} is no regular file"):
            restore(path, odd, new_epoch=lambda: "e", aside=tmp_path / "aside")
    assert not (tmp_path / "aside").exists()


async def test_a_broken_store_gives_no_backup(open_store, make, path: Path, tmp_path: Path) -> None:
    store = await open_store()
    await store.append(make.change(1, "a"))
    await store.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE events SET payload = CAST(replace(payload, '\"a\"', '\"b\"') AS BLOB)")
    connection.close()
    with pytest.raises(StoreError, match="event 1 was overwritten"):
        back_up(path, tmp_path / "b")
    assert not [p for p in tmp_path.iterdir() if not p.name.startswith(path.name)]


async def test_a_restored_log_has_another_epoch_and_what_it_replaced_is_kept(
    open_store, make, path: Path, tmp_path: Path
) -> None:
    store = await open_store()
    await store.append(make.change(1, "a", "b", status=JobStatus.RUNNING, position=LogPosition(7, {"x": 1})))
    back_up(path, tmp_path / "b")
    await store.append(make.change(1, "seen by many"))
    await store.close()
    found = restore(path, tmp_path / "b", new_epoch=lambda: "epoch-2", aside=tmp_path / "aside")
    assert (found.epoch, found.head) == ("epoch-2", 2)
    assert read_mark(path) == ("epoch-2", 2)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    store = await open_store(lambda: "never")
    assert store.epoch == "epoch-2"
    assert [e.seq for e in await store.append(make.change(1, "another third", status=JobStatus.RUNNING))] == [3]
    assert await store.position("job-1") == LogPosition(7, {"x": 1})
    await store.close()
    kept = await SqliteStore.open(tmp_path / "aside" / path.name, new_epoch=lambda: "never")
    assert (kept.epoch, kept.head) == ("epoch-1", 3)
    await kept.close()
    assert not [p for p in tmp_path.iterdir() if "restoring" in p.name]


async def test_a_backup_that_is_none_changes_nothing(open_store, make, path: Path, tmp_path: Path) -> None:
    store = await open_store()
    await store.append(make.change(1, "a"))
    await store.close()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    whole = path.read_bytes()
    newer = tmp_path / "newer"
    for name, content in {"text": b"hello" * 5000, "cut": whole[: len(whole) // 2], "empty": b""}.items():
        (tmp_path / name).write_bytes(content)
    newer.write_bytes(whole)
    with contextlib.closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 99")
    for name in ("text", "cut", "empty", "newer", "nothing"):
        with pytest.raises(StoreError):
            restore(path, tmp_path / name, new_epoch=lambda: "e", aside=tmp_path / "aside")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.name in before} == before
    assert not (tmp_path / "aside").exists()


async def test_a_log_without_its_end_can_be_gone_on_with_by_choice(
    open_store, make, path: Path, tmp_path: Path
) -> None:
    """What the refusal says: restore the store from itself, as a log of another epoch."""
    store = await open_store()
    await store.append(make.change(1, "a"))
    await store.close()
    old = path.read_bytes()
    store = await open_store()
    await store.append(make.change(1, "b"))
    await store.close()
    path.write_bytes(old)
    with pytest.raises(StoreError, match=rf"k12ai restore {path}"):
        await SqliteStore.open(path, new_epoch=lambda: "never")
    assert restore(path, path, new_epoch=lambda: "epoch-2", aside=tmp_path / "aside").head == 1
    store = await open_store(lambda: "never")
    assert (store.epoch, store.head) == ("epoch-2", 1)


@pytest.mark.parametrize("at", ["before", "after the -wal", "after the file"])
async def test_a_restore_that_is_killed_leaves_the_old_log_the_new_one_or_a_refusal(
    open_store, make, path: Path, tmp_path: Path, monkeypatch, at: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    store = await open_store()
    await store.append(make.change(1, "a"))
    back_up(path, tmp_path / "b")
    await store.append(make.change(1, "b"))
    left = {p: p.read_bytes() for p in files_of(path)}
    await store.close()
    for file, content in left.items():  # as after a kill
        file.write_bytes(content)
    module = "k12ai_ws.store.sqlite.backup"
    if at == "before":
        monkeypatch.setattr(f"{module}._keep", die)
    elif at == "after the -wal":
        monkeypatch.setattr(Path, "replace", die)
    else:
        monkeypatch.setattr(f"{module}.Mark", die)
    with pytest.raises(Killed):
        restore(path, tmp_path / "b", new_epoch=lambda: "epoch-2", aside=tmp_path / "aside")
    monkeypatch.undo()
    if at == "after the -wal":
        with pytest.raises(StoreError, match="are those of a log"):
            await SqliteStore.open(path, new_epoch=lambda: "never")
        restore(path, tmp_path / "b", new_epoch=lambda: "epoch-2", aside=tmp_path / "aside-2")
    store = await open_store(lambda: "never")
    assert (store.epoch, store.head) == (("epoch-1", 2) if at == "before" else ("epoch-2", 1))
