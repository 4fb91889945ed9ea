"""How fast the store appends and replays, beside bare SQLite on the same disk in the same run.

    python tests/benchmarks/store.py [--events 200000] [--rounds 3] [--short] [--json] [--folder PATH]

Each row is the median of the rounds; the shapes of load take turns, so that a noisy moment hurts all alike. Events have
330 bytes. `synchronous` is FULL everywhere: whatever is counted was synced to the disk.
"""

import argparse
import asyncio
import contextlib
import json
import queue
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from k12ai_ws.api.websocket.frames import text_frame
from k12ai_ws.events.hub import Hub
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, LogPosition, NewEvent
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus

SIZE = 330
BATCHES = (1, 10, 50, 100, 1000)
SHAPES = ((1, 100), (1, 1000), (10, 10), (100, 10), (100, 50), (1000, 1))
"""Jobs that append at once, each its next change as soon as the last one is stored, and events per change."""
OFFERED = 1000
"""Events per second of the latency row."""
TABLE = """CREATE TABLE events (seq INTEGER PRIMARY KEY, job_no INTEGER NOT NULL, type TEXT NOT NULL,
payload BLOB NOT NULL) STRICT"""

Row = tuple[str, float]


def event(number: int = 0) -> NewEvent:
    message = {"version": "0.1.0", "type": "metrics", "n": number, "pad": ""}
    message["pad"] = "x" * (SIZE - len(json.dumps(message)) - 16)
    return NewEvent("metrics", json.dumps(message).encode())


def record(number: int) -> JobRecord:
    return JobRecord(f"job-{number}", f"u{number % 10}", f"p-{number}", "s", "train", {}, 1, status=JobStatus.RUNNING)


def bare_file(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", TABLE,
                      "CREATE INDEX events_of_job ON events (job_no, seq)"):  # fmt: skip
        connection.execute(statement)
    return connection


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Another thread that computes all the time, and so wants the interpreter as much as the writer does."""
    over = threading.Event()

    def spin() -> None:
        while not over.is_set():
            sum(range(500))

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def bare_append(folder: Path, events: int, batch: int) -> float:
    """Events per second of a thread that does nothing but insert batches and commit them."""
    connection, payload = bare_file(folder / "bare"), b"x" * SIZE
    count = max(batch, min(events, batch * 2000))
    took = 0.0

    def run() -> None:
        nonlocal took
        start, seq = time.perf_counter(), 0
        while seq < count:
            rows = [(seq + i, 1 + seq % 10, "metrics", payload) for i in range(batch)]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
            seq += batch
        took = (time.perf_counter() - start) / seq

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    connection.close()
    return 1 / took


async def append(folder: Path, events: int, jobs: int, per_change: int) -> float:
    """Events per second through Store.append, with so many jobs at it at once."""
    store = await SqliteStore.open(folder / "k12ai.sqlite3", new_epoch=lambda: "e")
    changes = max(2, events // jobs // per_change)
    batch, position = [event(i) for i in range(per_change)], LogPosition(1, {"tail": ["x" * 80] * 5})

    async def job(number: int) -> None:
        own = record(number)
        for _ in range(changes):
            await store.append(Change(own, batch, position))

    await asyncio.gather(*(store.append(Change(record(n))) for n in range(jobs)))
    start = time.perf_counter()
    await asyncio.gather(*(job(n) for n in range(jobs)))
    took = time.perf_counter() - start
    assert store.head == changes * jobs * per_change
    await store.close()
    return changes * jobs * per_change / took


async def latency(folder: Path, seconds: float) -> list[float]:
    """Milliseconds from append to commit at OFFERED events a second, one event per change, ten jobs."""
    store = await SqliteStore.open(folder / "k12ai.sqlite3", new_epoch=lambda: "e")
    jobs, one = [record(n) for n in range(10)], [event()]
    taken = await paced(lambda number: store.append(Change(jobs[number % 10], one)), seconds)
    await store.close()
    return taken


async def bare_latency(folder: Path, seconds: float) -> list[float]:
    """The same of a thread that inserts what has gathered in its queue, commits it, and says so to the loop."""
    connection, payload, loop = bare_file(folder / "bare"), b"x" * SIZE, asyncio.get_running_loop()
    waiting: queue.SimpleQueue[tuple[int, asyncio.Future[None]] | None] = queue.SimpleQueue()

    def run() -> None:
        while (first := waiting.get()) is not None:
            group = [first]
            with contextlib.suppress(queue.Empty):
                while (more := waiting.get_nowait()) is not None:
                    group.append(more)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?)", [(seq, 1, "metrics", payload) for seq, _ in group]
            )
            connection.execute("COMMIT")
            loop.call_soon_threadsafe(lambda group=group: [future.set_result(None) for _, future in group])

    thread = threading.Thread(target=run)
    thread.start()

    def append_one(number: int) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = loop.create_future()
        waiting.put((number, future))
        return future

    taken = await paced(append_one, seconds)
    waiting.put(None)
    await asyncio.to_thread(thread.join)
    connection.close()
    return taken


async def paced(append_one: Callable[[int], Awaitable[object]], seconds: float) -> list[float]:
    """Milliseconds that each of OFFERED calls a second took, sorted."""
    taken: list[float] = []

    async def timed(number: int) -> None:
        start = time.perf_counter()
        await append_one(number)
        taken.append((time.perf_counter() - start) * 1000)

    loop, tasks, start = asyncio.get_running_loop(), set(), time.perf_counter()
    for number in range(int(OFFERED * seconds)):
        pause = start + number / OFFERED - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        task = loop.create_task(timed(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return sorted(taken)


class Count:
    """A reader that takes everything: what a feed costs up to the bytes for the socket."""

    def __init__(self, upto: int) -> None:
        self.frames, self.upto, self.done = 0, upto, asyncio.Event()

    def frame(self, payload: bytes, seq: int | None) -> bytes:
        self.frames += 1
        return text_frame(payload, seq)

    def send(self, frames: bytes) -> bool:
        if self.frames == self.upto:
            self.done.set()
        return True

    async def drained(self) -> None:
        await asyncio.sleep(0)

    def fail(self) -> None:
        raise AssertionError("the feed broke")

    def end(self) -> None:
        raise AssertionError("an event is damaged")


async def replays(folder: Path, events: int, jobs: int) -> list[Row]:
    """Events per second of a log of so many jobs: bare SELECTs, Store.payloads, and a feed that catches up."""
    path = folder / "k12ai.sqlite3"
    store = await SqliteStore.open(path, new_epoch=lambda: "e")
    for at in range(0, events, 1000):
        number = at // 1000 % jobs
        await store.append(Change(record(number), [event(at + i) for i in range(1000)]))
    rows, everything = [], EventFilter()
    bare = sqlite3.connect(path)
    start = time.perf_counter()
    for after in range(0, events, 500):
        bare.execute("SELECT seq, payload FROM events WHERE seq > ? ORDER BY seq LIMIT 500", (after,)).fetchall()
    rows.append((f"replay, bare SELECTs of 500, {jobs} jobs", events / (time.perf_counter() - start)))
    bare.close()
    for name, wanted, count in (("all", everything, events), ("one job", EventFilter(job_id="job-0"), events // jobs)):
        for limit in (500, 2000):
            start, after, seen = time.perf_counter(), 0, 0
            while after < store.head:
                page = await store.payloads(wanted, after, limit=limit)
                seen, after = seen + len(page.payloads), page.scanned
            assert seen == count, (seen, count)
            rows.append((f"replay, Store.payloads of {limit}, {name}", seen / (time.perf_counter() - start)))
        hub, sink = Hub(store, now=time.monotonic), Count(count)
        feed = hub.attach(sink, sink.frame)
        start = time.perf_counter()
        feed.add("s", wanted, 0)
        await sink.done.wait()
        rows.append((f"replay, a feed catching up, {name}", count / (time.perf_counter() - start)))
        hub.detach(feed)
    await store.close()
    return rows


def measure(folder: Path, events: int, seconds: float) -> list[Row]:
    """One round of everything."""
    rows: list[Row] = []

    def fresh(work: Callable[[Path], list[Row]]) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            rows.extend(work(Path(own)))

    for batch in BATCHES:
        fresh(lambda f, b=batch: [(f"append, bare thread, {b} a commit", bare_append(f, events, b))])
    for jobs, size in SHAPES:
        name = f"append, store, {jobs} jobs x {size} a change"
        fresh(lambda f, j=jobs, s=size, n=name: [(n, asyncio.run(append(f, events, j, s)))])

    def beside(f: Path) -> list[Row]:
        with busy():
            bare = bare_append(f, events // 40, 50)
        with busy():
            ours = asyncio.run(append(f, events // 10, 100, 50))
        return [("append, bare thread, 50 a commit, beside a busy thread", bare),
                ("append, store, 100 jobs x 50 a change, beside a busy thread", ours)]  # fmt: skip

    fresh(beside)

    def late(f: Path) -> list[Row]:
        found = []
        for name, how in (("bare thread", bare_latency), ("store", latency)):
            taken = asyncio.run(how(f, seconds))
            found += [(f"latency, ms, {name}, p{p} at {OFFERED}/s", taken[len(taken) * p // 100]) for p in (50, 99)]
        return found

    fresh(late)
    fresh(lambda f: asyncio.run(replays(f, events, 10)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="40,000 events, one round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured (default: the temporary one)")
    args = parser.parse_args()
    events, rounds, seconds = (40_000, 1, 2.0) if args.short else (args.events, args.rounds, 5.0)
    found: dict[str, list[float]] = {}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} ...", file=sys.stderr, flush=True)
        for name, value in measure(args.folder or Path(tempfile.gettempdir()), events, seconds):
            found.setdefault(name, []).append(value)
    medians = {name: statistics.median(values) for name, values in found.items()}
    if args.json:
        print(json.dumps(medians))
        return
    for name, value in medians.items():
        print(f"{name:<60} {value:>12.2f} ms" if "ms" in name.split(", ") else f"{name:<60} {value:>12,.0f} /s")


if __name__ == "__main__":
    main()
