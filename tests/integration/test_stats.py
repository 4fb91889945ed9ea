"""Platform statistics: every combination of the query, synchronous, pushed and streamed."""

import asyncio
import itertools
from pathlib import Path

import pytest

STATS = "/k12ai/platform/stats"
KEYS = ("cpus", "gpus", "disks", "containers")
FIELDS = {
    "cpus": {"cpu_percent", "cpu_percent_list", "cpu_memory_total", "cpu_memory_usage", "cpu_memory_percent"},
    "gpus": {"gpus"},
    "disks": {"disks"},
    "containers": {"containers"},
}
USER = {"username": "test", "password": "test"}
BUSY = "import time\nwhile True: time.sleep(0.001)"
NVIDIA = Path("/proc/driver/nvidia/version").exists()


def rule(query):
    """The contract's words: no query, all; any true, exactly those; otherwise all but those named false."""
    if any(query.values()):
        return {key for key in KEYS if query.get(key) is True}
    return {key for key in KEYS if query.get(key) is not False}


async def test_every_combination_of_the_query(client):
    for values in itertools.product((True, False, None), repeat=4):
        query = {k: v for k, v in zip(KEYS, values, strict=True) if v is not None}
        reply = await client.post(STATS, USER | {"query": query})
        assert reply.status == 200
        assert set(reply.body) == set().union(*(FIELDS[key] for key in rule(query))), query


async def test_synchronous_answer_has_the_document_s_fields(client):
    for body in (USER, USER | {"async": False}, USER | {"query": {}}):
        reply = await client.post(STATS, body)
        assert reply.status == 200
        message, info = reply.message, reply.body
        assert [message[k] for k in ("type", "tag", "op", "user")] == ["info", "platform", "stats", "test"]
        assert "seq" not in message
        assert set(info) == set().union(*FIELDS.values())
        assert 0 <= info["cpu_percent"] <= 100
        assert info["cpu_percent_list"]
        assert all(0 <= value <= 100 for value in info["cpu_percent_list"])
        assert 0 < info["cpu_memory_usage"] < info["cpu_memory_total"]
        assert 0 < info["cpu_memory_percent"] < 100
        assert info["containers"] == []
        for disk in info["disks"]:
            assert list(disk) == ["path", "disk_total", "disk_usage", "disk_percent"]
            assert 0 < disk["disk_usage"] <= disk["disk_total"]
            assert 0 <= disk["disk_percent"] <= 100
        assert info["disks"]


@pytest.mark.skipif(NVIDIA, reason="this machine has an NVIDIA driver")
async def test_no_gpu_is_an_empty_list(client):
    assert (await client.post(STATS, USER | {"query": {"gpus": True}})).body == {"gpus": []}


@pytest.mark.skipif(not NVIDIA, reason="this machine has no NVIDIA driver")
async def test_gpus_have_the_document_s_fields(client):
    gpus = (await client.post(STATS, USER | {"query": {"gpus": True}})).body["gpus"]
    assert gpus
    for gpu in gpus:
        assert {"name", "gpu_percent", "gpu_memory_total", "gpu_memory_usage", "gpu_memory_percent"} <= set(gpu)


async def test_running_jobs_are_the_containers(client):
    job_id = await client.start(BUSY, "proj", "alice")
    await client.until(job_id, "running")
    (entry,) = (await client.post(STATS, USER | {"query": {"containers": True}})).body["containers"]
    named = {k: entry[k] for k in ("op", "user", "service_uuid", "service_name", "job_id")}
    assert named == {
        "op": "train.start",
        "user": "alice",
        "service_uuid": "proj",
        "service_name": "toy",
        "job_id": job_id,
    }
    assert isinstance(entry["id"], str)
    assert entry["cpu_percent"] >= 0
    assert 0 < entry["cpu_memory_usage"] < entry["cpu_memory_total"]
    assert 0 < entry["cpu_memory_percent"] < 100
    await client.stop("proj", "alice")
    await client.until(job_id)
    assert (await client.post(STATS, USER | {"query": {"containers": True}})).body["containers"] == []


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"query": {"cpus": 1}}, "query.cpus"),
        ({"query": {"cpus": "true"}}, "query.cpus"),
        ({"query": {"gpu": True}}, "query.gpu"),
        ({"query": []}, "query"),
        ({"query": None}, "query"),
        ({"async": "yes"}, "async"),
        ({"async": 1}, "async"),
        ({"username": 5}, "username"),
        ({"username": "u" * 65}, "username"),
        ({"password": {}}, "password"),
        ({"every": 2}, "every"),
        ({"asynchronous": True}, "asynchronous"),
        ({"verbose": True}, "verbose"),
    ],
)
async def test_wrong_types_are_named(client, body, loc):
    reply = await client.post(STATS, USER | body)
    assert (reply.status, reply.body["code"]) == (400, 100102)
    assert [f["loc"] for f in reply.body["detail"]["fields"]] == [loc]


async def test_asynchronous_is_acknowledged_and_pushed_to_its_user_alone(client):
    channels = {}
    for name, wanted in (
        ("mine", {"tag": ["platform"], "user": "test"}),
        ("mine and more", {"tag": ["platform", "framework"], "user": "test", "type": ["info"]}),
        ("another user", {"tag": ["platform"], "user": "other"}),
        ("another tag", {"tag": ["framework"], "user": "test"}),
        ("another type", {"tag": ["platform"], "user": "test", "type": ["error"]}),
        ("no tag", {"user": "test"}),
        ("no user", {"tag": ["platform"]}),
        ("nothing", None),
    ):
        channels[name] = await client.channel()
        if wanted is not None:
            assert (await channels[name].subscribe("s", **wanted))["type"] == "info"
    reply = await client.post(STATS, USER | {"async": True, "query": {"cpus": True}})
    assert (reply.status, reply.message["type"], reply.body["code"]) == (202, "info", 100000)
    push_id = reply.body["id"]
    for name in ("mine", "mine and more"):
        message = await channels[name].next()
        assert [message[k] for k in ("id", "tag", "op", "user", "type")] == [
            push_id,
            "platform",
            "stats",
            "test",
            "info",
        ]
        assert set(message["info"]) == FIELDS["cpus"]
        assert "seq" not in message
    for name, channel in channels.items():
        assert await channel.silence() == [], name
    job_id = await client.start()
    await client.until(job_id)
    first, *_ = await client.events(job_id)
    assert first["seq"] == 1  # the push was not stored


async def test_a_push_reaches_a_subscription_that_began_at_the_start(client):
    await client.until(await client.start("for i in range(2000): print(i, 'loss=0.1')"))
    for _ in range(5):
        channel = await client.channel()
        await channel.subscribe("s", "start", user="test", tag=["platform"])
        reply = await client.post(STATS, USER | {"async": True, "query": {"cpus": True}})
        assert (await channel.next(5))["id"] == reply.body["id"]
        await channel.close()


async def test_asynchronous_needs_a_username(client):
    reply = await client.post(STATS, {"async": True})
    assert (reply.status, reply.body["code"]) == (400, 100101)
    assert reply.body["detail"]["fields"][0]["loc"] == "username"


async def test_statistics_over_the_channel(client):
    channel = await client.channel()
    answer = await channel.ask({"tag": "platform", "op": "stats", "id": "8", "query": {"disks": True}})
    assert set(answer["info"]) == {"disks"}
    assert "seq" not in answer
    await channel.subscribe("s", tag=["platform"], user="test")
    request = {"tag": "platform", "op": "stats", "id": "9", "username": "test", "async": True, "query": {"cpus": True}}
    channel.send(request)
    answers = [await channel.next(), await channel.next()]
    assert [set(a["info"]) for a in answers] == [{"code", "descr", "id"}, FIELDS["cpus"]]
    assert (answers[0]["info"]["id"], answers[1]["id"]) == ("9", "9")


async def test_a_stream_comes_with_its_id_until_it_is_unsubscribed(client):
    channel = await client.channel()
    request = {"tag": "platform", "op": "stats", "id": "beat", "query": {"cpus": True}, "every": 0.2}
    channel.send(request)
    beats = [await channel.next() for _ in range(4)]
    assert {b["id"] for b in beats} == {"beat"}
    assert all(set(b["info"]) == FIELDS["cpus"] for b in beats)
    gaps = [(b["timestamp"] - a["timestamp"]) / 1000 for a, b in itertools.pairwise(beats)]
    assert sum(gaps) == pytest.approx(0.6, abs=0.25)
    again = await channel.ask(request | {"query": {"cpus": True}})
    while again["type"] == "info":
        again = await channel.next()
    assert again["error"]["code"] == 100102  # the id is taken
    channel.send({"tag": "channel", "op": "unsubscribe", "id": "beat"})
    while (await channel.next())["op"] != "unsubscribe":
        pass
    await asyncio.sleep(0.5)
    assert await channel.silence() == []


@pytest.mark.parametrize(
    ("change", "code", "loc"),
    [
        ({"every": 0}, 100102, "every"),
        ({"every": 0.1}, 100102, "every"),
        ({"every": 3601}, 100102, "every"),
        ({"every": "2"}, 100102, "every"),
        ({"every": True}, 100102, "every"),
        ({"every": 1, "async": True}, 100102, None),
        ({"query": {"cpus": "x"}}, 100102, "query.cpus"),
        ({"op": "status"}, 100102, None),
    ],
)
async def test_bad_statistics_frames(client, change, code, loc):
    channel = await client.channel()
    answer = await channel.ask({"tag": "platform", "op": "stats", "id": "8"} | change)
    assert answer["error"]["code"] == code
    if loc is not None:
        assert [f["loc"] for f in answer["error"]["detail"]["fields"]] == [loc]
    await channel.ping()


async def test_a_stream_needs_an_id(client):
    channel = await client.channel()
    channel.send({"tag": "platform", "op": "stats", "every": 1})
    answer = await channel.next()
    assert (answer["error"]["code"], answer["error"]["detail"]["fields"][0]["loc"]) == (100101, "id")
