"""A disk that fills up, and a server killed at any moment: what was acknowledged stays, with the same bytes."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.wire.filter import EventFilter

ROUNDS = 10

WRITER = """
import asyncio, json, sys
from pathlib import Path
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, LogPosition, NewEvent
from k12ai_ws.wire.job import JobRecord

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]), new_epoch=lambda: "e", synchronous="normal")
    start = store.head
    async def write(name):
        record = JobRecord(f"{name}-{start}", name, f"p{start}", "s", "train", {}, 1)
        for i in range(1_000_000):
            text = json.dumps({"n": i, "x": "y" * (i * 37 % 500)})
            events = [NewEvent("status", text.encode()) for _ in range(1 + i % 3)]
            stored = await store.append(Change(record, events, LogPosition(i, {"i": i})))
            print("".join(f"{e.seq} {e.payload.hex()}\\n" for e in stored) + f"position {name}-{start} {i}", flush=True)
    await asyncio.gather(write("a"), write("b"), write("c"))

asyncio.run(main())
"""


def run_and_kill(path: Path, seconds: float) -> list[str]:
    """Starts a writer, kills it -9 some time after its first acknowledgement; the whole lines that it printed."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, bufsize=0)
    assert process.stdout is not None
    output = process.stdout.readline()
    try:
        rest, _ = process.communicate(timeout=seconds)
        pytest.fail(f"the writer ended by itself: {rest!r}")
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
    lines = (output + rest).decode().split("\n")
    return lines[:-1]  # the last one may be cut in the middle


def test_whatever_was_acknowledged_before_kill_9_is_there_with_the_same_bytes(path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    acknowledged: dict[int, bytes] = {}
    for _ in range(ROUNDS):
        positions: dict[str, int] = {}
        for line in run_and_kill(path, moments.uniform(0.0, 0.15)):
            first, second, *more = line.split(" ")
            if first == "position":
                positions[second] = int(more[0])
            else:
                assert int(first) not in acknowledged, "a number was given twice"
                acknowledged[int(first)] = bytes.fromhex(second)
        stored, head, offsets = asyncio.run(read(path, list(positions)))
        assert {seq: stored.get(seq) for seq in acknowledged} == acknowledged
        assert list(stored) == list(range(1, head + 1)), "no gap"
        for job, offset in positions.items():
            assert offsets[job] >= offset
    assert len(acknowledged) > ROUNDS


async def read(path: Path, jobs: list[str]) -> tuple[dict[int, bytes], int, dict[str, int]]:
    store = await SqliteStore.open(path, new_epoch=lambda: "another")
    assert store.epoch == "e"
    found, after = {}, 0
    while after < store.head:
        page = await store.replay(EventFilter(), after)
        found |= {e.seq: e.payload for e in page.events}
        after = page.scanned
    offsets = {}
    for job in jobs:
        position = await store.position(job)
        assert position is not None
        assert position.state == {"i": position.offset}, "offset and state are of one transaction"
        offsets[job] = position.offset
    head = store.head
    await store.close()
    return found, head, offsets


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, LogPosition, NewEvent, StoreError
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.job import JobRecord

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]), new_epoch=lambda: "e", synchronous="full")
    heard = []
    store.on_commit(heard.extend)
    record = JobRecord("j", "u", "p", "s", "train", {}, 1)
    change = lambda: Change(record, [NewEvent("status", b'{"x":"' + b"y" * 20000 + b'"}')])
    await store.append(change())
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
    stored, failed = 1, 0
    for _ in range(3):
        for result in await asyncio.gather(*(store.append(change()) for _ in range(40)), return_exceptions=True):
            if isinstance(result, StoreError):
                failed += 1
            else:
                stored += len(result)
    assert failed > 20, failed
    assert store.head == stored == len(heard), (store.head, stored, len(heard))
    assert (await store.job("j")).job_id == "j", "reading goes on"
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    for _ in range(40):
        stored += len(await store.append(change()))
    seqs, after = [], 0
    while after < store.head:
        page = await store.replay(EventFilter(), after)
        seqs += [e.seq for e in page.events]
        after = page.scanned
    assert seqs == list(range(1, stored + 1)) == [e.seq for e in heard]
    await store.close()

asyncio.run(main())
print("went on")
"""


def test_a_full_disk_is_an_error_and_the_store_goes_on_when_there_is_room_again(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", FULL_DISK, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "went on\n", done.stderr
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
