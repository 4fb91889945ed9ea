"""Disks that fail under a real server: full, read-only, failing to sync. What cannot be stored is not published, and
what was published is there afterwards.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import HERE, PATIENCE_S, House, Seen, Subscriber

NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]


@pytest.fixture(scope="session")
def diskfault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes calls to the disk fail, as `diskfault.c` says."""
    compiler = shutil.which("cc")
    if compiler is None:
        reason = "no C compiler: the library that stands for a failing disk cannot be built (Debian: build-essential)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    library = tmp_path_factory.mktemp("diskfault") / "diskfault.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(HERE / "diskfault.c"), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return library


@pytest.fixture
def fail(house: House, diskfault: Path) -> Callable[[str], None]:
    """`fail("sync")` makes the disk of the house fail so, `fail("")` mends it."""
    wish = house.folder / "wish"
    house.environment = {"LD_PRELOAD": str(diskfault), "DISKFAULT": str(wish)}

    def say(what: str) -> None:
        new = wish.with_name("wish.new")
        new.write_text(what)
        new.replace(wish)

    return say


async def said(house: House, text: str, count: int = 1) -> None:
    """Waits until the server's log has it."""
    async with asyncio.timeout(PATIENCE_S):
        while house.whole_log().count(text) < count:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("what", ["sync", "write", "full", "readonly"])
async def test_a_disk_that_fails_and_a_kill_meanwhile(house: House, seen: Seen, fail, what: str) -> None:
    seed = int(os.environ.get("K12AI_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"K12AI_CRASH_SEED={seed}")
    chance = random.Random(seed)
    house.load = 1500
    subscribers = [Subscriber(seen, "all", whole=True), Subscriber(seen, "load", user="load")]
    loop = asyncio.get_running_loop()
    for number in range(2):
        fail("")
        address = await house.start(seed=seed + number)
        assert address.startswith("http"), address
        readers = [loop.create_task(s.follow(address)) for s in subscribers]
        await asyncio.sleep(chance.uniform(0.1, 0.4))
        before = house.whole_log().count("not stored")
        fail(what)
        await said(house, "not stored", before + 3)
        published = max(seen.payloads, default=0)
        await asyncio.sleep(chance.uniform(0.0, 0.2))
        assert max(seen.payloads, default=0) == published, "nothing is published while nothing can be stored"
        if number % 2:  # it goes on by itself, without a restart
            fail("")
            await reached(seen, published + 100)
        house.kill(signal.SIGKILL)
        await house.gone()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*readers)
    fail("")
    house.load = 0
    address = await house.start()
    again = Subscriber(seen, "everything again", whole=True)
    await again.reach(address, max(seen.payloads))
    assert seen.compared >= len(seen.payloads)
    assert len(seen.epochs) == 1
    advice = {"sync": "the disk fails", "write": "the disk fails", "full": "the disk is full", "readonly": "SQLITE_"}
    assert advice[what] in house.whole_log()


async def test_a_prune_that_cannot_be_written_is_told_at_once(house: House, fail) -> None:
    house.load = 1500
    address = await house.start()
    subscriber = Subscriber(Seen(), "all", whole=True)
    await subscriber.reach(address, 500)
    fail("full")
    await said(house, "not stored")
    command = [sys.executable, "-m", "k12ai_ws.cli", "prune", "--data-dir", str(house.data_dir)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ | {"LC_ALL": "C.UTF-8"}
    )
    async with asyncio.timeout(PATIENCE_S):
        _, err = await process.communicate()
    assert process.returncode == 1
    assert "the disk is full" in err.decode()


async def reached(seen: Seen, seq: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while max(seen.payloads, default=0) < seq:
            await asyncio.sleep(0.01)


REFUSED = """
import asyncio, os, signal, sys
from pathlib import Path
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, NewEvent, StoreError
from k12ai_ws.wire.job import JobRecord

path, wish, what = sys.argv[1:]

async def main():
    store = await SqliteStore.open(Path(path), new_epoch=lambda: "e")
    def change(text):
        record = JobRecord("j", "u", "p", "s", "train", {}, 1)
        return Change(record, [NewEvent("status", b'{"x":"%b"}' % text.encode())])
    await store.append(change("stored"))
    Path(wish).write_text(what)
    try:
        await store.append(change("refused"))
    except StoreError as e:
        print(e, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
READ = """
import asyncio, sys
from pathlib import Path
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.wire.filter import EventFilter

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]), new_epoch=lambda: "never")
    print(*[e.payload.decode() for e in (await store.replay(EventFilter(), 0)).events], store.epoch, sep="\\n")
    await store.close()

asyncio.run(main())
"""


@pytest.mark.parametrize(("what", "doubt"), [("sync 1", False), ("sync", True)])
def test_a_commit_whose_sync_failed_is_not_found_after_a_kill(
    tmp_path: Path, diskfault: Path, what: str, doubt: bool
) -> None:
    """SQLite takes the commit back in memory, and its bytes stay in the file. Where one sync fails, the refused change
    must not come up again; where all do, it may, and the error says so.
    """
    wish = tmp_path / "wish"
    environment = os.environ | {"LD_PRELOAD": str(diskfault), "DISKFAULT": str(wish)}
    path = tmp_path / "k12ai.sqlite3"
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, str(path), str(wish), what],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert "the disk fails" in done.stdout
    assert ("may be found stored" in done.stdout) == doubt
    wish.write_text("")
    found = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    stored, *more, epoch = found
    assert (stored, epoch) == ('{"x":"stored","seq":1}', "e")
    assert more == [] or (doubt and more == ['{"x":"refused","seq":2}'])


def on_small_disk(house: House, size: str, *then: str) -> None:
    """The house's data folder is a filesystem of its own, of that size, which only the server sees."""
    probe = [*NAMESPACE, "sh", "-c", f"mount -t tmpfs -o size=1m tmpfs {house.folder}"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no filesystem can be mounted here: {done.stderr.strip()}")
    house.data_dir.mkdir()
    steps = [f'mount -t tmpfs -o size={size},mode=700 tmpfs "$0"', *then, 'exec "$@"']
    house.before = [*NAMESPACE, "sh", "-ec", "; ".join(steps), str(house.data_dir)]


async def test_a_full_disk(house: House, seen: Seen) -> None:
    on_small_disk(house, "5m", 'head -c 1500000 /dev/zero > "$0/ballast"')
    house.load = 4000
    address = await house.start(seed=1)
    assert address.startswith("http"), address
    loop = asyncio.get_running_loop()
    subscriber = Subscriber(seen, "all", whole=True)
    reader = loop.create_task(subscriber.follow(address))
    await said(house, "the disk is full", 20)
    _, answer = await house.call("/ready")
    assert not answer["info"]["ready"] if "info" in answer else answer["type"] == "error"
    code, message = await house.call(
        "/k12ai/framework/train",
        {"op": "train.start", "user": "u", "service_name": "toy", "service_uuid": "p",
         "service_params": {"script": "#" + "x" * 900_000}},
    )  # fmt: skip
    assert code >= 500, message
    house.kill(signal.SIGKILL)
    await house.gone()
    await reader
    assert len(seen.payloads) > 1000
    house.load = 0
    said_at_start = await house.start()  # SQLite may need room to look at what it has
    if not said_at_start.startswith("http"):
        assert "the disk is full" in said_at_start, said_at_start
    else:
        house.kill(signal.SIGTERM)
        await house.gone()
    (house.root() / str(house.data_dir).lstrip("/") / "ballast").unlink()
    house.load = 500
    address = await house.start(seed=2)
    assert address.startswith("http"), address
    again = Subscriber(seen, "everything again", whole=True)
    await again.reach(address, max(seen.payloads) + 50)
    assert seen.compared >= len(seen.payloads) - 1000
    assert len(seen.epochs) == 1


async def test_a_job_that_finds_the_disk_full(house: House) -> None:
    """The log still has room in its -wal, so the start is taken; that the run has none is said, and at once."""
    on_small_disk(house, "24m")
    address = await house.start(seed=1)
    assert address.startswith("http"), address
    await house.until(await house.train("for n in range(20000): print('loss=%d' % n)", "first"), "finished")
    ballast = house.root() / str(house.data_dir).lstrip("/") / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
    job_id = await house.train("print('never')", "second")
    await house.until(job_id, "failed")
    _, message = await house.call(f"/k12ai/framework/jobs/{job_id}")
    error = message["info"]["job"]["error"]
    assert error["code"] == 100202
    assert "could not be started: No space left on device" in error["message"]
    ballast.unlink()
    await house.until(await house.train("print('again')", "second"), "finished")


async def test_a_read_only_disk(house: House) -> None:
    """A log on a disk that is mounted read-only: refused at the start, with what to do."""
    on_small_disk(house, "8m", 'touch "$0/server.lock"', 'mount -o remount,ro "$0"')
    said_at_start = await house.start()
    assert said_at_start.startswith("cannot start: the data folder"), said_at_start
    assert "Read-only file system" in said_at_start
    assert "--data-dir" in said_at_start
