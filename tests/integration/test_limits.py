"""Every limit on how much: at it all are served, over it one is told so, and everyone else is served on."""

import asyncio
import json
import time

import pytest

from k12ai_ws.api.descriptors import RESERVE

TRAIN = "/k12ai/framework/train"
JOBS = "/k12ai/framework/jobs"
OTHER = "127.0.0.2"
"""A second address of this machine's own."""


async def raw_get(client, path="/health", *, source=None, method="GET", body=b"", keep=False, **headers):
    """One request over a bare connection: (status, envelope, headers); with `keep` also the open connection."""
    reader, writer = await client.socket(source)
    named = {"Host": "localhost"} | {k.replace("_", "-"): v for k, v in headers.items()}
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in named.items())])
    writer.write(head.encode() + b"\r\n\r\n" + body)
    answer = await read_answer(reader)
    if keep:
        return *answer, writer
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return answer


async def read_answer(reader):
    async with asyncio.timeout(20):
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = dict(line.split(": ", 1) for line in lines)
        message = json.loads(await reader.readexactly(int(headers["Content-Length"])))
    return int(first.split()[1]), message, headers


async def eventually(ask, good):
    """Asks until the answer is a good one: what was sent or ended on other connections has arrived by then."""
    deadline = time.monotonic() + 20
    while not good(answer := await ask()):
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.02)
    return answer


async def until_served(client, path="/health", **asked):
    """The status of the first answer that is no 429."""
    return (await eventually(lambda: raw_get(client, path, **asked), lambda answer: answer[0] != 429))[0]


async def until_refused(client, path, **asked):
    """The first answer that is 429."""
    return await eventually(lambda: raw_get(client, path, **asked), lambda answer: answer[0] == 429)


def assert_too_many(answer, setting):
    status, message, headers = answer
    assert (status, message["type"], message["error"]["code"]) == (429, "error", 100108)
    assert setting in message["error"]["message"]
    assert int(headers["Retry-After"]) > 0


async def silent(client, count, source=None):
    """So many connections that say nothing."""
    return [(await client.socket(source))[1] for _ in range(count)]


def hang_up(*writers):
    for writer in writers:
        writer.transport.abort()


# ---- connections


async def test_connections_in_all(serve):
    client = await serve({"limits": {"max_connections": 4}})
    first = await client.channel()
    held = await silent(client, 2)
    assert (await raw_get(client))[0] == 200  # the fourth
    held += await silent(client, 1)
    refused = await raw_get(client)
    assert_too_many(refused, "limits.max_connections")
    assert refused[2]["Connection"] == "close"
    await first.ping()  # who is in is served on
    hang_up(held.pop())
    assert await until_served(client) == 200
    hang_up(*held)


async def test_a_websocket_and_a_stream_keep_their_places_among_the_connections(serve):
    client = await serve({"limits": {"max_connections": 2}})
    channel, stream = await client.channel(), await client.listen("/k12ai/events")
    await channel.ping()
    await stream.next()
    assert_too_many(await raw_get(client), "limits.max_connections")
    await channel.close()
    assert await until_served(client) == 200
    held = await silent(client, 1)
    await stream.close()
    assert await until_served(client) == 200
    hang_up(*held)


async def test_connections_of_one_address(serve):
    client = await serve({"limits": {"max_connections_per_address": 2}})
    held = await silent(client, 2)
    assert_too_many(await raw_get(client), "limits.max_connections_per_address")
    assert (await raw_get(client, source=OTHER))[0] == 200
    hang_up(held[0])
    assert await until_served(client) == 200
    hang_up(*held)


async def test_a_trusted_proxys_connections_count_in_all_only(serve):
    limits = {"max_connections_per_address": 2, "max_connections": 4}
    client = await serve({"limits": limits, "server": {"trusted_proxies": [OTHER]}, "access": {"mode": "off"}})
    held = await silent(client, 3, OTHER)
    assert (await raw_get(client, source=OTHER, X_Forwarded_For="192.0.2.1"))[0] == 200
    held += await silent(client, 1, OTHER)
    assert_too_many(await raw_get(client, source=OTHER), "limits.max_connections)")
    hang_up(*held)


async def test_more_connections_than_the_system_allows_are_refused_and_not_waited_for(house, tmp_path):
    """Few open files: who is in is served on, and the accept that would fail is not tried over and over."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nulimit -n {RESERVE}\nexec {house.python} "$@"\n')
    python.chmod(0o755)
    client = await house.start(python)
    assert "open files" in house.log()
    channel = await client.channel()
    held = await silent(client, RESERVE // 2 - 1)
    assert_too_many(await raw_get(client), "limits.max_connections")
    await channel.ping()
    hang_up(*held)
    assert await until_served(client) == 200


# ---- sizes


async def test_the_size_of_a_head(serve):
    client = await serve({"limits": {"max_header_bytes": 2000}})
    start = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: "
    for size, status in ((2000, 200), (2001, 431), (100_000, 431), (5_000_000, 431)):
        reader, writer = await client.socket()
        writer.write(start + b"y" * (size - len(start) - 4) + b"\r\n\r\n")
        got, message, headers = await read_answer(reader)
        assert got == status, size
        assert status == 200 or (message["error"]["code"], headers["Connection"]) == (100011, "close")
        assert status == 200 or "limits.max_header_bytes" in message["error"]["message"]
        writer.close()
    assert (await client.get("/health")).status == 200


async def test_a_head_that_is_too_large_behind_a_good_one(client):
    """The answer to the first is not lost, and the second gets its own."""
    reader, writer = await client.socket()
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await read_answer(reader))[0] == 200
    writer.write(b"GET /" + b"y" * 100_000)
    assert (await read_answer(reader))[0] == 431
    writer.close()


async def test_the_length_of_a_query(serve):
    client = await serve({"limits": {"max_query_bytes": 100}})
    for path in (JOBS, "/k12ai/events", "/health"):
        query = "user=" + "u" * 95
        assert (await client.get(f"{path}?{query}")).status == 400  # looked at, and the name is too long
        reply = await client.get(f"{path}?{query}u")
        assert (reply.status, reply.body["code"]) == (414, 100011)
        assert "limits.max_query_bytes" in reply.body["message"]
    assert (await client.get(f"{JOBS}?user={'u' * 64}")).status == 200


async def test_the_size_of_a_body(serve):
    client = await serve({"server": {"max_body_bytes": 1000}})
    body = json.dumps(client.order("train.start", count=1)).encode()
    good, large = body + b" " * (1000 - len(body)), body + b" " * (1001 - len(body))
    assert (await client.post(TRAIN, good)).status == 202
    for sent in (large, large * 3000):
        status, message, _ = await raw_get(client, TRAIN, method="POST", body=sent, Content_Length=str(len(sent)))
        assert (status, message["error"]["code"]) == (413, 100011)
        assert "server.max_body_bytes" in message["error"]["message"]

    def chunked(sent):
        pieces = [sent[i : i + 300] for i in range(0, len(sent), 300)]
        return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"

    for sent, expected in ((good, (202, 409)), (large, (413,)), (large * 3000, (413,))):
        status, message, _ = await raw_get(
            client, TRAIN, method="POST", body=chunked(sent), Transfer_Encoding="chunked"
        )
        assert status in expected, message


async def test_a_handshake_may_not_bring_a_body_of_any_size(serve):
    """Nobody looks at it, so nobody would count it while it is gathered."""
    client = await serve({"server": {"max_body_bytes": 1000}})
    for size in (1001, 1 << 30):
        reader, writer = await client.socket()
        writer.write(f"GET /k12ai/ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode())
        async with asyncio.timeout(20):
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_the_size_of_a_frame(serve):
    client = await serve({"channel": {"max_frame_bytes": 4096}})
    channel, other = await client.channel(), await client.channel()
    frame = json.dumps({"tag": "channel", "op": "ping", "id": "1"})
    channel.send(frame + " " * (4096 - len(frame)))
    assert (await channel.next())["id"] == "1"
    channel.write(1, frame.encode(), last=False)  # in two fragments, together one byte more
    channel.write(0, b" " * (4097 - len(frame)))
    assert await channel.close_code() == 1009
    channel = await client.channel()
    channel.send(frame + " " * (4097 - len(frame)))
    assert await channel.close_code() == 1009
    await other.ping()


async def test_the_values_of_a_filter(serve):
    client = await serve({"limits": {"max_filter_values": 3}})
    channel = await client.channel()
    few = {"tag": ["framework"], "type": ["log", "error"]}
    assert (await channel.subscribe("few", **few))["type"] == "info"
    answer = await channel.subscribe("many", tag=["framework"], type=["log", "error", "log"])
    assert (answer["error"]["code"], answer["error"]["detail"]["fields"][0]["loc"]) == (100102, "filter")
    assert "limits.max_filter_values" in answer["error"]["message"]
    await channel.ping()
    for accept in ("application/json", "text/event-stream"):
        for types, status in (("log,error,info", 200), ("log,error,info,log", 400)):
            source = await client.listen(f"/k12ai/events?type={types}", Accept=accept)
            assert source.status == status
            assert status == 200 or (await source.error())["code"] == 100102


# ---- how many at one time


async def held_request(client, source=None, **headers):
    """A request that is being handled: its body does not come."""
    _, writer = await client.socket(source)
    lines = [f"POST {TRAIN} HTTP/1.1", "Host: localhost", "Content-Length: 100", "", '{"op":']
    lines[1:1] = [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
    writer.write("\r\n".join(lines).encode())
    await writer.drain()
    return writer


async def test_requests_in_all(serve):
    client = await serve({"server": {"max_requests_running": 3}})
    channel = await client.channel()
    held = [await held_request(client) for _ in range(3)]
    assert_too_many(await until_refused(client, JOBS), "server.max_requests_running")
    await channel.ping()
    for path in ("/health", "/ready"):  # an operator may look at a server that is full
        assert (await raw_get(client, path))[0] == 200
    hang_up(held.pop())
    assert await until_served(client, JOBS) == 200  # the third place is free, and two are not
    hang_up(*held)


async def test_requests_of_one_address(serve):
    client = await serve({"server": {"max_requests_running_per_address": 2}})
    held = [await held_request(client) for _ in range(2)]
    assert_too_many(await until_refused(client, JOBS), "server.max_requests_running_per_address")
    assert (await raw_get(client, JOBS, source=OTHER))[0] == 200
    hang_up(held.pop())
    assert await until_served(client, JOBS) == 200
    hang_up(*held)


async def test_requests_behind_a_proxy_count_for_whom_it_names(serve):
    client = await serve(
        {"server": {"max_requests_running_per_address": 1, "trusted_proxies": [OTHER]}, "access": {"mode": "off"}}
    )
    ann, bob = {"X_Forwarded_For": "198.51.100.1"}, {"X_Forwarded_For": "1.2.3.4, 198.51.100.2"}
    held = [await held_request(client, OTHER, **ann)]
    refused = await until_refused(client, JOBS, source=OTHER, **ann)
    assert "198.51.100.1" in refused[1]["error"]["message"]
    assert (await raw_get(client, JOBS, source=OTHER, **bob))[0] == 200
    assert (await raw_get(client, JOBS, **ann))[0] == 200  # no proxy: it is not believed, and counts as itself
    held.append(await held_request(client, **ann))
    await until_refused(client, JOBS, **bob)
    hang_up(*held)


async def open_channel(client, **asked):
    """The channel, or None where there was no room for it."""
    channel = await client.channel(**asked)
    channel.send({"tag": "channel", "op": "ping", "id": "1"})
    opcode, payload = await channel.frame()
    assert opcode == 1 or payload[:2] == (1013).to_bytes(2, "big")
    return channel if opcode == 1 else None


async def test_websockets_of_one_address(serve):
    client = await serve({"channel": {"max_connections_per_address": 2, "max_connections": 3}})
    first, second = await open_channel(client), await open_channel(client)
    assert await open_channel(client) is None
    other = await open_channel(client, source=OTHER)
    assert other is not None
    assert await open_channel(client, source=OTHER) is None  # that is for want of places in all
    await second.close()
    await eventually(lambda: open_channel(client), lambda channel: channel is not None)
    await first.ping()
    await other.ping()


async def test_subscriptions_of_a_connection(serve):
    client = await serve({"channel": {"max_subscriptions": 2}})
    channel, other = await client.channel(), await client.channel()
    assert [(await channel.subscribe(n))["type"] for n in "ab"] == ["info"] * 2
    refused = await channel.subscribe("c")
    assert refused["error"]["code"] == 100108
    assert "channel.max_subscriptions" in refused["error"]["message"]
    assert (await other.subscribe("c"))["type"] == "info"
    await channel.ask({"tag": "channel", "op": "unsubscribe", "id": "a"})
    assert (await channel.subscribe("c"))["type"] == "info"


async def test_streams_in_all_and_of_one_address(serve):
    client = await serve({"sse": {"max_streams": 3, "max_streams_per_address": 2}})
    job_id = await client.start("print(1)")
    await client.until(job_id)
    path = "/k12ai/events"
    held = [await client.listen(path) for _ in range(2)]
    assert [s.status for s in held] == [200] * 2
    for again in (path, f"{JOBS}/{job_id}/events"):
        refused = await client.listen(again)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
        error = await refused.error()
        assert (error["code"], "sse.max_streams_per_address" in error["message"]) == (100108, True)
    other = await client.listen(path, source=OTHER)
    assert other.status == 200
    refused = await client.listen(path, source=OTHER)
    assert "sse.max_streams)" in (await refused.error())["message"]
    assert (await client.get(path)).status == 200  # a page is no stream
    await held.pop().close()
    again = await eventually(lambda: client.listen(path), lambda source: source.status != 429)
    assert again.status == 200
    assert (await other.next()).message["op"] == "subscribe"


async def test_streams_and_websockets_behind_a_proxy_count_for_whom_it_names(serve):
    settings = {
        "server": {"trusted_proxies": [OTHER]},
        "access": {"mode": "off"},
        "sse": {"max_streams_per_address": 1},
        "channel": {"max_connections_per_address": 1},
    }
    client = await serve(settings)
    for who, status in (("198.51.100.1", 200), ("198.51.100.1", 429), ("198.51.100.2", 200)):
        source = await client.listen("/k12ai/events", source=OTHER, X_Forwarded_For=who)
        assert source.status == status, who
    for who, room in (("2001:db8::1", True), ("2001:db8::2", False), ("2001:db8:0:1::1", True)):
        assert (await open_channel(client, source=OTHER, X_Forwarded_For=who) is not None) == room, who


# ---- jobs


async def test_jobs_waiting_in_all(serve):
    client = await serve({"jobs": {"max_running": 1, "max_queued": 2}})
    wait = "import time; time.sleep(60)"
    await client.until(await client.start(wait, "running"), "running")
    await client.start("pass", "q1")
    await client.start("pass", "q2", "another")
    reply = await client.post(TRAIN, client.order("train.start", "q3"))
    assert (reply.status, reply.body["code"]) == (429, 100210)
    assert int(reply.headers["Retry-After"]) > 0
    assert {j["service_uuid"] for j in await client.jobs()} == {"running", "q1", "q2"}
    await client.stop("q1")
    await client.start("pass", "q3")
    await client.stop("running")


async def test_jobs_waiting_of_one_user(serve):
    client = await serve({"jobs": {"max_running": 1, "max_queued_per_user": 2}})
    wait = "import time; time.sleep(60)"
    await client.until(await client.start(wait, "running"), "running")
    await client.start("pass", "q1")
    await client.start("pass", "q2")
    reply = await client.post(TRAIN, client.order("train.start", "q3"))
    assert (reply.status, reply.body["code"]) == (429, 100210)
    await client.start("pass", "q3", "another")
    await client.stop("q2")
    await client.start("pass", "q3")
    await client.stop("running")


@pytest.mark.parametrize(("settings", "other"), [({"max_running": 1}, "queued"), ({"max_running_per_user": 1}, "")])
async def test_jobs_running(serve, settings, other):
    """One more than may run waits; another user's runs, where only the user's own limit is reached."""
    client = await serve({"jobs": settings})
    wait = "import time; time.sleep(60)"
    first = await client.start(wait, "1")
    await client.until(first, "running")
    second, third = await client.start("pass", "2"), await client.start("pass", "3", "another")
    if other:
        assert (await client.job(third))["status"]["value"] == other
    else:
        await client.until(third, "finished")
    assert (await client.job(second))["status"]["value"] == "queued"
    await client.stop("1")
    await client.until(second, "finished")
