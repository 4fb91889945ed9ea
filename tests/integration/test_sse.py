"""Event streams, as a browser's EventSource sees them: nothing missing, nothing twice, resumable at every event."""

import asyncio
import json
import re
import signal
from email.utils import parsedate_to_datetime
from itertools import pairwise

import pytest

from k12ai_ws.api.safety import ANSWERS

ALL = "status,metrics,progress,log,error,info"
STREAM = "text/event-stream"


def events_of(job_id):
    return f"/k12ai/framework/jobs/{job_id}/events"


def ticker(count, pause=0.0):
    return (
        f"import time\nfor i in range({count}): print(f'epoch={{i}} loss={{i/1000}}', flush=True); time.sleep({pause})"
    )


def ticker_until(gate):
    """Goes on until that file is there."""
    return (
        f"import time, pathlib\ni, gate = 0, pathlib.Path({str(gate)!r})\n"
        "while not gate.exists(): print(f'epoch={i} loss={i/1000}', flush=True); i += 1; time.sleep(0.02)"
    )


def same(found: bytes, wanted: bytes) -> bool:
    """Whether they are equal; where they are not, pytest would compare megabytes letter by letter."""
    return found == wanted


async def stored_bytes(client, path, types=ALL):
    """Every stored event's own bytes, as the pages give them, joined by commas."""
    listed, after = [], 0
    while after is not None:
        page = await client.get(f"{path}?type={types}&limit=1000&after={after}")
        listed.append(page.raw.partition(b'"events":[')[2].partition(b'],"next":')[0])
        assert len(json.loads(b"[" + listed[-1] + b"]")) == len(page.body["events"])
        after = page.body["next"]
    return b",".join(filter(None, listed))


# ---- the stream


async def test_a_jobs_stream_tells_all_of_it_and_ends_with_it(client):
    job_id = await client.start(ticker(20, 0.01))
    source = await client.listen(f"{events_of(job_id)}?type={ALL}")
    assert source.status == 200
    assert parsedate_to_datetime(source.headers.pop("Date")).tzinfo is not None
    assert re.fullmatch(r"[0-9a-f]{32}", source.headers.pop("X-Request-ID"))
    assert dict(source.headers.get_all()) == ANSWERS | {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
        "Connection": "close",
    }
    first = await source.next()
    assert [first.message[k] for k in ("type", "tag", "op")] == ["info", "channel", "subscribe"]
    page = await client.get(events_of(job_id))
    assert first.message["info"].items() >= {"code": 100000, "epoch": page.body["epoch"], "recovered": True}.items()
    assert isinstance(first.message["info"]["head"], int)
    assert first.id == f"{page.body['epoch']}:0"
    told = await source.rest()
    events = await client.events(job_id)
    assert [t.message for t in told] == events
    assert same(b",".join(t.raw for t in told), await stored_bytes(client, events_of(job_id)))
    assert [t.id for t in told] == [f"{page.body['epoch']}:{e['seq']}" for e in events]
    assert told[-1].message["status"]["value"] == "finished"
    assert source.retry_ms is None


async def test_log_lines_come_only_to_those_who_ask(client):
    job_id = await client.start(ticker(3))
    told = await (await client.listen(events_of(job_id))).rest()
    assert {t.message["type"] for t in told} == {"info", "status", "metrics"}
    told = await (await client.listen(f"{events_of(job_id)}?type=log")).rest()
    assert {t.message["type"] for t in told} == {"info", "log"}


async def test_a_stream_may_be_resumed_after_each_event(client):
    job_id = await client.start(ticker(10))
    await client.until(job_id)
    path = f"{events_of(job_id)}?type={ALL}"
    told = await (await client.listen(path)).rest()
    for i, one in enumerate(told[:-1]):
        source = await client.listen(path, Last_Event_ID=one.id)
        welcome, *again = await source.rest()
        assert welcome.id == one.id
        assert [t.raw for t in again] == [t.raw for t in told[i + 1 :]]
    done = await client.listen(path, Last_Event_ID=told[-1].id)
    assert done.status == 204
    assert "Content-Type" not in done.headers


async def test_what_the_browser_sends_goes_before_the_url(client):
    job_id = await client.start(ticker(5))
    await client.until(job_id)
    path = f"{events_of(job_id)}?type={ALL}"
    told = await (await client.listen(path)).rest()
    seq = told[3].message["seq"]
    for query in (f"&after={seq}", "&after=start&epoch=another", f"&after={10**18}", "&after=now"):
        source = await client.listen(path + query, Last_Event_ID=told[4].id)
        assert [t.raw for t in (await source.rest())[1:]] == [t.raw for t in told[5:]], query
    for query, expected in ((f"&after={seq}", told[4:]), ("&after=0", told[1:]), ("&after=start", told[1:])):
        source = await client.listen(path + query, Last_Event_ID="")  # a browser that has seen no id sends none
        assert [t.raw for t in (await source.rest())[1:]] == [t.raw for t in expected], query


@pytest.mark.parametrize(
    "token",
    [
        "7",
        ":7",
        "e:",
        "e:-1",
        "e:1.5",
        "e: 7",
        "e:７",
        "a b:7",
        "e:7:8x",
        f"e:{2**63}",
        "e:" + "9" * 40,
        "x" * 65 + ":1",
    ],
)
async def test_an_id_that_was_never_given_is_refused(client, token):
    job_id = await client.start()
    for path in (events_of(job_id), "/k12ai/events"):
        source = await client.listen(path, Last_Event_ID=token)
        error = await source.error()
        assert (source.status, error["code"], error["detail"]["fields"][0]["loc"]) == (400, 100102, "Last-Event-ID")


async def test_what_is_not_kept_is_410_before_the_stream_begins(client):
    job_id = await client.start(ticker(2))
    await client.until(job_id)
    page = (await client.get(events_of(job_id))).body
    epoch, head = page["epoch"], page["head"]
    for path in (events_of(job_id), "/k12ai/events"):
        for query, token in (
            ("", f"another:{head}"),
            ("", f"{epoch}:{head + 1}"),
            ("?epoch=another", None),
            (f"?after={head + 1}", None),
        ):
            source = await client.listen(path + query, **({"Last_Event_ID": token} if token else {}))
            error = await source.error()
            assert (source.status, error["code"]) == (410, 100107), (path, query, token)
            assert source.headers["Content-Type"] == "application/json; charset=utf-8"
            assert error["detail"] == {"epoch": epoch, "earliest": 1, "head": head, "recovered": False}
        assert (await client.get(f"{path}?epoch=another")).status == 410


async def test_all_events_and_every_filter(client):
    live = await client.listen(f"/k12ai/events?type={ALL}")
    assert (await live.next()).message["info"]["recovered"]
    ids = {}
    for user, uuid in (("alice", "p1"), ("alice", "p2"), ("bob", "p1")):
        ids[user, uuid] = await client.start(ticker(2), uuid, user)
        await client.until(ids[user, uuid])
    events = sorted([e for one in ids.values() for e in await client.events(one)], key=lambda e: e["seq"])
    assert [(await live.next()).message for _ in events] == events

    def passes(event, type="status,metrics,progress,error,info", **wanted):
        return event["type"] in type.split(",") and all(event[k] == v for k, v in wanted.items())

    for wanted in (
        {},
        {"user": "alice"},
        {"service_uuid": "p1"},
        {"service_name": "toy"},
        {"service_name": "other"},
        {"job_id": ids["alice", "p2"]},
        {"type": "metrics,log"},
        {"user": "alice", "service_uuid": "p2", "type": "status"},
    ):
        expected = [e for e in events if passes(e, **wanted)]
        query = "".join(f"&{k}={v}" for k, v in wanted.items())
        source = await client.listen(f"/k12ai/events?after=start{query}")
        assert (await source.next()).message["op"] == "subscribe"
        assert [(await source.next()).message for _ in expected] == expected, wanted
        page = await client.get(f"/k12ai/events?limit=1000{query}")
        assert page.body["events"] == expected, wanted
        assert page.message["user"] == wanted.get("user", "")
    assert (await client.get("/k12ai/events?after=now")).body["events"] == []


async def test_the_acknowledgement_is_a_resume_token_too(client):
    """A stream of what comes from now on, that is lost before anything came, has no gap either."""
    source = await client.listen("/k12ai/events")
    token = (await source.next()).id
    await source.close()
    job_id = await client.start(ticker(3))
    await client.until(job_id)
    again = await client.listen("/k12ai/events", Last_Event_ID=token)
    events = await client.events(job_id, "status,metrics")
    assert (await again.next()).id == token
    assert [(await again.next()).message for _ in events] == events


async def test_a_job_that_is_over_ends_the_stream_also_of_those_who_want_no_statuses(client):
    job_id = await client.start(ticker(3, 0.05))
    source = await client.listen(f"{events_of(job_id)}?type=metrics")
    welcome, *metrics, mark = await source.rest()
    events = await client.events(job_id)
    assert [m.message for m in metrics] == [e for e in events if e["type"] == "metrics"]
    assert [mark.message[k] for k in ("type", "tag", "op")] == ["info", "channel", "bookmark"]
    assert mark.message["info"] == {"epoch": welcome.message["info"]["epoch"], "head": events[-1]["seq"]}
    assert mark.id.endswith(f":{events[-1]['seq']}")
    assert (await client.listen(f"{events_of(job_id)}?type=metrics", Last_Event_ID=mark.id)).status == 204
    welcome, mark = await (
        await client.listen(f"{events_of(job_id)}?type=metrics&after={events[-2]['seq']}")
    ).rest()  # only the terminal status is left
    assert mark.message["op"] == "bookmark"
    for query in ("after=now", f"after={events[-1]['seq']}", f"type=log&after={events[-1]['seq']}"):
        assert (await client.listen(f"{events_of(job_id)}?{query}")).status == 204, query
    page = await client.get(f"{events_of(job_id)}?after={events[-1]['seq']}")
    assert (page.status, page.body["events"]) == (200, [])


async def test_bookmarks_move_the_token_in_silence(serve):
    client = await serve({"channel": {"bookmark_s": 0.5}})
    source = await client.listen("/k12ai/events?user=nobody")
    epoch = (await source.next()).message["info"]["epoch"]
    job_id = await client.start(ticker(5))
    await client.until(job_id)
    head = (await client.events(job_id))[-1]["seq"]
    for _ in range(5):
        mark = await source.next()
        assert [mark.message[k] for k in ("type", "tag", "op")] == ["info", "channel", "bookmark"]
        assert mark.id == f"{epoch}:{mark.message['info']['head']}"
        if mark.message["info"]["head"] == head:
            break
    else:
        pytest.fail("no bookmark told the head")
    assert (await client.listen("/k12ai/events?user=nobody", Last_Event_ID=mark.id)).status == 200


# ---- what may be asked, and how


@pytest.mark.parametrize(
    ("accept", "streamed"),
    [
        (STREAM, True),
        (f"{STREAM}, */*", True),
        (f"application/json, {STREAM}", False),
        ("*/*", False),
        ("text/*", False),
    ],
)
async def test_the_client_says_what_it_would_rather_have(client, accept, streamed):
    job_id = await client.start()
    await client.until(job_id)
    for path in (events_of(job_id), "/k12ai/events"):
        source = await client.listen(path, Accept=accept)
        assert source.headers["Content-Type"].startswith(STREAM) == streamed
        assert source.status == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/k12ai/framework/jobs/none/events", 404, 100205),
        ("/k12ai/events?limit=5", 400, 100102),
        ("/k12ai/events?colour=red", 400, 100102),
        ("/k12ai/events?user=../x", 400, 100102),
        ("/k12ai/events?type=gossip", 400, 100102),
        ("/k12ai/events?after=-1", 400, 100102),
        ("/k12ai/events?after=1&after=2", 400, 100102),
    ],
)
async def test_a_bad_request_is_answered_as_any(client, path, status, code):
    source = await client.listen(path, Connection="close")
    assert (source.status, (await source.error())["code"]) == (status, code)


async def test_other_methods_and_other_origins_get_no_stream(client):
    for method in ("HEAD", "POST", "PUT", "DELETE"):
        source = await client.listen("/k12ai/events", method=method, Connection="close")
        assert (source.status, source.headers["Allow"]) == (405, "GET")
    source = await client.listen("/k12ai/events", Origin="http://evil.example")
    assert source.status == 403


async def test_a_client_of_http_1_0_gets_the_same(client):
    job_id = await client.start(ticker(3))
    told = [
        [t.raw for t in (await (await client.listen(events_of(job_id), version=version)).rest())[1:]]
        for version in ("1.0", "1.1")
    ]
    assert told[0] == told[1]
    assert len(told[0]) >= 5


async def test_the_streams_own_messages_are_in_the_clients_language(client):
    source = await client.listen("/k12ai/events", Accept_Language="zh")
    assert (await source.next()).message["info"]["descr"] == "成功"


async def test_what_a_client_sends_after_its_request_is_thrown_away(client):
    source = await client.listen("/k12ai/events")
    await source.next()
    source.writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    job_id = await client.start()
    assert (await source.next()).message["job_id"] == job_id
    await client.until(job_id)
    source.writer.write(b"x" * (1 << 20))
    await source.rest()  # it ends


# ---- slow readers, endings


async def test_a_slow_reader_loses_nothing_and_costs_no_memory(house):
    """It reads nothing while 20 MB of log events are made, then everything, each event once."""
    client = await house.start()
    slow = await client.listen(f"/k12ai/events?type={ALL}")
    other = await client.listen("/k12ai/events?type=status")
    warm = await client.start("print('warm')", "w")
    await client.until(warm)
    before = house.memory()
    job_id = await client.start("for i in range(20000): print(i, 'x' * 1000)")
    while (told := await other.next()).message.get("job_id") != job_id or told.message["status"]["value"] != "finished":
        pass
    grown = house.memory() - before
    assert grown < 60e6, f"{grown / 1e6:.0f} MB"
    seen = []
    while not seen or seen[-1].get("seq") != told.message["seq"]:
        seen.append((await slow.next()).message)
    events = [m for m in seen if m.get("job_id") == job_id]
    assert all(a["seq"] < b["seq"] for a, b in pairwise(events))
    lines = [line for m in events if m["type"] == "log" for line in m["log"]["lines"]]
    assert [int(line.split()[0]) for line in lines] == list(range(20000))


async def test_a_client_that_is_gone_leaves_its_place(serve):
    client = await serve({"sse": {"max_streams": 1}})
    for _ in range(10):
        source = await client.listen("/k12ai/events?after=start")
        while source.status == 429:
            await asyncio.sleep(0.02)
            source = await client.listen("/k12ai/events?after=start")
        assert (await source.next()).message["op"] == "subscribe"
        source.writer.transport.abort()
    job_id = await client.start(ticker(20))
    assert (await client.until(job_id))["status"]["value"] == "finished"


async def test_a_stream_holds_no_place_among_the_requests(serve):
    client = await serve({"server": {"max_requests_running": 1}})
    sources = [await client.listen("/k12ai/events") for _ in range(3)]
    assert [s.status for s in sources] == [200] * 3
    assert (await client.get("/k12ai/framework/jobs")).status == 200


async def test_at_shutdown_all_are_told_when_to_come_back_and_end(house):
    client = await house.start(sse={"retry_s": 1.0})
    sources = [await client.listen(f"/k12ai/events?type={ALL}") for _ in range(8)]
    job_id = await client.start(ticker(40, 0.02))
    seen = [(await sources[0].next()) for _ in range(6)]
    assert await house.end(connected=True) == 0
    rest = [await s.rest() for s in sources]
    told = seen + rest[0]
    times = {s.retry_ms for s in sources}
    assert all(1000 <= t <= 3000 for t in times)
    assert len(times) > 1
    client = await house.start()
    again = await client.listen(f"/k12ai/events?type={ALL}", Last_Event_ID=told[-1].id)
    assert (await again.next()).id == told[-1].id
    while told[-1].message.get("status", {}).get("value") != "finished":
        told.append(await again.next())
    assert [t.message for t in told[1:]] == await client.events(job_id)


async def test_a_killed_server_is_resumed_with_no_gap_and_no_repeat(house):
    client = await house.start()
    gate = house.folder / "gate"
    job_id = await client.start(ticker_until(gate))
    path = f"{events_of(job_id)}?type={ALL}"
    told, token = [], ""
    for _ in range(3):
        source = await client.listen(path, **({"Last_Event_ID": token} if token else {}))
        await source.next()
        told += [await source.next() for _ in range(10)]
        await house.end(signal.SIGKILL, connected=True)
        told += await source.rest()
        token = told[-1].id
        client = await house.start()
    gate.touch()
    told += (await (await client.listen(path, Last_Event_ID=token)).rest())[1:]
    assert [t.message for t in told] == await client.events(job_id)
    assert same(b",".join(t.raw for t in told), await stored_bytes(client, events_of(job_id)))
