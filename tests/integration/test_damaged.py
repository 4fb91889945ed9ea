"""One event is overwritten on the disk: every way to read says which one, and what to do, and `/ready` says so too."""

import sqlite3

import pytest

TYPES = "status,metrics,progress,log,error,info"
SCRIPT = "for i in range(20):\n print(f'epoch={i} loss={i / 7}')"


def overwrite(client, seq: int) -> None:
    """Changes one byte of the event."""
    connection = sqlite3.connect(client.server.settings.data_dir / "k12ai.sqlite3")
    with connection:
        (payload,) = connection.execute("SELECT payload FROM events WHERE seq = ?", (seq,)).fetchone()
        changed = payload[:-2] + bytes([payload[-2] ^ 1]) + payload[-1:]
        connection.execute("UPDATE events SET payload = ? WHERE seq = ?", (changed, seq))
    connection.close()


@pytest.fixture
async def spoiled(serve):
    """A server whose job is over, one of its metrics broken: `client.broken` is its seq, `client.seqs` all seqs."""
    client = await serve()
    client.job_id = await client.start(SCRIPT)
    await client.until(client.job_id)
    events = await client.events(client.job_id, "status,metrics")
    client.seqs = [e["seq"] for e in events]
    client.broken = next(e["seq"] for e in events[5:] if e["type"] == "metrics")
    client.before = [seq for seq in client.seqs if seq < client.broken]
    overwrite(client, client.broken)
    return client


def check(error: dict, client) -> None:
    assert error["code"] == 100999
    assert error["detail"] == {"seq": client.broken}
    assert f"event {client.broken} was overwritten" in error["message"]
    assert "k12ai restore" in error["message"]
    assert "try again" not in error["message"]
    assert "nothing was changed" not in error["message"]


async def test_the_channel_tells_and_closes(spoiled, caplog) -> None:
    for _ in range(2):
        channel = await spoiled.channel()
        await channel.subscribe("s", "start", type=["status", "metrics"])
        messages, code = await channel.everything()
        assert code == 1011
        assert [m["seq"] for m in messages[:-1]] == spoiled.before
        assert messages[-1]["id"] == "s"
        check(messages[-1]["error"], spoiled)
    assert "replay failed" not in caplog.text
    assert caplog.text.count("the store is damaged") == 1


async def test_an_event_stream_tells_and_ends(spoiled) -> None:
    source = await spoiled.listen("/k12ai/events?after=start&type=status,metrics")
    told = await source.rest()
    assert [t.message["seq"] for t in told[1:-1]] == spoiled.before
    check(told[-1].message["error"], spoiled)
    assert told[-1].id == told[-2].id, "the error moves no resume token"
    source = await spoiled.listen(f"/k12ai/framework/jobs/{spoiled.job_id}/events?type=status,metrics")
    check((await source.rest())[-1].message["error"], spoiled)
    source = await spoiled.listen(f"/k12ai/events?after={spoiled.broken}&type=status,metrics")
    for seq in spoiled.seqs:
        if seq > spoiled.broken:
            while "seq" not in (message := (await source.next()).message):
                pass
            assert message["seq"] == seq


async def test_pages_end_before_it_and_the_next_one_tells(spoiled) -> None:
    path = f"/k12ai/framework/jobs/{spoiled.job_id}/events?type=status,metrics&after="
    reply = await spoiled.get(f"{path}start")
    assert reply.status == 200
    assert [e["seq"] for e in reply.body["events"]] == spoiled.before
    reply = await spoiled.get(f"{path}{reply.body['next']}")
    assert reply.status == 500
    check(reply.body, spoiled)
    reply = await spoiled.get(f"{path}{spoiled.broken}")
    assert [e["seq"] for e in reply.body["events"]] == [seq for seq in spoiled.seqs if seq > spoiled.broken]


async def test_ready_says_so_once_it_was_seen(spoiled) -> None:
    assert (await spoiled.get("/ready")).status == 200
    await spoiled.get(f"/k12ai/events?type=status,metrics&after={spoiled.broken - 1}")
    reply = await spoiled.get("/ready")
    assert reply.status == 503
    assert f"event {spoiled.broken} was overwritten" in reply.body["detail"]["checks"]["store"]["message"]
    job = await spoiled.start("print('the jobs go on')", uuid="other")
    assert (await spoiled.until(job))["status"]["value"] == "finished"
