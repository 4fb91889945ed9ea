"""Hostile clients and trainers that print rubbish: every request is answered, nothing changes, nothing grows."""

import asyncio
import contextlib
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TRAIN = "/k12ai/framework/train"
STATS = "/k12ai/platform/stats"
BOUNDED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        "../../etc/passwd",
        "..",
        "/",
        "a\x00b",
        "u",
        "p",
        "toy",
        "train.start",
        "train.stop",
        "1e999",
        "true",
        "\u202e",
        "x" * 5000,
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
GOOD_ORDER = {"op": "train.start", "user": "u", "service_name": "toy", "service_uuid": "p", "service_params": {}}
GOOD_STATS = {"username": "u", "password": "p", "async": False, "query": {}}


def spoilt(good, extra=()):
    """A good request with one to three of its fields replaced, dropped, or others added; never still a good one."""
    keys = st.sampled_from([*good, *extra]) | texts
    change = st.tuples(keys, st.none() | st.tuples(values))
    return st.lists(change, min_size=1, max_size=3).map(lambda changes: spoil(good, changes))


def spoil(good, changes):
    request = dict(good)
    for key, value in changes:
        if value is None:
            request.pop(key, None)
        else:
            request[key] = value[0]
    return request


async def exchange(client, raw, patience=10.0):
    """Sends bytes over a bare connection; all that comes back until the server closes."""
    reader, writer = await client.socket()
    try:
        async with asyncio.timeout(patience):
            writer.write(raw)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            answer = b""
            with contextlib.suppress(ConnectionError):
                while chunk := await reader.read(65536):
                    answer += chunk
            return answer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def post(path, headers, body=b""):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


# ---- requests


@BOUNDED
@given(body=spoilt(GOOD_ORDER, ["id", "tag"]))
async def test_spoilt_orders_are_refused_and_change_nothing(client, body):
    try:
        raw = json.dumps(body).encode()
    except (ValueError, UnicodeEncodeError):
        return
    reply = await client.post(TRAIN, raw)
    if reply.status == 202:  # the change left a good order after all
        await client.stop(body["service_uuid"], body["user"])
        await client.until(reply.message["job_id"])
        return
    assert reply.status in (400, 404, 413)
    assert reply.message["type"] == "error"
    assert reply.body["code"] in (100011, 100101, 100102, 100103, 100201, 100205, 100231, 100233)
    assert reply.body["message"]
    active = [j for j in await client.jobs() if j["status"]["value"] in ("queued", "starting", "running", "stopping")]
    assert active == []


@BOUNDED
@given(raw=st.binary(max_size=200) | values.map(lambda v: json.dumps(v).encode()))
async def test_rubbish_bodies_are_refused(client, raw):
    for path in (TRAIN, STATS):
        reply = await client.post(path, raw)
        assert reply.status in (200, 400), (path, raw)  # {} asks for all statistics
        assert reply.status == 400 or (path == STATS and raw.strip() == b"{}")
    assert await client.jobs() == []


@BOUNDED
@given(body=spoilt(GOOD_STATS, ["every"]))
async def test_spoilt_statistics_requests(client, body):
    reply = await client.post(STATS, json.dumps(body).encode())
    assert reply.status in (200, 202, 400)
    assert (reply.message["type"] == "error") == (reply.status == 400)


@BOUNDED
@given(
    frames=st.lists(
        spoilt({"tag": "channel", "op": "subscribe", "id": "1", "filter": {}, "after": "now"}, ["epoch"])
        | spoilt({"tag": "channel", "op": "ping", "id": "1"})
        | spoilt({"tag": "framework", "id": "1", **GOOD_ORDER, "service_name": "none"})
        | spoilt({"tag": "platform", "op": "stats", "id": "1", "query": {}}, ["every"])
        | values
        | st.binary(max_size=50)
        | texts,
        min_size=1,
        max_size=4,
    )
)
async def test_rubbish_frames_are_answered_and_the_connection_lives(client, frames):
    channel = await client.channel()
    for i, frame in enumerate(frames):
        channel.send(frame if isinstance(frame, bytes) else json.dumps(frame))
        answer = await channel.next()
        assert answer["type"] in ("error", "info")
        channel.send({"tag": "channel", "op": "ping", "id": f"alive {i}"})
        while (answer := await channel.next()).get("id") != f"alive {i}":
            assert answer["type"] in ("error", "info")
    await channel.close()
    assert await client.jobs() == []


@pytest.mark.parametrize(
    "path",
    [
        "/k12ai/framework/../../etc/passwd",
        "/k12ai/framework/%2e%2e/jobs",
        "/k12ai/framework/jobs/..%2f..%2fetc",
        "/k12ai/framework/jobs/%00",
        "/k12ai/framework/jobs/a%0a",
        "/k12ai/framework/jobs/" + "a" * 65,
        "/k12ai/framework/TRAIN",
        "/k12ai/framework/" + "a" * 65,
        "//health",
        "/health/",
        "/" + "a" * 10_000,
    ],
)
async def test_path_tricks_find_nothing(client, path):
    for method in ("GET", "POST"):
        reply = await client.request(method, path, b"{}" if method == "POST" else None)
        assert (reply.status, reply.body["code"]) == (404, 100205)
    assert len(reply.raw) < 2000 + len(path)


async def test_params_that_reach_for_files_stay_in_their_folder(client):
    for name in ("a..b", "...", "a" * 64):
        reply = await client.post(TRAIN, client.order("train.start", "p", name))
        if reply.status == 202:
            job = await client.until(reply.message["job_id"])
            assert job["status"]["value"] == "finished"
    folders = {p.name for p in (client.server.settings.data_dir / "workspaces").iterdir()}
    assert folders == {"a..b", "a" * 64}


async def test_content_types_do_not_matter_but_json_does(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense", ""):
        reply = await client.post(TRAIN, b"op=train.start&user=u", Content_Type=kind)
        assert (reply.status, reply.body["code"]) == (400, 100103), kind
        reply = await client.post(STATS, {"query": {"cpus": True}}, Content_Type=kind)
        assert reply.status == 200, kind
    reply = await client.post(TRAIN, b"\x1f\x8b\x08\x00rubbish", Content_Encoding="gzip")
    assert reply.status == 400


@pytest.mark.parametrize("depth", [900, 100_000])
async def test_deep_nesting(client, depth):
    deep = b"[" * depth + b"]" * depth
    for raw in (deep, b'{"service_params":{"script":' + deep + b"}}", b'{"a":' * depth + b"1" + b"}" * depth):
        reply = await client.post(TRAIN, raw)
        assert reply.status == 400
    order = json.dumps(client.order("train.start", script="X")).encode().replace(b'"X"', deep)
    assert (await client.post(TRAIN, order)).status == 400
    assert await client.jobs() == []


async def test_a_chunked_body_over_the_limit(client):
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = post(TRAIN, ["Transfer-Encoding: chunked"])
    answer = await exchange(client, head + chunk * 20 + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == 100011


async def test_a_declared_size_over_the_limit_is_refused_before_it_comes(client):
    for length in ("9999999999", "9" * 5000):
        assert b" 413 " in (await exchange(client, post(TRAIN, [f"Content-Length: {length}"]))).partition(b"\r\n")[0]
    answer = await exchange(client, post(TRAIN, ["Content-Length: 9999999999"]))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == 100011


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        post(TRAIN, ["Content-Length: -5"]),
        post(TRAIN, ["Content-Length: \xb2"]),
        post(TRAIN, ["Content-Length: 5", "Content-Length: 6"], b"hello!"),
        post(TRAIN, ["Transfer-Encoding: chunked", "Content-Length: 5"], b"0\r\n\r\n"),
        post(TRAIN, ["Transfer-Encoding: chunked"], b"zz\r\nrubbish\r\n"),
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\r\n" * 5000,
    ],
)
async def test_what_is_no_http_is_cut_off(client, raw):
    reader, writer = await client.socket()
    writer.write(raw)
    writer.write_eof()
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            answer = await reader.read()
            assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 505", b"HTTP/1.1 431"))
    writer.close()
    assert (await client.get("/health")).status == 200


async def test_a_slow_body_is_given_up(serve):
    client = await serve({"server": {"body_timeout_s": 0.3}})
    started = time.monotonic()
    await exchange(client, post(TRAIN, ["Content-Length: 100"], b'{"op":'))
    assert time.monotonic() - started < 5
    assert (await client.get("/health")).status == 200


async def test_broken_off_bodies_do_not_use_up_the_server(serve):
    """A request whose body never comes leaves its place when the client is gone or is given up."""
    client = await serve({"server": {"max_requests_running": 3, "body_timeout_s": 0.3}})
    for _ in range(6):
        _, writer = await client.socket()
        writer.write(post(TRAIN, ["Content-Length: 100"], b'{"op":'))
        await writer.drain()
        writer.close()
    for _ in range(4):
        await exchange(client, post(TRAIN, ["Content-Length: 100"], b'{"op":'))
    assert (await client.get("/health")).status == 200
    assert (await client.get("/ready")).status == 200


async def test_more_requests_than_allowed_are_told(serve):
    client = await serve({"server": {"max_requests_running": 2}})
    held = []
    for _ in range(2):
        _, writer = await client.socket()
        writer.write(post(TRAIN, ["Content-Length: 100"], b'{"op":'))
        await writer.drain()
        held.append(writer)
    deadline = time.monotonic() + 5
    while (reply := await client.post(STATS, {})).status == 200:
        assert time.monotonic() < deadline
    assert (reply.status, reply.body["code"]) == (429, 100108)
    for writer in held:
        writer.close()
    while (await client.post(STATS, {})).status != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_pipelined_requests_are_all_answered(client):
    get = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert (await exchange(client, get * 20 + last)).count(b"HTTP/1.1 200 OK") == 21


# ---- trainers that print rubbish

RUBBISH = {
    "binary": "import os\nfor _ in range(300): os.write(1, os.urandom(65536))",
    "one line of 100 MB": "import os\nfor _ in range(1600): os.write(1, b'x' * 65536)",
    "a line of 100 MB with equals signs": "import os\nfor _ in range(1600): os.write(1, b'a=1,' * 16384)",
    "a million short lines": "import sys\nfor i in range(100): sys.stdout.write('ab\\n' * 10000)",
    "redrawn for ever": "import sys\nfor i in range(300000): sys.stdout.write(f'\\r{i}/300000 {i % 99}%|# | loss=1')",
    "only carriage returns": "import os\nfor _ in range(300): os.write(1, b'\\r' * 65536)",
    "invalid UTF-8": "import os\nfor _ in range(200000): os.write(2, b'\\xff\\xfe\\x80loss=0.5\\xc3(\\n')",
    "ANSI": "import sys\nfor i in range(100000): sys.stdout.write('\\x1b[31m\\x1b[2K\\x1b]0;t\\x07red\\x1b[0m\\x1b[')",
    "NUL": "import os\nfor _ in range(200): os.write(1, b'\\0' * 65536)",
    "tracebacks without end": (
        "import os\nfor _ in range(3000): os.write(2, b'Traceback (most recent call last):\\n'"
        " + b'  File \"x.py\", line 1, in f\\n    f()\\n' * 50)"
    ),
    "metrics without end": "for i in range(30000): print(f'epoch={i} ' + ' '.join(f'm{j}={i}' for j in range(20)))",
    "nan": "for i in range(20000): print('loss=nan acc=inf top=-inf x=1e999')",
}


@pytest.mark.parametrize("kind", RUBBISH)
async def test_rubbish_from_a_trainer_does_no_harm(house, kind):
    client = await house.start(jobs={"max_log_bytes": 1 << 28})
    channel = await client.channel()
    await channel.subscribe("s", type=["status"])
    await client.until(await client.start("print('warm')", "w"))
    before = house.memory()
    job_id = await client.start(RUBBISH[kind] + "\nprint('\\nthe end')")
    slowest = 0.0
    while True:
        started = time.monotonic()
        assert (await client.get("/health")).status == 200
        slowest = max(slowest, time.monotonic() - started)
        job = await client.job(job_id)
        if job["status"]["value"] not in ("queued", "starting", "running"):
            break
        await asyncio.sleep(0.05)
    assert (job["status"]["value"], job["status"]["reason"]) == ("finished", "completed"), job["status"]
    assert slowest < 1.0, f"{slowest:.2f} s"
    grown = house.memory() - before
    assert grown < 300e6, f"{grown / 1e6:.0f} MB"
    tail = (await client.lines(job_id))[-1:]
    assert tail == ["the end"]
    if kind == "nan":
        warnings = await client.events(job_id, "error")
        assert [(e["error"]["code"], e["error"]["severity"]) for e in warnings] == [(100907, "warning")]
        (first, *_) = [e["metrics"] for e in await client.events(job_id, "metrics")]
        assert first["loss"] is None


async def test_what_is_cut_is_said(client):
    job_id = await client.start("print('x' * 1_000_000); print('short')")
    await client.until(job_id)
    logs = [e["log"] for e in await client.events(job_id, "log")]
    lines = [line for log in logs for line in log["lines"]]
    assert lines[-1] == "short"
    kept = sum(len(line) for line in lines[:-1])
    assert kept + sum(log.get("truncated", 0) for log in logs) == 1_000_000
