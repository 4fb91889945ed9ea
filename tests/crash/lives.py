"""Lives of a server, one after the other: for each line of JSON on stdin a server is forked (`forked PID` is printed),
which prints `ready ADDRESS` or `cannot start: WHY`; whoever reads that kills it, and gives the next line. Modules are
imported once, so a life begins in a tenth of a second.

Each server appends to its own store too, as fast as `load` in the line says (events a second, in bursts of odd sizes).
"""

import asyncio
import json
import os
import random
import signal
import sys
from typing import Any

from k12ai_ws.app import Server, StartError
from k12ai_ws.drivers.registry import discover
from k12ai_ws.settings import load_settings
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, NewEvent, StoreError
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus

TYPES = ("metrics", "log", "progress", "error")


async def append_for_ever(store: SqliteStore, name: str, rate: float, chance: random.Random) -> None:
    """Events of a job that nobody runs; each text is as long as chance has it, and says which it is."""
    record = JobRecord(name, "load", name, "none", "train", {}, 1, status=JobStatus.FINISHED)
    number = 0
    while True:
        count = chance.choice((1, 1, 2, 5, 20, 100))
        events = []
        for _ in range(count):
            kind = chance.choice(TYPES)
            body = {"type": kind, "user": "load", "n": number, "pad": "é" * int(chance.expovariate(1 / 100))}
            events.append(NewEvent(kind, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()))
            number += 1
        try:
            await store.append(Change(record, events))
        except StoreError as e:
            print(f"not stored: {e}", file=sys.stderr, flush=True)
            await asyncio.sleep(0.05)
        await asyncio.sleep(chance.uniform(0.0, 2 * count / rate))


async def live(line: dict[str, Any]) -> None:
    server = Server(load_settings(None, line["settings"]))
    try:
        await server.start()
    except StartError as e:
        print(f"cannot start: {e}", flush=True)
        return
    print(f"ready {server.address}", flush=True)
    chance, loop = random.Random(line["seed"]), asyncio.get_running_loop()
    load = [
        loop.create_task(append_for_ever(server.store, f"load-{line['life']}-{i}", line["load"] / 3, chance))
        for i in range(3 if line["load"] else 0)
    ]
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()
    for task in load:
        task.cancel()
    await asyncio.gather(*load, return_exceptions=True)
    await server.close()


def main() -> None:
    discover()  # and with it the drivers' modules
    for text in sys.stdin:
        child = os.fork()
        if not child:
            print(f"forked {os.getpid()}", flush=True)
            asyncio.run(live(json.loads(text)))
            os._exit(0)
        os.waitpid(child, 0)


main()
