"""A server under load that is killed at random moments, and subscribers who come back each time.

`K12AI_CRASH_KILLS` sets how many kills, `K12AI_CRASH_SEED` repeats the moments of a run (it prints its own).
"""

import asyncio
import contextlib
import json
import os
import random
import signal

from .conftest import House, Seen, Subscriber

KILLS = int(os.environ.get("K12AI_CRASH_KILLS", "50"))
JOBS = 3
COUNTING = """
import os, sys, time
n = 0
while not os.path.exists("stop"):
    print(f"epoch={n} loss={1 / (n + 1):.6f}")
    n += 1
    if n % 25 == 0:
        sys.stdout.flush()
        time.sleep(0.05)
print("last", n)
"""


async def read_pages(house: House, seen: Seen, job_id: str, chance: random.Random) -> None:
    """A reader over REST: page after page, from somewhere, until the server is gone."""
    after = chance.randint(0, max(seen.payloads, default=0))
    with contextlib.suppress(ConnectionError):
        while True:
            events, _ = await house.page(job_id, after, limit=100)
            seen.add_page(events)
            after = events[-1]["seq"] if events else after
            await asyncio.sleep(0.01)


async def test_what_was_seen_before_a_kill_is_given_again_with_the_same_bytes(house: House, seen: Seen) -> None:
    seed = int(os.environ.get("K12AI_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"K12AI_CRASH_SEED={seed} K12AI_CRASH_KILLS={KILLS}")
    chance = random.Random(seed)
    house.load = 3000
    subscribers = [
        Subscriber(seen, "all", whole=True),
        Subscriber(seen, "all, from somewhere", whole=True, back=lambda last: chance.randint(last * 3 // 4, last)),
        Subscriber(seen, "metrics of the load", user="load", type=["metrics"]),
        Subscriber(seen, "jobs", user="u"),
    ]
    await house.start(seed=seed)
    ids = [await house.train(COUNTING, f"p{i}") for i in range(JOBS)]
    early = 0
    for number in range(KILLS):
        loop = asyncio.get_running_loop()
        readers = [loop.create_task(s.follow(house.address)) for s in subscribers]
        readers.append(loop.create_task(read_pages(house, seen, chance.choice(ids), chance)))
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        house.kill()
        await house.gone()
        async with asyncio.timeout(30):
            await asyncio.gather(*readers)
        await house.ask(seed=seed + number)
        if chance.random() < 0.3:
            await asyncio.sleep(chance.uniform(0.0, 0.1))
            house.kill()
            early += 1
            await house.ask(seed=seed + number)
        address = await house.ready()
        assert address.startswith("http"), address
    for job in range(JOBS):
        (house.data_dir / "workspaces" / "u" / f"p{job}" / "toy" / "stop").touch()
    for job_id in ids:
        await house.until(job_id, "finished")
    house.load = 0
    house.kill(signal.SIGTERM)
    await house.gone()
    await house.start()
    # Everything once more, by one who never came before.
    lives = [s.lives for s in subscribers]
    again = Subscriber(seen, "everything again", whole=True)
    compared, known = seen.compared, len(seen.payloads)
    await again.reach(house.address, max(seen.payloads))
    assert seen.compared - compared == known
    assert sorted(seen.payloads) == list(range(1, max(seen.payloads) + 1))
    assert len(seen.epochs) == 1
    assert {seq: json.loads(seen.payloads[seq]) for seq in seen.over_rest} == seen.over_rest
    for job_id in ids:
        events = await house.pages(job_id)
        lines = [line for e in events if e["type"] == "log" for line in e["log"]["lines"]]
        total = int(lines[-1].split()[1])
        assert lines[:-1] == [f"epoch={n} loss={1 / (n + 1):.6f}" for n in range(total)], "each line once, in order"
        states = [e["status"]["value"] for e in events if e["type"] == "status"]
        assert [s for s in states if s in ("finished", "failed", "stopped", "lost")] == ["finished"]
    print(
        f"{KILLS} kills and {early} of servers that had not said yet that they were ready; {len(seen.payloads)} events "
        f"seen, {seen.compared} compared with what came again, {len(seen.over_rest)} over REST; lives of each "
        f"subscriber: {lives}"
    )
