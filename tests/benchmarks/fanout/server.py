"""The real server with a publisher inside: `server.py DATA_DIR PORT CONNECTIONS`, then orders on stdin, one a line.

`publish EVENTS RATE BURST JOBS PADDING AHEAD`: appends EVENTS events to JOBS jobs in turn, BURST at a time (RATE a
second; 0: as fast as they are committed and delivered, AHEAD bursts under way at a time), and says in how many commits.
All goes the whole way: store, commit, hub, filter, socket.
`measure`: a line of JSON with CPU seconds and resident bytes.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections import deque
from pathlib import Path

import orjson

from k12ai_ws.app import Server
from k12ai_ws.settings import load_settings
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, NewEvent
from k12ai_ws.wire.job import JobRecord

EVENTS_PER_CHANGE = 8
"""A chunk of a job's log brings several events, and they are one change."""


def record(number: int) -> JobRecord:
    return JobRecord(f"job-{number}", f"user-{number}", f"project-{number}", "k12cv", "train", {}, 1700000000000)


def event(job: JobRecord, number: int, padding: str) -> NewEvent:
    """About as long as the peers' events: 330 bytes with its seq."""
    message = {
        "version": "0.1.0", "type": "metrics", "tag": "framework", "op": "train.start", "user": job.user,
        "service_uuid": job.service_uuid, "timestamp": 1700000000000 + number,
        "datetime": "2023-11-14T22:13:20.000+00:00",
        "metrics": {"step": number, "loss": 0.3141592, "accuracy": 0.9312}, "service_name": job.service_name,
        "job_id": job.job_id, "sent_ns": time.monotonic_ns(),
    }  # fmt: skip
    if padding:
        message["padding"] = padding
    return NewEvent("metrics", orjson.dumps(message))


async def publish(
    store: SqliteStore, events: int, rate: float, burst: int, jobs: int, padding: int, ahead: int
) -> None:
    records = [record(n) for n in range(jobs)]
    under_way: deque[asyncio.Future[object]] = deque()
    begun, done, text = time.monotonic(), 0, "x" * padding
    while done < events:
        if rate and (pause := begun + done / rate - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        changes = []
        left = min(burst, events - done)
        while left:
            job, count = (
                records[(done // EVENTS_PER_CHANGE if burst > 1 else done) % jobs],
                min(EVENTS_PER_CHANGE, left),
            )
            changes.append(Change(job, [event(job, done + i, text) for i in range(count)]))
            done, left = done + count, left - count
        under_way.append(asyncio.gather(*(store.append(change) for change in changes)))
        if len(under_way) == ahead:
            await under_way.popleft()
        await asyncio.sleep(0)
    await asyncio.gather(*under_way)


def measure() -> str:
    gc.collect()
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = Path("/proc/self/status").read_text()
    rss = int(status.split("VmRSS:")[1].split()[0]) * 1024
    return json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "rss": rss})


async def main() -> None:
    data_dir, port, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    server = Server(
        load_settings(
            None,
            {
                "data_dir": data_dir,
                "server": {"port": port},
                "channel": {"max_connections": max(connections, 1)},
                "jobs": {"launcher": "process"},
            },
        )
    )
    await server.start()
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    commits = 0

    def count(_: object) -> None:
        nonlocal commits
        commits += 1

    server.store.on_commit(count)
    while order := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        if order[0] == "publish":
            events, rate, *counts = order[1:]
            await publish(server.store, int(events), float(rate), *map(int, counts))
            print("published", commits, flush=True)
            commits = 0
        elif order[0] == "measure":
            print(measure(), flush=True)
    await server.close()


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
asyncio.run(main())
