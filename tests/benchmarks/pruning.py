"""What pruning costs the writers beside it, and how fast it goes: appends at a steady rate, alone and during a prune.

    python tests/benchmarks/pruning.py [--events 300000] [--rate 1000] [--seconds 5]

Prints, for both, the time from append to commit (p50, p99, worst), then how many events a second went, how long the
longest step held the writer, and what the file did: its size before, after the prune, after as much was appended again.
"""

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from k12ai_ws.store.retention import Rules, plan
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.sqlite.upkeep import Upkeep
from k12ai_ws.store.store import Change, NewEvent
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus

GROUP = 500


def record(name: str, status: JobStatus = JobStatus.RUNNING) -> JobRecord:
    return JobRecord(name, "bench", name, "s", "train", {}, 1, status=status, ended_ms=1)


def events(count: int) -> list[NewEvent]:
    """Half log lines of some 250 bytes, half metrics."""
    line = json.dumps({"type": "log", "log": {"stream": "stdout", "lines": ["x" * 200]}}).encode()
    return [
        NewEvent("log", line)
        if i % 2
        else NewEvent(
            "metrics", json.dumps({"type": "metrics", "metrics": {"step": i, "loss": (i * 7919) % 1000}}).encode()
        )
        for i in range(count)
    ]


async def fill(store: SqliteStore, name: str, count: int) -> None:
    for at in range(0, count, GROUP):
        await store.append(Change(record(name), events(min(GROUP, count - at))))
    await store.append(Change(record(name, JobStatus.FINISHED), [NewEvent("status", b'{"type":"status"}')]))


async def append(store: SqliteStore, rate: float, until: Callable[[], bool]) -> Sequence[float]:
    """Appends at a rate; the milliseconds from append to commit of each."""
    took: list[float] = []
    loop = asyncio.get_running_loop()
    due, number = loop.time(), 0
    waiting: set[asyncio.Task[None]] = set()

    async def one(event: NewEvent) -> None:
        began = time.perf_counter()
        await store.append(Change(record("writer"), [event]))
        took.append(1000 * (time.perf_counter() - began))

    while not until():
        task = asyncio.create_task(one(NewEvent("metrics", b'{"type":"metrics","metrics":{"loss":%d}}' % number)))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
        number += 1
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - loop.time()))
    await asyncio.gather(*waiting)
    return took


def told(name: str, took: Iterable[float]) -> None:
    times = sorted(took)
    p99 = times[int(len(times) * 0.99)]
    print(f"{name:<28} {len(times):>7} appends  p50 {statistics.median(times):6.2f} ms  p99 {p99:6.2f} ms  "
          f"worst {times[-1]:6.2f} ms")  # fmt: skip


def sizes(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        pages, free = (connection.execute(f"PRAGMA {p}").fetchone()[0] for p in ("page_count", "freelist_count"))
    connection.close()
    return f"{pages * 4096 / (1 << 20):.0f} MiB, {free * 4096 / (1 << 20):.0f} MiB of it free"


class Timed(Upkeep):
    """Upkeep that knows its longest transaction."""

    longest = 0.0

    async def _write(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        def timed(connection: sqlite3.Connection) -> Any:
            began = time.perf_counter()
            try:
                return work(connection)
            finally:
                self.longest = max(self.longest, time.perf_counter() - began)

        return await super()._write(timed)


async def bench(folder: Path, count: int, rate: float, seconds: float, step: int) -> None:
    path = folder / "k12ai.sqlite3"
    store = await SqliteStore.open(path, new_epoch=lambda: "bench")
    await fill(store, "old", count)
    end = time.monotonic() + seconds
    told("appends alone", await append(store, rate, lambda: time.monotonic() > end))
    upkeep = Timed(store, step_events=step, rest=2.0)
    over = asyncio.Event()

    async def prune() -> float:
        began = time.monotonic()
        await upkeep.count()
        counted = time.monotonic() - began
        print(f"counting {count} events took {counted:.2f} s")
        began = time.monotonic()
        for order in plan(await upkeep.shelves(), Rules(log_days=1, thin_days=1, points=2000), 1 << 60):
            await upkeep.carry_out(order)
        over.set()
        return time.monotonic() - began

    print("before: ", sizes(path))
    took, spent = await asyncio.gather(append(store, rate, over.is_set), prune())
    told("appends beside a prune", took)
    print(f"{upkeep.removed.events} events went in {spent:.1f} s: {upkeep.removed.events / spent:,.0f}/s beside the "
          f"writers, {step} a step; the longest held the writer for {1000 * upkeep.longest:.1f} ms")  # fmt: skip
    print("after:  ", sizes(path))
    await fill(store, "new", count * 3 // 4)
    print("and after three quarters as many came again: ", sizes(path))
    await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--step", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(bench(Path(folder), args.events, args.rate, args.seconds, args.step))


if __name__ == "__main__":
    main()
