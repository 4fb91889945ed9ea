"""The WebSocket of a real server: subscriptions, replay, requests, limits and endings."""

import asyncio
import contextlib
import json
import socket
import time

import pytest

ORDER = {
    "tag": "framework", "op": "train.start", "user": "u", "service_name": "toy", "service_uuid": "p",
    "service_params": {},
}  # fmt: skip
ALL = ["status", "metrics", "progress", "log", "error", "info"]
TICK = "import time\nfor i in range({n}):\n print(f'epoch={{i}} loss={{i / 1000}}', flush=True)\n time.sleep({pause})"


def ticker(n=10, pause=0.01):
    return TICK.format(n=n, pause=pause)


def seqs(messages):
    return [m["seq"] for m in messages if "seq" in m]


async def drain(channel, job_id):
    """All events up to the job's end: their bytes by seq, each once and in order."""
    seen = await channel.until_end(job_id)
    numbers = [m["seq"] for m, _ in seen]
    assert numbers == sorted(set(numbers))
    return {m["seq"]: raw for m, raw in seen}


# ---- subscriptions


async def test_live_stream_ends_with_the_terminal_status(client):
    channel = await client.channel()
    answer = await channel.subscribe("s1", type=ALL)
    assert [answer[k] for k in ("type", "tag", "op", "id")] == ["info", "channel", "subscribe", "s1"]
    assert answer["info"]["code"] == 100000
    assert (answer["info"]["head"], answer["info"]["recovered"]) == (0, True)
    assert isinstance(answer["info"]["epoch"], str)
    job_id = await client.start(ticker(3))
    messages = [m for m, _ in await channel.until_end(job_id)]
    assert [m["status"]["value"] for m in messages if m["type"] == "status"] == [
        "queued", "starting", "running", "finished",
    ]  # fmt: skip
    assert [m["metrics"] for m in messages if m["type"] == "metrics"] == [
        {"epoch": i, "loss": i / 1000} for i in range(3)
    ]
    assert all(
        [m["user"], m["service_uuid"], m["service_name"], m["job_id"]] == ["u", "p", "toy", job_id] for m in messages
    )
    assert all(m["op"] == "train.start" for m in messages)
    assert await channel.silence() == []  # the terminal status was the last


async def test_log_lines_only_for_those_who_ask_by_name(client):
    plain, asking = await client.channel(), await client.channel()
    await plain.subscribe("s")
    await asking.subscribe("s", type=["log"])
    job_id = await client.start(ticker(2))
    assert "log" not in {m["type"] for m, _ in await plain.until_end(job_id)}
    lines = []
    while len(lines) < 2:
        message = await asking.next()
        assert message["type"] == "log"
        lines += message["log"]["lines"]
    assert lines == ["epoch=0 loss=0.0", "epoch=1 loss=0.001"]


async def test_every_filter(client):
    wanted = {
        "user": {"user": "alice"},
        "uuid": {"service_uuid": "p1"},
        "name": {"service_name": "toy"},
        "none": {"service_name": "other"},
        "tag": {"tag": ["framework"]},
        "platform": {"tag": ["platform"]},
        "types": {"type": ["metrics", "log"]},
        "both": {"user": "alice", "service_uuid": "p2", "type": ["status"]},
    }
    live = {name: await client.channel() for name in wanted}
    for name, channel in live.items():
        await channel.subscribe("s", **wanted[name])
    ids = {}
    for user, uuid in (("alice", "p1"), ("alice", "p2"), ("bob", "p1")):
        ids[user, uuid] = await client.start(ticker(2), uuid, user)
        await client.until(ids[user, uuid])
    events = [e for job_id in ids.values() for e in await client.events(job_id)]
    events.sort(key=lambda e: e["seq"])

    def passes(event, user=None, service_uuid=None, service_name=None, job_id=None, tag=None, type=None):
        return (
            user in (None, event["user"])
            and service_uuid in (None, event["service_uuid"])
            and service_name in (None, event["service_name"])
            and job_id in (None, event["job_id"])
            and (tag is None or event["tag"] in tag)
            and (event["type"] in type if type else event["type"] != "log")
        )

    wanted["job"] = {"job_id": ids["alice", "p2"]}
    for name, one in wanted.items():
        expected = [e for e in events if passes(e, **one)]
        if name in live:
            assert await live[name].silence() == expected, name
        replayed = await client.channel()
        await replayed.subscribe("s", "start", **one)
        for event in expected:
            assert await replayed.next() == event, name
        assert await replayed.silence() == [], name


async def test_after_now_start_and_a_seq(client):
    job_id = await client.start(ticker(5))
    await client.until(job_id)
    events = await client.events(job_id)
    for after, expected in (
        ("now", []),
        ("start", events),
        (0, events),
        (events[3]["seq"], events[4:]),
        (events[-1]["seq"], []),
    ):
        channel = await client.channel()
        answer = await channel.subscribe("s", after, type=ALL)
        assert answer["info"]["head"] == events[-1]["seq"]
        for event in expected:
            assert await channel.next() == event, after
        assert await channel.silence() == [], after


async def test_a_token_of_another_log_is_told_and_gets_everything(client):
    job_id = await client.start(ticker(3))
    await client.until(job_id)
    events = await client.events(job_id)
    head = events[-1]["seq"]
    epoch = (await client.get(f"/k12ai/framework/jobs/{job_id}/events")).body["epoch"]
    for after, name in ((3, "another"), (head + 1, None), (head + 1, epoch), (2**63 - 1, epoch)):
        channel = await client.channel()
        answer = await channel.subscribe("s", after, name, type=ALL)
        assert answer["error"]["code"] == 100107
        assert answer["error"]["detail"] == {"epoch": epoch, "earliest": 1, "head": head, "recovered": False}
        for event in events:
            assert await channel.next() == event
        assert await channel.silence() == []
    channel = await client.channel()
    assert (await channel.subscribe("s", 3, epoch, type=ALL))["info"]["recovered"] is True
    assert (await channel.next())["seq"] == 4


async def test_the_union_of_subscriptions_comes_once(client):
    channel = await client.channel()
    for i, wanted in enumerate(({"type": ALL}, {"user": "u"}, {"type": ["metrics"]}, {"type": ["log", "status"]})):
        await channel.subscribe(f"live{i}", **wanted)
    job_id = await client.start(ticker(200, 0.001))
    for i, after in enumerate(("start", 2, "start", "now")):  # more of them, in the middle of the stream
        await channel.subscribe(f"more{i}", after, **({"type": ALL} if i % 2 else {"job_id": job_id}))
    got = await drain(channel, job_id)
    assert len(got) == len(await client.events(job_id))
    assert await channel.silence() == []


async def test_a_later_wider_subscription_gives_only_what_was_not_given(client):
    job_id = await client.start(ticker(5))
    await client.until(job_id)
    events = await client.events(job_id)
    channel = await client.channel()
    await channel.subscribe("narrow", "start", type=["metrics"])
    assert seqs([await channel.next() for _ in range(5)]) == seqs(e for e in events if e["type"] == "metrics")
    assert await channel.silence() == []
    await channel.subscribe("wide", "start", type=ALL)
    rest = [e for e in events if e["type"] != "metrics"]
    assert [await channel.next() for _ in rest] == rest
    assert await channel.silence() == []


async def test_replay_goes_over_into_live_without_gap_or_repeat(client):
    job_id = await client.start(ticker(1500, 0.0005))
    channels = []
    while (await client.job(job_id))["status"]["value"] not in ("finished", "failed"):
        channel = await client.channel()
        await channel.subscribe("s", "start", type=ALL)
        channels.append(channel)
        await asyncio.sleep(0.03)
    assert len(channels) > 5
    first, *others = [await drain(channel, job_id) for channel in channels]
    assert sum(raw.count(b'"metrics":{') for raw in first.values()) == 1500
    for other in others:
        assert other == first


async def test_everyone_sees_the_same_bytes_for_ever(client):
    one, two = await client.channel(), await client.channel()
    await one.subscribe("a", type=ALL)
    await two.subscribe("b", user="u", type=ALL)
    job_id = await client.start(ticker(20))
    live = await drain(one, job_id)
    assert await drain(two, job_id) == live
    late = await client.channel()
    await late.subscribe("c", "start", type=ALL)
    assert await drain(late, job_id) == live
    raw = (await client.get(f"/k12ai/framework/jobs/{job_id}/events?type={','.join(ALL)}&limit=1000")).raw
    assert b'"events":[' + b",".join(live.values()) + b"]" in raw


async def test_unsubscribe(client):
    channel = await client.channel()
    await channel.subscribe("s")
    answer = await channel.ask({"tag": "channel", "op": "unsubscribe", "id": "s"})
    assert (answer["op"], answer["info"]["code"]) == ("unsubscribe", 100000)
    await client.until(await client.start())
    assert await channel.silence() == []
    answer = await channel.ask({"tag": "channel", "op": "unsubscribe", "id": "s"})
    assert answer["error"]["code"] == 100205
    assert (await channel.subscribe("s"))["type"] == "info"  # the name is free again


async def test_names_are_unique_and_bounded_in_number(serve):
    client = await serve({"channel": {"max_subscriptions": 3}})
    channel = await client.channel()
    await channel.subscribe("a")
    assert (await channel.subscribe("a"))["error"]["code"] == 100102
    await channel.subscribe("b")
    await channel.ask({"tag": "platform", "op": "stats", "id": "c", "every": 3600})
    assert (await channel.subscribe("d"))["error"]["code"] == 100108
    await channel.ask({"tag": "channel", "op": "unsubscribe", "id": "c"})
    assert (await channel.subscribe("d"))["type"] == "info"


# ---- requests


async def test_ping(client):
    answer = await (await client.channel()).ping("p1")
    assert [answer[k] for k in ("type", "tag", "op", "id")] == ["info", "channel", "ping", "p1"]


async def test_jobs_are_started_and_stopped_over_the_channel(client):
    channel = await client.channel(Accept_Language="zh")
    await channel.subscribe("s")
    order = {"tag": "framework", "id": "7"} | client.order("train.start", script=ticker(2000))
    answer = await channel.ask(order)
    assert [answer[k] for k in ("type", "op", "user", "service_uuid")] == ["status", "train.start", "u", "p"]
    job_id = answer["job_id"]
    refused = await channel.ask(order)
    assert (refused["error"]["code"], refused["user"]) == (100204, "u")
    assert refused["error"]["descr"] != "a job of this user and service_uuid is already active"
    stop = await channel.ask({"tag": "framework", "id": "8"} | client.order("train.stop"))
    assert (stop["op"], stop["status"]["value"], stop["job_id"]) == ("train.stop", "stopping", job_id)
    *_, (last, _) = await channel.until_end(job_id)
    assert last["status"]["value"] == "stopped"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", 100103),
        ("{", 100103),
        ("[]", 100103),
        ("null", 100103),
        ('"x"', 100103),
        ("NaN", 100103),
        ('{"tag":"\\ud800"}', 100103),
        ("[" * 100_000, 100103),
        ('{"a":' * 900 + "1" + "}" * 900, 100101),
        (b"\x00\xff", 100103),
        (b'{"tag":"channel","op":"ping","id":"1"}', 100103),
        ({}, 100101),
        ({"tag": "channel"}, 100101),
        ({"tag": "channel", "op": "ping", "id": 7}, 100102),
        ({"tag": "channel", "op": "ping", "id": ""}, 100102),
        ({"tag": "channel", "op": "ping", "id": "x" * 129}, 100102),
        ({"tag": "channel", "op": "ping", "id": "1", "more": 1}, 100102),
        ({"tag": "chanel", "op": "ping", "id": "1"}, 100102),
        ({"tag": "channel", "op": "dance", "id": "1"}, 100102),
        ({"tag": "channel", "op": 5}, 100102),
        ({"tag": "channel", "op": "subscribe"}, 100101),
        ({"tag": "channel", "op": "subscribe", "id": None}, 100101),
        ({"tag": "channel", "op": "subscribe", "id": "1", "after": -1}, 100102),
        ({"tag": "channel", "op": "subscribe", "id": "1", "after": "end"}, 100102),
        ({"tag": "channel", "op": "subscribe", "id": "1", "after": 1.5}, 100102),
        ({"tag": "channel", "op": "subscribe", "id": "1", "after": True}, 100102),
        ({"tag": "channel", "op": "subscribe", "id": "1", "after": 2**63}, 100102),
        ({"tag": "channel", "op": "subscribe", "id": "1", "filter": []}, 100102),
        ({"tag": "channel", "op": "subscribe", "id": "1", "filter": {"type": []}}, 100102),
        ({"tag": "channel", "op": "subscribe", "id": "1", "filter": {"type": "log"}}, 100102),
        ({"tag": "channel", "op": "subscribe", "id": "1", "filter": {"type": ["gossip"]}}, 100102),
        ({"tag": "channel", "op": "subscribe", "id": "1", "filter": {"user": "../x"}}, 100102),
        ({"tag": "channel", "op": "subscribe", "id": "1", "filter": {"colour": "red"}}, 100102),
        ({"tag": "channel", "op": "unsubscribe"}, 100101),
        ({"tag": "channel", "op": "unsubscribe", "id": "none"}, 100205),
        ({"tag": "framework", "op": "train.start"}, 100101),
        (ORDER | {"service_name": "none"}, 100201),
        ({"tag": "platform", "op": "format"}, 100102),
    ],
    ids=lambda value: repr(value)[:60],
)  # fmt: skip
async def test_a_bad_frame_is_answered_and_the_connection_lives(client, frame, code):
    channel = await client.channel()
    channel.send(frame)
    answer = await channel.next()
    assert (answer["type"], answer["error"]["code"]) == ("error", code)
    assert answer.get("id") == (frame.get("id") if isinstance(frame, dict) and answer["op"] else None)
    await channel.ping()
    assert await client.jobs() == []


# ---- limits and endings


async def test_a_frame_too_big_closes_1009(serve):
    client = await serve({"channel": {"max_frame_bytes": 4096}})
    channel = await client.channel()
    channel.send(json.dumps({"tag": "channel", "op": "ping", "id": "x" * 5000}))
    assert await channel.close_code() == 1009
    assert (await client.get("/health")).status == 200


async def test_a_text_that_is_no_utf8_closes_1007_and_nothing_comes_after(client):
    """Neither do events follow the Close frame, nor is a frame looked at that came after the bad one."""
    channel = await client.channel()
    await channel.subscribe("s", type=ALL)
    job_id = await client.start(ticker(50, 0.01))
    await client.until(job_id, "running")
    channel.write(1, b"\xff\xfe")
    channel.send(ORDER | {"id": "late", "service_uuid": "late"})
    await client.until(job_id)
    channel.write(8, (1007).to_bytes(2, "big"))
    frames = []
    with contextlib.suppress(ConnectionError):
        while True:
            frames.append(await channel.frame())
    opcodes = [opcode for opcode, _ in frames]
    assert opcodes.index(8) == len(opcodes) - 1
    assert int.from_bytes(frames[-1][1][:2], "big") == 1007
    assert [job["service_uuid"] for job in await client.jobs()] == ["p"]


async def test_nothing_comes_after_the_answer_to_the_clients_own_close(client):
    channel = await client.channel()
    await channel.subscribe("s", type=ALL)
    job_id = await client.start(ticker(50, 0.01))
    await client.until(job_id, "running")
    channel.write(8, (1000).to_bytes(2, "big"))
    await client.until(job_id)
    with contextlib.suppress(ConnectionError):
        last = None
        while True:
            last = await channel.frame()
    assert last == (8, (1000).to_bytes(2, "big"))


async def test_a_message_in_fragments_is_one_message(serve):
    client = await serve({"channel": {"max_frame_bytes": 4096}})
    channel = await client.channel()
    raw = json.dumps({"tag": "channel", "op": "ping", "id": "in pieces"}).encode()
    channel.write(1, raw[:9], last=False)
    channel.write(9, b"a ping in between")
    channel.write(0, raw[9:20], last=False)
    channel.write(0, raw[20:])
    assert (await channel.next())["id"] == "in pieces"
    channel.write(1, b" " * 3000, last=False)
    channel.write(0, b" " * 3000)  # too big only together
    assert await channel.close_code() == 1009


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\x81\x84\0\0\0\0\xff\xfe\xc3(", 1007),  # text that is not UTF-8
        (b"\xf1\x80\0\0\0\0", 1002),  # reserved bits
        (b"\x83\x80\0\0\0\0", 1002),  # an opcode that does not exist
        (b"\x80\x80\0\0\0\0", 1002),  # a continuation of nothing
        (b"\x81\x01x", 1002),  # no mask
        (b"\x89\xfe\x01\x00\0\0\0\0" + b"x" * 256, 1002),  # a ping that is too long
        (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1009),  # a length without end
        (b"\x88\x81\0\0\0\0x", 1002),  # a close with half a code
        (b"GET / HTTP/1.1\r\n\r\n", 1002),
    ],
)
async def test_what_is_no_websocket_ends_that_connection_alone(client, raw, code):
    channel, other = await client.channel(), await client.channel()
    channel._writer.write(raw)
    assert await channel.close_code() == code
    await other.ping()


async def test_what_comes_with_the_handshake_is_handled_and_no_extension_is_agreed_on(client):
    """A client need not wait for the answer to its handshake; nothing is compressed, whatever it offers."""
    reader, writer = await client.socket()
    hello = json.dumps({"tag": "channel", "op": "ping", "id": "early"}).encode()
    writer.write(
        f"GET /k12ai/ws HTTP/1.1\r\nHost: {client.host}:{client.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode()
        + bytes([0x81, 0x80 | len(hello)]) + b"\0\0\0\0" + hello
    )  # fmt: skip
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert b"extensions" not in head.lower()
    first, size = await asyncio.wait_for(reader.readexactly(2), 30)
    assert (first, size) == (0x81, 126)
    answer = json.loads(await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")))
    assert (answer["op"], answer["id"]) == ("ping", "early")
    writer.close()


async def test_too_many_connections_close_1013(serve):
    client = await serve({"channel": {"max_connections": 2}})
    first, _ = [await client.channel() for _ in range(2)]
    await first.ping()
    assert await (await client.channel()).close_code() == 1013
    await first.close()
    await opened(client)


async def test_no_pong_closes_4408(serve):
    client = await serve({"channel": {"ping_interval_s": 0.2, "pong_timeout_s": 0.5}})
    silent, alive = await client.channel(pongs=False), await client.channel()
    await alive.subscribe("s")
    reading = asyncio.ensure_future(alive.next())  # which answers pings too
    assert await silent.close_code(10) == 4408
    await client.start()
    assert (await reading)["type"] == "status"


async def test_the_time_of_a_slow_driver_is_not_the_clients_silence(serve, toy, monkeypatch):
    """While a request is handled nothing is read, so a pong that is there cannot be seen."""
    monkeypatch.setattr(toy.services["toy"].driver, "check", lambda _: time.sleep(3))
    client = await serve({"channel": {"ping_interval_s": 0.2, "pong_timeout_s": 0.5}}, registry=toy)
    channel = await client.channel()
    answer = await channel.ask(ORDER | {"id": "1"})
    assert answer["type"] == "status"
    assert (await channel.ping())["type"] == "info"


async def test_bookmarks_come_in_silence(serve):
    client = await serve({"channel": {"bookmark_s": 0.3}})
    channel = await client.channel()
    epoch = (await channel.subscribe("s", user="nobody"))["info"]["epoch"]
    job_id = await client.start()
    await client.until(job_id)
    head = (await client.events(job_id))[-1]["seq"]
    for _ in range(5):
        mark = await channel.next(5)
        assert [mark[k] for k in ("type", "tag", "op", "id")] == ["info", "channel", "bookmark", "s"]
        assert mark["info"]["epoch"] == epoch
        assert "seq" not in mark
        if mark["info"]["head"] == head:
            return
    pytest.fail("no bookmark told the head")


async def test_shutdown_says_1001_and_the_jobs_go_on(serve):
    client = await serve()
    channel = await client.channel()
    await channel.subscribe("s")
    job_id = await client.start(ticker(30, 0.02))
    await client.until(job_id, "running")
    closing = asyncio.ensure_future(client.server.close())
    client.server.closed_by_test = True
    assert await channel.close_code() == 1001
    await channel.close()
    await asyncio.wait_for(closing, 10)
    again = await serve()
    assert (await again.until(job_id))["status"]["value"] == "finished"
    assert len(await again.lines(job_id)) == 30


async def test_another_origin_is_refused(client):
    for origin, status in (("http://evil.example", 403), ("null", 403), (client.address, 101)):
        got, _, writer = await client.handshake(Origin=origin)
        writer.close()
        assert got == status, origin


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Upgrade": "websocket"}, 426),
        ({"Upgrade": "websocket", "Sec_WebSocket_Version": "8"}, 426),
        ({"Upgrade": "websocket", "Sec_WebSocket_Version": "13"}, 400),
        ({"Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Connection": "upgrade"}, 400),
        (
            {
                "Upgrade": "websocket",
                "Sec_WebSocket_Version": "13",
                "Connection": "upgrade",
                "Sec_WebSocket_Key": "too short",
            },
            400,
        ),
    ],
)
async def test_a_bad_handshake_is_answered(client, headers, status):
    reply = await client.get("/k12ai/ws", **headers)
    assert (reply.status, reply.message["type"], reply.body["code"]) == (status, "error", 100102)


async def opened(client):
    """A channel that answers, once there is room for it."""
    for _ in range(250):
        channel = await client.channel()
        try:
            await channel.ping()
        except ConnectionError:  # closed with 1013
            await asyncio.sleep(0.02)
        else:
            return channel
    pytest.fail("there was never room for a connection again")


async def test_a_client_that_vanishes_is_forgotten(serve):
    client = await serve({"channel": {"max_connections": 2}})
    for _ in range(20):
        channel = await opened(client)
        await channel.subscribe("s", "start", type=ALL)
        channel.send({"tag": "platform", "op": "stats", "id": "b", "every": 0.2})
        channel.vanish()
    job_id = await client.start(ticker(50, 0.001))
    assert (await client.until(job_id))["status"]["value"] == "finished"
    await opened(client)
    await opened(client)  # all the places are free again


async def test_a_slow_reader_loses_nothing_and_costs_no_memory(house):
    """It reads nothing while 20 MB of log events are made, then everything, each event once."""
    client = await house.start()
    slow = await client.channel()
    await slow.subscribe("s", type=ALL)
    other = await client.channel()
    await other.subscribe("s", type=["status"])
    await client.until(await client.start("print('warm')", "w"))
    before = house.memory()
    job_id = await client.start("for i in range(20000): print(i, 'x' * 1000)")
    await other.until_end(job_id)
    grown = house.memory() - before
    assert grown < 60e6, f"{grown / 1e6:.0f} MB"
    events = [m for m, _ in await slow.until_end(job_id) if m["job_id"] == job_id]
    assert seqs(events) == sorted(set(seqs(events)))
    lines = [line for m in events if m["type"] == "log" for line in m["log"]["lines"]]
    assert [int(line.split()[0]) for line in lines] == list(range(20000))
    assert [m["status"]["value"] for m in events if m["type"] == "status"][-1] == "finished"
    assert await slow.silence() == []


def whole_messages(raw: bytes):
    """The messages in a server's bytes, and what is left of them."""
    found, at = [], 0
    while len(raw) >= at + 2:
        size, start = raw[at + 1], at + 2
        if size >= 126:
            start += 2 if size == 126 else 8
            size = int.from_bytes(raw[at + 2 : start], "big")
        if len(raw) < start + size:
            break
        if raw[at] & 15 == 1:
            found.append(json.loads(raw[start : start + size]))
        at = start + size
    return found, raw[at:]


async def test_one_that_reads_in_crumbs_and_one_that_stops_reading_get_everything_and_delay_nobody(serve):
    """Both fall behind the live stream and are fed from the store; a third one does not notice."""
    client = await serve({"channel": {"buffer_bytes": 4096}})
    crumbs, stopped, live = [await client.channel() for _ in range(3)]
    for channel in (crumbs, stopped):
        channel._writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        channel._writer.transport.pause_reading()
        channel.send({"tag": "channel", "op": "subscribe", "id": "s", "filter": {"type": ALL}, "after": "start"})
    await live.subscribe("s", type=ALL)
    job_id = await client.start("for i in range(12000): print(i, 'x' * 1000)")
    events = [m for m, _ in await live.until_end(job_id)]
    assert seqs(events) == sorted(set(seqs(events)))

    crumbs._writer.transport.resume_reading()
    got, rest, turn = [], b"", 0
    while not got or got[-1].get("status", {}).get("value") != "finished":
        turn += 1
        rest += await asyncio.wait_for(crumbs._reader.read(1 + turn * 97 % 20_000), 30)
        more, rest = whole_messages(rest)
        got += more
    assert seqs(got) == seqs(await client.events(job_id))

    stopped._writer.transport.resume_reading()
    assert (await stopped.next())["op"] == "subscribe"
    assert seqs(m for m, _ in await stopped.until_end(job_id)) == seqs(got)
    await client.until(await client.start(ticker(2), "after"))
    for channel in (stopped, live):  # and live again
        assert [m["status"]["value"] for m in await channel.silence() if m["type"] == "status"][-1] == "finished"


async def test_a_reader_that_never_reads_its_answers_gets_no_more(house):
    """Requests pile up in the client's own socket, not in the server."""
    client = await house.start()
    channel = await client.channel()
    before = house.memory()
    request = json.dumps({"tag": "channel", "op": "ping", "id": "x" * 128})
    for _ in range(300):
        for _ in range(200):
            channel.send(request)
        if not await channel.sent(0.2):
            break
    assert house.memory() - before < 30e6
    assert (await client.get("/health")).status == 200
    channel.vanish()


async def test_a_slow_reader_of_several_subscriptions_gets_them_in_order(client):
    """The last seq that it saw is its resume token, so nothing older may come later."""
    channel = await client.channel()
    for kind in ALL:
        await channel.subscribe(kind, type=[kind])
    job_id = await client.start("for i in range(20000): print(f'loss={i} ' + 'x' * 200)")
    await client.until(job_id)
    messages = [m for m, _ in await channel.until_end(job_id)] + await channel.silence()
    every = await client.events(job_id)
    assert sorted(seqs(messages)) == seqs(every)
    assert seqs(messages) == seqs(every)


async def test_shutdown_does_not_wait_for_those_who_do_not_read(house):
    client = await house.start()
    channel = await client.channel()
    await channel.subscribe("s", type=ALL)
    channel.send({"tag": "platform", "op": "stats", "id": "b", "every": 0.2})
    await client.until(await client.start("for i in range(10000): print(i, 'x' * 1000)"))
    async with asyncio.timeout(6):
        assert await house.end() == 0
