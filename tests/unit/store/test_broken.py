"""A store that is not what it was: refused with a clear word, or read without a wrong byte; never replaced."""

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from k12ai_ws.retaining import PruneError, outlook
from k12ai_ws.settings import Settings
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.sqlite.backup import back_up, restore
from k12ai_ws.store.sqlite.opening import open_reader
from k12ai_ws.store.sqlite.published import path_of, read_mark
from k12ai_ws.store.sqlite.verify import verify
from k12ai_ws.store.store import Change, LogPosition, StoreDamaged, StoreError
from k12ai_ws.wire.filter import EVENT_TYPES, EventFilter
from k12ai_ws.wire.status import JobStatus

EVERYTHING = EventFilter(types=EVENT_TYPES)
DAMAGED = int(os.environ.get("K12AI_DAMAGED_FILES", "60"))


async def open_it(path: Path, synchronous: str = "full") -> SqliteStore:
    return await SqliteStore.open(path, new_epoch=lambda: "another", synchronous=synchronous)  # type: ignore[arg-type]


async def read_all(store: SqliteStore) -> dict[int, bytes]:
    found, after = {}, 0
    while after < store.head:
        page = await store.replay(EVERYTHING, after)
        found |= {e.seq: e.payload for e in page.events}
        after = page.scanned
    return found


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.endswith("-shm")}


@pytest.fixture
async def killed(tmp_path: Path, path: Path, make) -> dict[int, bytes]:
    """The files of a server that was killed, half of its log in the -wal; its events."""
    live = tmp_path / "live"
    live.mkdir()
    store = await SqliteStore.open(live / path.name, new_epoch=lambda: "epoch-1")
    for i in range(40):
        number = i % 4
        record = make.record(number, params={"text": "x" * 200}, status=JobStatus.RUNNING)
        events = [make.event(f"{i} {'y' * (i * 53 % 700)}", kind) for kind in ("log", "metrics", "status")]
        await store.append(Change(record, events, LogPosition(i, {"i": i})))
        if i == 20:
            with contextlib.closing(sqlite3.connect(live / path.name)) as other:
                other.execute("PRAGMA wal_checkpoint(PASSIVE)")
    events = await read_all(store)
    for file in live.iterdir():
        if not file.name.endswith("-shm"):
            shutil.copy(file, path.parent / file.name)
    await store.close()
    shutil.rmtree(live)
    assert wal_of(path).stat().st_size > 0
    return events


async def test_what_a_killed_server_left_is_read_whole(path: Path, killed) -> None:
    store = await open_it(path)
    assert (await read_all(store), store.epoch) == (killed, "epoch-1")
    await store.close()
    assert not wal_of(path).exists(), "a store that was closed in good order is one file, and the mark beside it"
    assert read_mark(path) == ("epoch-1", len(killed))


@pytest.mark.parametrize("how", ["missing", "empty", "cut", "garbage", "torn header"])
async def test_a_log_that_has_lost_its_end_is_refused_and_left_alone(path: Path, killed, how: str) -> None:
    wal = wal_of(path)
    content = wal.read_bytes()
    if how == "missing":
        wal.unlink()
    else:
        half = len(content) // 2
        wal.write_bytes(
            {"empty": b"", "cut": content[:half], "garbage": content[:half] + b"\xee" * 64 + content[half + 64 :],
             "torn header": b"\0" * 32 + content[32:]}[how]
        )  # fmt: skip
    database = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"up to {len(killed)} were handed out.*k12ai restore"):
            await open_it(path)
    assert read_mark(path) == ("epoch-1", len(killed))
    assert path.read_bytes()[:16] == database[:16]


async def test_where_the_settings_allow_the_loss_the_log_gets_a_new_epoch(path: Path, killed, caplog) -> None:
    wal_of(path).unlink()
    store = await open_it(path, "normal")
    assert store.epoch == "another"
    assert store.head < len(killed)
    assert "events 64 to 120 were lost" in caplog.text
    await store.close()
    assert read_mark(path) == ("another", store.head)


async def test_an_old_copy_of_the_file_is_no_log_to_go_on_with(open_store, path: Path, make) -> None:
    store = await open_store()
    await store.append(make.change(1, "a"))
    await store.close()
    old = path.read_bytes()
    store = await open_store()
    await store.append(make.change(1, "b", "c"))
    await store.close()
    path.write_bytes(old)
    with pytest.raises(StoreError, match=r"ends with event 1, but events up to 3 were handed out"):
        await open_it(path)


@pytest.mark.parametrize("state", ["missing", "empty"])
@pytest.mark.parametrize("beside", ["wal", "mark", "both"])
async def test_a_log_whose_file_is_gone_is_not_begun_anew(path: Path, killed, state: str, beside: str) -> None:
    if state == "missing":
        path.unlink()
    else:
        path.write_bytes(b"")
    if beside == "wal":
        path_of(path).unlink()
    if beside == "mark":
        wal_of(path).unlink()
    before = files(path.parent)
    with pytest.raises(StoreError, match=rf"is {state}, but .* beside it are those of a log.*k12ai restore"):
        await open_it(path)
    assert files(path.parent) == before


async def test_reading_an_empty_file_does_not_remove_its_wal(path: Path, killed, tmp_path: Path) -> None:
    """SQLite itself removes the -wal of a file that is empty, even where it only reads."""
    path.write_bytes(b"")
    path_of(path).unlink()
    before = files(path.parent)
    reads = (
        lambda: back_up(path, tmp_path / "backup"),
        lambda: verify(path),
        lambda: open_reader(path),
        lambda: restore(path, path, new_epoch=lambda: "never", aside=tmp_path / "aside"),
        lambda: outlook(Settings(data_dir=tmp_path), 0),
    )
    for read in reads:
        with pytest.raises((StoreError, PruneError), match=r"is empty, but .* beside it are those of a log"):
            read()
    assert files(path.parent) == before


@pytest.mark.parametrize("lost", ["missing", "cut"])
async def test_a_log_that_has_lost_its_end_gives_no_backup(path: Path, killed, tmp_path: Path, lost: str) -> None:
    content = wal_of(path).read_bytes()
    wal_of(path).unlink()
    if lost == "cut":
        wal_of(path).write_bytes(content[: len(content) // 2])
    target = tmp_path / "backup"
    target.write_bytes(b"the last good one")
    with pytest.raises(StoreError, match=rf"up to {len(killed)} were handed out.*k12ai restore"):
        back_up(path, target, force=True)
    assert target.read_bytes() == b"the last good one"


@pytest.mark.parametrize(("version", "odd"), [(1, "has requests"), (2, "has ended"), (3, r"has events\.crc")])
async def test_a_file_of_another_version_than_it_says_is_told(
    path: Path, killed, version: int, odd: str, tmp_path: Path
) -> None:
    await (await open_it(path)).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = files(path.parent)
    for tried in (lambda: verify(path), lambda: back_up(path, tmp_path / "backup")):
        with pytest.raises(StoreError, match=rf"version is {version}, and it {odd}.*k12ai restore"):
            tried()
    with pytest.raises(StoreError, match=rf"version is {version}, and it {odd}.*k12ai restore"):
        await open_it(path)
    assert files(path.parent) == before


async def test_a_log_whose_tables_were_in_a_lost_wal_is_not_begun_anew(store, path: Path, make) -> None:
    """A young log is nothing but its -wal."""
    await store.append(make.change(1, "a"))
    left = {p: p.read_bytes() for p in (path, path_of(path))}
    await store.close()
    for file, content in left.items():
        file.write_bytes(content)
    before = files(path.parent)
    with pytest.raises(StoreError, match=r"is empty, but .* are those of a log"):
        await open_it(path)
    assert files(path.parent)[path.name] == before[path.name]


@pytest.mark.parametrize("content", [b"\0" * 100, b"SQLite format 3\0", b"\xff" * 100_000])
async def test_an_overwritten_beginning_is_refused_and_left_alone(path: Path, killed, content: bytes) -> None:
    wal_of(path).unlink()
    whole = path.read_bytes()
    path.write_bytes(content + whole[len(content) :] if len(content) != 16 else content)
    before = files(path.parent)
    with pytest.raises(StoreError, match=r"k12ai\.sqlite3 .*k12ai (restore|doctor)"):
        await open_it(path)
    assert files(path.parent) == before


async def test_a_truncated_file_is_refused(path: Path, killed) -> None:
    store = await open_it(path)
    await store.close()
    whole = path.read_bytes()
    for part in (0.9, 0.5, 0.1):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(StoreError, match="k12ai restore"):
            await open_it(path)


async def test_another_programs_files_beside_it_do_no_harm(path: Path, killed) -> None:
    path.with_name(path.name + "-shm").write_bytes(b"\xab" * 40_000)
    store = await open_it(path)
    assert await read_all(store) == killed
    await store.close()


async def test_a_folder_in_the_place_of_the_shared_memory_is_told(path: Path, killed) -> None:
    path.with_name(path.name + "-shm").mkdir()
    with pytest.raises(StoreError, match="check the mount and the rights of the data folder"):
        await open_it(path)


@pytest.mark.parametrize("synchronous", ["full", "normal"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 54, b"garbage", b"\xff\xfe", b"00000000000000000120 epo", b"-1 epoch-1\n"],
)
async def test_a_damaged_mark_says_nothing_and_so_the_log_is_not_taken_for_whole(
    path: Path, killed, content: bytes, synchronous: str, tmp_path: Path
) -> None:
    path_of(path).write_bytes(content)
    wal_of(path).unlink()
    before = files(path.parent)
    with pytest.raises(StoreError, match=r"-head is damaged.*k12ai restore"):
        await open_it(path, synchronous)
    with pytest.raises(StoreError, match=r"-head is damaged.*k12ai restore"):
        back_up(path, tmp_path / "backup")
    assert files(path.parent) == before
    found = restore(path, path, new_epoch=lambda: "chosen", aside=tmp_path / "aside")
    store = await open_it(path)
    assert (store.epoch, store.head) == ("chosen", found.head)
    await store.close()


@pytest.mark.parametrize("state", ["missing", "another log's"])
async def test_a_log_without_its_mark_is_opened_and_that_is_said(path: Path, killed, state: str, caplog) -> None:
    if state == "missing":  # as beside a file of an earlier version
        path_of(path).unlink()
    else:
        path_of(path).write_bytes(b"00000000000000009999 another-log\n")
    store = await open_it(path)
    assert await read_all(store) == killed
    await store.close()
    assert read_mark(path) == ("epoch-1", len(killed))
    assert f"-head is {state}, so nothing tells whether the log lost its end" in caplog.text


async def test_overwritten_bytes_are_never_handed_out(path: Path, killed) -> None:
    """Random bytes, anywhere in the file: the store is refused, or a read is, or every byte is the one that was.

    An event whose type was overwritten is not found by it any more; reading the whole file tells.
    """
    seed = int(os.environ.get("K12AI_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"K12AI_CRASH_SEED={seed} K12AI_DAMAGED_FILES={DAMAGED}")
    chance = random.Random(seed)
    store = await open_it(path)
    await store.close()
    whole = path.read_bytes()
    outcomes = {"refused": 0, "not read": 0, "not found": 0, "unharmed": 0}
    for _ in range(DAMAGED):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3))):
            size = chance.choice((1, 4, 64, 4096))
            at = chance.randrange(len(whole) - size)
            damaged[at : at + size] = chance.randbytes(size)
        for file in path.parent.iterdir():
            file.unlink()
        path.write_bytes(damaged)
        try:
            store = await open_it(path)
        except StoreError:
            outcomes["refused"] += 1
            continue
        try:
            events = await read_all(store)
            assert events == {seq: killed[seq] for seq in events}
            if len(events) == len(killed):
                outcomes["unharmed"] += 1
            else:
                with pytest.raises(StoreError):
                    await asyncio.to_thread(verify, path)
                outcomes["not found"] += 1
        except StoreError:
            outcomes["not read"] += 1
        finally:
            await store.close()
    print(outcomes)
    assert outcomes["refused"]
    assert outcomes["not read"]


async def test_an_event_that_was_overwritten_is_told_by_its_number(path: Path, killed, caplog) -> None:
    store = await open_it(path)
    await store.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE events SET payload = CAST(replace(payload, 'y', 'z') AS BLOB) WHERE seq = 50")
    connection.close()
    store = await open_it(path)
    assert store.damage is None
    before = await store.replay(EVERYTHING, 0)
    assert ([e.seq for e in before.events], before.scanned) == (list(range(1, 50)), 49)
    for after in (49, 49):
        with pytest.raises(StoreDamaged, match=r"event 50 was overwritten.*k12ai restore") as raised:
            await store.replay(EVERYTHING, after)
        assert raised.value.seq == 50
    assert store.damage == str(raised.value)
    assert caplog.text.count("event 50 was overwritten") == 1, "it is logged once"
    assert [e.seq for e in (await store.replay(EVERYTHING, 50, limit=2)).events] == [51, 52]
    with pytest.raises(StoreError, match="event 50 was overwritten"):
        await asyncio.to_thread(verify, path)
    await store.close()


async def test_a_file_that_may_only_be_read_is_refused_before_anything_runs(path: Path, killed) -> None:
    """As where the disk was mounted so: SQLite itself opens it, and fails at the first write."""
    if os.geteuid() == 0:
        pytest.skip("root may write everything; tests/crash has a read-only disk for it")
    store = await open_it(path)
    await store.close()
    path.parent.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="check"):
            await open_it(path)
    finally:
        path.parent.chmod(0o700)


@pytest.mark.parametrize("column", ["job_no = 777", "type = CAST(x'ff41' AS TEXT)"])
async def test_an_event_whose_facts_were_overwritten_ends_the_page_before_it(path: Path, killed, column: str) -> None:
    store = await open_it(path)
    await store.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"UPDATE events SET {column} WHERE seq = 50")
    connection.close()
    store = await open_it(path)
    before = await store.replay(EventFilter(), 0)
    assert ([e.seq for e in before.events], before.scanned) == (
        [n for n in range(1, 50) if n % 3 != 1],
        49,
    )  # the others are log lines
    with pytest.raises(StoreDamaged, match="event 50 was overwritten") as raised:
        await store.replay(EventFilter(), 49)
    assert raised.value.seq == 50
    assert store.damage == str(raised.value)
    await store.close()
