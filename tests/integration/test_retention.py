"""Retention in a running server: what is pruned is told to whoever resumes, over REST and the channel."""

import asyncio
import socket
from pathlib import Path

import pytest

from k12ai_ws.retaining import ask, heard

EVERY = ["status", "metrics", "progress", "log", "error", "info"]
CURVE = """
for i in range(400):
    print(f'epoch={i} loss={abs(200 - i) / 7 + 1}')
"""
THIN = {"log_days": 1e-9, "thin_days": 1e-9, "thin_points": 8}
"""Once a job has ended, its log lines go, and few of its metrics stay."""


async def pruned(client, settings=None) -> None:
    """Asks the server to look now, and waits until it has."""
    asked = await asyncio.to_thread(ask, client.server.settings.data_dir)
    assert asked is not None
    with asked:
        assert (await asyncio.to_thread(heard, asked, 30.0)).error is None


def narrow(client):
    """How a client connects whose receive buffer does not grow."""

    async def connect(*_: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (client.host, client.port))
        return await asyncio.open_connection(sock=made, limit=1 << 18)

    return connect


@pytest.fixture
async def thinned(serve):
    """A server that keeps little, and a job of which what may go is gone; its events before that."""
    client = await serve({"retention": THIN})
    client.job_id = await client.start(CURVE)
    await client.until(client.job_id)
    client.before = await client.events(client.job_id)
    other = await client.start(uuid="other")
    await client.until(other)
    await pruned(client)
    client.after = await client.events(client.job_id)
    return client


def path_of(client, **query) -> str:
    words = "&".join(f"{k}={v}" for k, v in query.items())
    return f"/k12ai/framework/jobs/{client.job_id}/events?{words}"


async def test_what_stays_is_what_it_was_and_the_job_is_told_as_before(thinned) -> None:
    left = {e["seq"] for e in thinned.after}
    assert 2 <= len(left) < 20
    assert thinned.after == [e for e in thinned.before if e["seq"] in left]
    assert thinned.after[-1] == thinned.before[-1], "the terminal status"
    job = await thinned.job(thinned.job_id)
    assert job["status"]["value"] == "finished"
    assert job["metrics"]["epoch"] == 399


async def test_a_page_after_what_is_gone_is_told_and_one_before_everything_kept_is_410(thinned) -> None:
    page = (await thinned.get(path_of(thinned, type=",".join(EVERY)))).body
    assert page["pruned"] > thinned.after[0]["seq"]
    assert [e["seq"] for e in page["events"]] == [e["seq"] for e in thinned.after]
    logs = await thinned.get(path_of(thinned, type="log", after=1))
    assert (logs.status, logs.body["code"]) == (410, 100107)
    detail = logs.body["detail"]
    assert set(detail) == {"epoch", "earliest", "head", "recovered"}
    assert detail["recovered"] is False
    begin = await thinned.get(path_of(thinned, type="log", after=detail["earliest"] - 1, epoch=detail["epoch"]))
    assert begin.status == 200
    last = thinned.before[-1]["seq"]
    whole = (await thinned.get(path_of(thinned, after=last))).body
    assert "pruned" not in whole


async def test_paging_from_the_start_is_never_refused(thinned) -> None:
    events, after, epoch = [], 0, thinned.after and (await thinned.get(path_of(thinned))).body["epoch"]
    while after is not None:
        reply = await thinned.get(path_of(thinned, type=",".join(EVERY), after=after, epoch=epoch, limit=1))
        assert reply.status == 200, reply.message
        events += reply.body["events"]
        after = reply.body["next"]
    assert events == thinned.after


async def test_a_subscription_that_resumes_before_what_is_gone_is_told_and_starts_at_the_earliest(thinned) -> None:
    place = thinned.before[3]["seq"]
    epoch = (await thinned.get(path_of(thinned))).body["epoch"]
    for name in (epoch, None):
        channel = await thinned.channel()
        answer = await channel.subscribe("s", place, name, job_id=thinned.job_id, type=EVERY)
        assert answer["error"]["code"] == 100107
        detail = answer["error"]["detail"]
        head = (await thinned.get(path_of(thinned))).body["head"]
        assert detail == {"epoch": epoch, "earliest": thinned.after[0]["seq"], "head": head, "recovered": False}
        for event in thinned.after:
            assert await channel.next() == event
        assert await channel.silence() == []


async def test_start_is_no_resume_and_a_place_behind_what_is_gone_is_good(thinned) -> None:
    last = thinned.before[-1]["seq"]
    for after, expected in (("start", thinned.after), (0, thinned.after), (last - 1, thinned.after[-1:]), (last, [])):
        channel = await thinned.channel()
        answer = await channel.subscribe("s", after, job_id=thinned.job_id, type=EVERY)
        assert answer["info"]["recovered"] is True, after
        for event in expected:
            assert await channel.next() == event
        assert await channel.silence() == []


async def test_who_did_not_ask_for_what_is_gone_resumes_as_ever(thinned) -> None:
    channel = await thinned.channel()
    answer = await channel.subscribe("s", 1, user="somebody-else")
    assert answer["info"]["recovered"] is True
    other = (await thinned.jobs())[0]["job_id"]
    events = await thinned.events(other)
    answer = await channel.subscribe("t", events[0]["seq"], job_id=other, type=["status"])
    assert answer["info"]["recovered"] is True


async def test_a_job_goes_with_its_raw_log_and_what_it_wrote_stays(serve, tmp_path: Path) -> None:
    client = await serve({"retention": {"max_jobs": 1}})
    first = await client.start("open('out.txt', 'w').write('precious')")
    await client.until(first)
    events = await client.events(first)
    epoch = (await client.get(f"/k12ai/framework/jobs/{first}/events")).body["epoch"]
    second = await client.start(uuid="second")
    await client.until(second)
    runs = tmp_path / "data" / "runs"
    assert {r.name for r in runs.iterdir()} == {first, second}
    files = {p for p in (tmp_path / "data" / "workspaces").rglob("*") if p.is_file()}
    await pruned(client)
    assert [j["job_id"] for j in await client.jobs()] == [second]
    assert (await client.get(f"/k12ai/framework/jobs/{first}")).status == 404
    assert {r.name for r in runs.iterdir()} == {second}
    assert {p for p in (tmp_path / "data" / "workspaces").rglob("*") if p.is_file()} == files
    for wanted in ({"job_id": first}, {"user": "u"}, {}):
        channel = await client.channel()
        answer = await channel.subscribe("s", events[0]["seq"], epoch, **wanted)
        assert answer["error"]["code"] == 100107, wanted
        assert answer["error"]["detail"]["earliest"] > events[0]["seq"]


async def test_the_python_client_pages_and_follows_through_a_prune(thinned) -> None:
    from k12ai_ws.client import Client

    async with Client(thinned.address) as client:
        assert [m.seq async for m in client.events(thinned.job_id, types=EVERY)] == [e["seq"] for e in thinned.after]
        got = [m async for m in client.follow_job(thinned.job_id, types=EVERY, after=thinned.before[3]["seq"])]
    assert got[0].body["code"] == 100107
    assert [m.seq for m in got[1:]] == [e["seq"] for e in thinned.after]


async def test_a_slow_subscriber_whose_events_are_pruned_meanwhile_is_told_and_goes_on(serve) -> None:
    client = await serve({"retention": {"max_job_events": 50}, "channel": {"buffer_bytes": 1024}})
    # More than the sender's kernel takes, however far its buffer grows.
    job_id = await client.start("for i in range(6000):\n    print('x' * 2000, i)")
    await client.until(job_id)

    client.socket = narrow(client)
    channel = await client.channel()
    answer = await channel.subscribe("s", "start", job_id=job_id, type=["log", "status"])
    assert answer["info"]["recovered"] is True
    first = await channel.next()  # and reads no further: the server's buffers fill
    other = await client.start(uuid="other")
    await client.until(other)
    await pruned(client)
    seqs, told = [first["seq"]], []
    while True:
        message = await channel.next()
        if message["type"] == "error":
            assert message["id"] == "s"
            assert message["error"]["code"] == 100107
            assert message["error"]["detail"]["recovered"] is False
            told.append(message["error"]["detail"]["earliest"])
            assert told[-1] > seqs[-1], "it says where it goes on"
            continue
        seqs.append(message["seq"])
        if message["type"] == "status" and message["status"]["value"] == "finished":
            break
    assert len(told) == 1
    assert seqs == sorted(set(seqs))
    kept = [e["seq"] for e in await client.events(job_id, "log,status")]
    assert set(kept) <= set(seqs), "all that is kept was delivered"


# ---- event streams


async def test_an_event_stream_that_resumes_before_what_is_gone_is_410_and_a_beginning_is_not(thinned) -> None:
    epoch = (await thinned.get(path_of(thinned))).body["epoch"]
    path, place = path_of(thinned, type=",".join(EVERY)), thinned.before[3]["seq"]
    for one in (path, f"/k12ai/events?job_id={thinned.job_id}&type={','.join(EVERY)}"):
        source = await thinned.listen(one, Last_Event_ID=f"{epoch}:{place}")
        error = await source.error()
        assert (source.status, error["code"]) == (410, 100107)
        assert error["detail"]["earliest"] == thinned.after[0]["seq"]
        assert error["detail"]["recovered"] is False
    source = await thinned.listen(path)
    assert [t.message for t in (await source.rest())[1:]] == thinned.after
    source = await thinned.listen(path, Last_Event_ID=f"{epoch}:{thinned.before[-1]['seq'] - 1}")
    assert [t.message for t in (await source.rest())[1:]] == thinned.after[-1:]


async def test_an_event_stream_may_begin_where_the_refusal_says_and_is_told_that_it_recovered_nothing(thinned) -> None:
    curve = [e for e in thinned.after if e["type"] == "metrics"]
    for path in (path_of(thinned, type="metrics"), f"/k12ai/events?job_id={thinned.job_id}&type=metrics"):
        refused = await thinned.listen(f"{path}&after={thinned.before[-2]['seq'] - 5}")
        detail = (await refused.error())["detail"]
        assert detail["earliest"] == curve[0]["seq"] > 1
        source = await thinned.listen(f"{path}&after={detail['earliest'] - 1}&epoch={detail['epoch']}")
        assert (await source.next()).message["info"]["recovered"] is False
        for event in curve:
            assert (await source.next()).message == event


async def test_an_event_stream_whose_events_are_pruned_while_it_is_slow_is_told_and_goes_on(serve) -> None:
    client = await serve({"retention": {"max_job_events": 50}, "channel": {"buffer_bytes": 1024}})
    job_id = await client.start("for i in range(6000):\n    print('x' * 2000, i)")
    await client.until(job_id)
    client.socket = narrow(client)
    source = await client.listen(f"/k12ai/framework/jobs/{job_id}/events?type=log,status")
    await source.next()
    other = await client.start(uuid="other")
    await client.until(other)
    await pruned(client)
    told = await source.rest()
    errors = [t for t in told if t.message["type"] == "error"]
    assert [t.message["error"]["code"] for t in errors] == [100107]
    seqs = [t.message["seq"] for t in told if "seq" in t.message]
    assert seqs == sorted(set(seqs))
    assert {e["seq"] for e in await client.events(job_id, "log,status")} <= set(seqs)
    assert told[-1].message["status"]["value"] == "finished"


async def test_the_stream_of_a_job_that_goes_meanwhile_ends(serve) -> None:
    client = await serve({"retention": {"max_jobs": 1}, "channel": {"buffer_bytes": 1024}})
    job_id = await client.start("for i in range(6000):\n    print('x' * 2000, i)")
    await client.until(job_id)
    socket, client.socket = client.socket, narrow(client)
    source = await client.listen(f"/k12ai/framework/jobs/{job_id}/events?type=log,status,error,info&after=start")
    assert source.status == 200
    client.socket = socket
    await client.until(await client.start(uuid="second"))
    await pruned(client)
    assert await source.rest(), "it comes to its end"
    assert (await client.get(f"/k12ai/framework/jobs/{job_id}/events")).status == 404
