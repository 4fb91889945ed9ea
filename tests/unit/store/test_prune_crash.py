"""`kill -9` amid a prune: what is kept is whole, what went is known, and the next prune goes on."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from k12ai_ws.store.retention import Rules
from k12ai_ws.wire.filter import EVENT_TYPES, EventFilter

from .test_prune import a_job, assert_counted, kept, prune

ROUNDS = int(os.environ.get("K12AI_PRUNE_KILLS", "4"))

PRUNER = """
import asyncio, sys
from pathlib import Path
from k12ai_ws.store.retention import Rules, plan
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.sqlite.upkeep import Upkeep

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]), new_epoch=lambda: "e", synchronous="normal")
    upkeep = Upkeep(store, step_events=5, rest=0.5)
    await upkeep.count()
    print("pruning", flush=True)
    for order in plan(await upkeep.shelves(), Rules(log_days=1, thin_days=1, points=8, max_jobs=3), 1 << 45):
        await upkeep.carry_out(order)
    print("over", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def prune_and_kill(path: Path, seconds: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", PRUNER, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"pruning\n"
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()


async def test_a_prune_that_is_killed_leaves_a_log_that_knows_what_it_lacks(open_store, make, path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    store = await open_store()
    for i in range(5):
        await a_job(store, make, i, 300, user=f"u{i}")
    await store.append(make.change("last", "x"))
    before = {e.seq: e for e in await kept(store)}
    head = store.head
    for _ in range(ROUNDS):
        await store.close()
        await asyncio.to_thread(prune_and_kill, path, moments.uniform(0.0, 0.4))
        store = await open_store()
        assert store.head == head
        after = {e.seq: e for e in await kept(store)}
        assert after == {seq: before[seq] for seq in after}, "what is kept is what it was"
        await assert_counted(store)
        for i in range(5):
            for kind in EVENT_TYPES:
                gone = [s for s, e in before.items() if e.key[0] == kind and e.key.user == f"u{i}" and s not in after]
                assert await store.pruned(EventFilter(user=f"u{i}", types=frozenset({kind}))) == max(gone, default=0)
            record = await store.job(f"job-{i}")
            ends = [e for e in after.values() if e.key.job_id == f"job-{i}" and e.key.type == "status"]
            assert record is None or ends, "a job that is there has its terminal status"
    await prune(store, Rules(log_days=1, thin_days=1, points=8, max_jobs=3), now_ms=1 << 45)
    left = await kept(store)
    assert len({e.key.job_id for e in left}) == 3
    assert not [e for e in left if e.key.type == "log"]
