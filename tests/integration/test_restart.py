"""A server that dies and comes back: nothing lost, nothing twice, and every job with its true end."""

import asyncio
import contextlib
import gc
import json
import signal
import sqlite3

import pytest

from k12ai_ws.app import StartError

ALL = "status,metrics,progress,log,error,info"
TRAIN = "/k12ai/framework/train"
# Waits for a file before each part, so that the test decides what is printed in which life of the server.
GATED = """
import os, sys, time
def gate(name):
    while not os.path.exists(name): time.sleep(0.005)
for part in range({parts}):
    gate(f"gate{{part}}")
    for i in range({lines}):
        n = part * {lines} + i
        print(f"epoch={{n}} loss={{1 / (n + 1):.4f}}", flush=n % 7 == 0)
    sys.stdout.flush()
    print(f"part {{part}} of {parts}", file=sys.stderr, flush=True)
gate("gate{parts}")
{last}
"""
TICK = "import time\nfor i in range({n}):\n print(f'epoch={{i}} loss={{i / 1000}}', flush=True)\n time.sleep({pause})"


def gated(parts=2, lines=50, last=""):
    return GATED.format(parts=parts, lines=lines, last=last)


def open_gate(house, part, uuid="p", user="u"):
    (house.data_dir / "workspaces" / user / uuid / "toy" / f"gate{part}").touch()


def flat(events):
    """What two runs of one scripted job have in common: log lines joined per stream; of the others type and body."""
    lines = {"stdout": [], "stderr": []}
    rest = []
    for event in events:
        if event["type"] == "log":
            lines[event["log"]["stream"]] += event["log"]["lines"]
        else:
            rest.append((event["type"], json.dumps(event[event["type"]], sort_keys=True)))
    return lines, rest


def printed(events):
    return flat(events)[0]["stdout"]


def sound(events):
    """seq strictly increasing, one terminal status, and it is the last event."""
    numbers = [e["seq"] for e in events]
    assert numbers == sorted(set(numbers))
    ends = [
        e for e in events if e["type"] == "status" and e["status"]["value"] in ("finished", "failed", "stopped", "lost")
    ]
    assert ends == events[-1:]
    return ends[0]["status"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_printing_jobs_go_on_under_the_next_server(house, how):
    client = await house.start(jobs={"max_running": 4, "max_running_per_user": 4, "grace_s": 0.5})
    lasts = {"good": "", "raises": "raise ValueError('no data')", "exits": "sys.exit(7)"}
    ids = {uuid: await client.start(gated(last=last), uuid) for uuid, last in lasts.items()}
    for uuid, job_id in ids.items():
        await client.until(job_id, "running")
        open_gate(house, 0, uuid)
    for job_id in ids.values():
        await client.until_printed(job_id, 50)
    before = {uuid: await client.events(job_id) for uuid, job_id in ids.items()}
    for uuid in ids:
        open_gate(house, 1, uuid)  # they print while the server dies
    code = await house.end(how)
    assert code == (0 if how == signal.SIGTERM else -signal.SIGKILL)
    client = await house.start()
    for uuid, job_id in ids.items():
        await client.until_printed(job_id, 100)
        assert (await client.job(job_id))["status"]["value"] == "running"
        open_gate(house, 2, uuid)
    ends = {uuid: (await client.until(job_id))["status"] for uuid, job_id in ids.items()}
    assert {uuid: (end["value"], end["reason"], end.get("exit_code")) for uuid, end in ends.items()} == {
        "good": ("finished", "completed", 0),
        "raises": ("failed", "exception", 1),
        "exits": ("failed", "exit_code", 7),
    }
    for uuid, job_id in ids.items():
        events = await client.events(job_id)
        sound(events)
        assert events[: len(before[uuid])] == before[uuid]  # what was seen once is never changed
        assert printed(events) == [f"epoch={n} loss={1 / (n + 1):.4f}" for n in range(100)]
        # and the same job in one undisturbed life gives the same
        user = "calm"
        calm = await client.start(gated(last=lasts[uuid]), uuid, user)
        await client.until(calm, "running")
        for part in range(3):
            await client.until_printed(calm, part * 50)
            open_gate(house, part, uuid, user)
        await client.until(calm)
        assert flat(events) == flat(await client.events(calm))


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.11, 0.2, 0.33])
async def test_kill_at_any_moment_loses_and_repeats_nothing(house, delay):
    client = await house.start(jobs={"max_running": 4, "max_running_per_user": 4})
    ids = [await client.start(TICK.format(n=400, pause=0.002), f"p{i}") for i in range(3)]
    channel = await client.channel()
    await channel.subscribe("s", "start", type=ALL.split(","))
    await client.until_printed(ids[0], 1)
    await asyncio.sleep(delay)
    await house.end(signal.SIGKILL)
    seen = {message.get("seq"): raw for message, raw in await channel.rest()}  # what was sent before the kill
    client = await house.start()
    for job_id in ids:
        assert (await client.until(job_id))["status"]["value"] == "finished"
        events = await client.events(job_id)
        sound(events)
        assert printed(events) == [f"epoch={i} loss={i / 1000}" for i in range(400)]
        assert [e["metrics"]["epoch"] for e in events if e["type"] == "metrics"] == list(range(400))
        stamps = [e["timestamp"] for e in events if e["type"] in ("metrics", "log")]
        assert stamps == sorted(stamps)
    again = await client.channel()
    await again.subscribe("s", "start", type=ALL.split(","))
    replayed = {m["seq"]: raw for m, raw in await again.until_end(*ids)}
    assert all(replayed[seq] == raw for seq, raw in seen.items() if seq is not None)
    assert sorted(replayed) == list(range(1, len(replayed) + 1))


async def test_a_subscriber_resumes_with_its_token(house):
    client = await house.start()
    channel = await client.channel()
    epoch = (await channel.subscribe("s", type=ALL.split(",")))["info"]["epoch"]
    job_id = await client.start(TICK.format(n=200, pause=0.005))
    seen = []
    while len(seen) < 20:
        seen.append((await channel.next_raw())[0])
    await house.end(signal.SIGKILL)
    client = await house.start()
    channel = await client.channel()
    answer = await channel.subscribe("s", seen[-1]["seq"], epoch, type=ALL.split(","))
    assert answer["info"]["recovered"] is True
    assert answer["info"]["epoch"] == epoch
    seen += [m for m, _ in await channel.until_end(job_id)]
    assert seen == await client.events(job_id)


async def test_jobs_that_ended_meanwhile_get_their_true_end(house):
    client = await house.start(jobs={"max_running": 9, "max_running_per_user": 9})
    lasts = {
        "good": ("", ("finished", "completed", 0, None)),
        "code": ("sys.exit(3)", ("failed", "exit_code", 3, None)),
        "raise": ("{}['x']", ("failed", "exception", 1, None)),
        "killed": ("os.kill(os.getpid(), 9)", ("failed", "signal", None, 9)),
    }
    ids = {uuid: await client.start(gated(1, 20, last), uuid) for uuid, (last, _) in lasts.items()}
    for job_id in ids.values():
        await client.until(job_id, "running")
    await house.end(signal.SIGKILL)
    for uuid in ids:
        open_gate(house, 0, uuid)
        open_gate(house, 1, uuid)
    await house.until_there(*(house.data_dir / "runs" / job_id / "exit.json" for job_id in ids.values()))
    client = await house.start()
    for uuid, job_id in ids.items():
        status = (await client.until(job_id))["status"]
        got = (status["value"], status["reason"], status.get("exit_code"), status.get("signal"))
        assert got == lasts[uuid][1], uuid
        events = await client.events(job_id)
        sound(events)
        assert len(printed(events)) == 20


async def test_queued_jobs_keep_their_order(house):
    client = await house.start(jobs={"max_running": 1})
    first = await client.start(gated(1, 3), "a")
    queued = [await client.start(f"print({i})", f"q{i}") for i in range(4)]
    await client.until(first, "running")
    await house.end(signal.SIGKILL)
    client = await house.start()
    assert (await client.job(first))["status"]["value"] == "running"
    assert [(await client.job(j))["status"]["value"] for j in queued] == ["queued"] * 4
    reply = await client.post(TRAIN, client.order("train.start", "q2"))
    assert reply.status == 409  # it is active, although only queued
    open_gate(house, 0, "a")
    open_gate(house, 1, "a")
    started = []
    for i, job_id in enumerate(queued):
        job = await client.until(job_id)
        assert job["status"]["value"] == "finished"
        assert await client.lines(job_id) == [str(i)]
        started.append(job["timings"]["started"])
        sound(await client.events(job_id))
    assert started == sorted(started)


async def test_a_stop_in_progress_is_carried_on(house):
    client = await house.start(jobs={"grace_s": 1.0})
    stubborn = "import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: print('not yet', flush=True))\n"
    stubborn += "print('up', flush=True)\nwhile True: time.sleep(0.05)"
    job_id = await client.start(stubborn)
    await client.until_printed(job_id, 1)
    assert (await client.stop()).status == 202
    await house.end(signal.SIGKILL)
    client = await house.start()
    job = await client.until(job_id)
    assert (job["status"]["value"], job["status"]["reason"]) == ("stopped", "stopped_by_user")
    assert job["status"]["requested_by"] == "u"
    events = await client.events(job_id)
    sound(events)
    assert [e["status"]["value"] for e in events if e["type"] == "status"] == [
        "queued", "starting", "running", "stopping", "stopped",
    ]  # fmt: skip
    assert printed(events)[:2] == ["up", "not yet"]


async def test_kill_right_after_a_start_was_answered(house):
    """Every accepted job is there after the crash, however far its launch had come."""
    client = await house.start(jobs={"max_running": 3, "max_running_per_user": 3})
    ids = []
    for round_ in range(3):
        replies = await asyncio.gather(
            *(
                client.post(TRAIN, client.order("train.start", f"r{round_}-{i}", script="print('once')"))
                for i in range(4)
            )
        )
        ids += [r.message["job_id"] for r in replies]
        await house.end(signal.SIGKILL)
        client = await house.start()
    for job_id in ids:
        job = await client.until(job_id)
        assert job["status"]["value"] == "finished", job
        assert await client.lines(job_id) == ["once"]
        sound(await client.events(job_id))


async def test_an_idempotency_key_outlives_the_server(house):
    client = await house.start()
    order = client.order("train.start", script="print(1)")
    job_id = (await client.post(TRAIN, order, Idempotency_Key="k")).message["job_id"]
    await house.end(signal.SIGKILL)
    client = await house.start()
    assert (await client.post(TRAIN, order, Idempotency_Key="k")).message["job_id"] == job_id
    await client.until(job_id)
    assert len(await client.jobs()) == 1


async def test_a_second_server_on_the_same_data_is_refused(house):
    await house.start()
    second = await house.spawn()
    await asyncio.wait_for(second.communicate(), 20)
    assert second.returncode not in (0, None)
    assert "another server uses the data folder" in house.log()
    assert (await house.client.get("/health")).status == 200


# Tornado leaves the socket that it could not bind to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_start_that_fails_leaves_nothing_behind(serve):
    client = await serve(name="one")
    with pytest.raises(StartError, match="cannot listen on"):
        await serve({"server": {"port": client.port}}, name="two")
    gc.collect()
    again = await serve(name="two")  # its data folder is free
    assert (await again.get("/ready")).body["ready"] is True


@pytest.mark.parametrize("content", [b"this is no database" * 100, None])
async def test_a_broken_store_is_told(serve, tmp_path, content):
    folder = tmp_path / "data"
    folder.mkdir()
    if content is None:  # another version's
        with contextlib.closing(sqlite3.connect(folder / "k12ai.sqlite3")) as database:
            database.execute("PRAGMA user_version = 4711")
    else:
        (folder / "k12ai.sqlite3").write_bytes(content)
    with pytest.raises(StartError, match=r"k12ai\.sqlite3"):
        await serve()


async def test_graceful_end_is_quick_and_clean(house):
    client = await house.start()
    job_id = await client.start(gated(1, 10))
    await client.until(job_id, "running")
    async with asyncio.timeout(5):
        assert await house.end(signal.SIGTERM) == 0
    client = await house.start()
    assert (await client.job(job_id))["status"]["value"] == "running"
    await client.stop()
    assert (await client.until(job_id))["status"]["value"] == "stopped"
