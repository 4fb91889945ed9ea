"""The id of a request: in the answer, and on every line of the log about it."""

import json
import logging
import re

import pytest

from k12ai_ws.serverlog import About, current


@pytest.mark.parametrize("given", ["a", "trace-1.2:3_4", "x" * 128])
async def test_a_good_one_comes_back(client, given) -> None:
    assert (await client.get("/health", X_Request_ID=given)).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "-first", "two words", "quote\"'", "\xe4"])
async def test_another_is_replaced(client, given) -> None:
    made = (await client.get("/health", X_Request_ID=given)).headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("PUT", "/health"), ("GET", "/health?x=1")])
async def test_refusals_have_it_too(client, method, path) -> None:
    reply = await client.request(method, path, X_Request_ID="mine")
    assert reply.status >= 400
    assert reply.headers["X-Request-ID"] == "mine"
    assert len(reply.headers.get_list("X-Request-ID")) == 1


async def test_each_gets_its_own(client) -> None:
    assert len({(await client.get("/health")).headers["X-Request-ID"] for _ in range(5)}) == 5


def watched(caplog) -> list[tuple[logging.LogRecord, About]]:
    """Every line from here on, and what it is about."""
    seen = []

    class Seeing(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            seen.append((record, current()))
            return True

    caplog.set_level("DEBUG", logger="k12ai_ws")
    caplog.handler.addFilter(Seeing())
    return seen


async def test_a_frame_is_named_by_its_connection_and_its_own_id(client, caplog) -> None:
    seen = watched(caplog)
    channel = await client.channel(X_Request_ID="conn")
    assert (await channel.ping("7"))["id"] == "7"
    started = await channel.ask(client.order("train.start", user="ann") | {"tag": "framework", "id": "8"})
    await channel.ask({"tag": "channel", "op": "unsubscribe", "id": "9"})
    channel.send("no JSON")
    assert (await channel.next())["error"]["code"] == 100103
    told = [(record, about) for record, about in seen if record.getMessage().startswith("frame ")]
    assert [(r.levelname, r.fields["op"], r.fields["outcome"], *a) for r, a in told] == [
        ("DEBUG", "ping", "answered", "conn/7", "", ""),
        ("INFO", "train.start", "answered", "conn/8", started["job_id"], "ann"),
        ("INFO", "unsubscribe", "refused with 100205", "conn/9", "", ""),
        ("INFO", "?", "refused with 100103", "conn", "", ""),
    ]
    await client.until(started["job_id"])


async def test_the_log_says_who_asked_and_which_job(client, caplog) -> None:
    seen = watched(caplog)
    reply = await client.post("/k12ai/framework/train", client.order("train.start", user="ann"), X_Request_ID="start-1")
    job_id = reply.message["job_id"]
    await client.get("/k12ai/framework/jobs?user=ann&limit=7")
    lines = {record.getMessage(): (record, about) for record, about in seen}
    start = next(v for message, v in lines.items() if message.startswith("POST /k12ai/framework/train 202 in "))
    assert start[1]._asdict() == {"request_id": "start-1", "job_id": job_id, "user": "ann"}
    fields = start[0].fields
    assert fields["seconds"] > 0
    assert {k: fields[k] for k in ("method", "path", "route", "status")} == {
        "method": "POST", "path": "/k12ai/framework/train", "route": "/k12ai/framework/{task}", "status": 202,
    }  # fmt: skip
    for path in (f"/k12ai/framework/jobs/{job_id}", f"/k12ai/framework/jobs/{job_id}/events"):
        await client.get(path, X_Request_ID="look")
        about = next(a for record, a in reversed(seen) if record.getMessage().startswith(f"GET {path} 200"))
        assert about == About("look", job_id, "ann")
    await client.get(f"/k12ai/framework/jobs/{'0' * 32}", X_Request_ID="look")
    assert seen[-1][1] == About("look", "", "")
    listed = next(message for message in lines if message.startswith("GET /k12ai/framework/jobs 200"))
    assert "limit" not in listed
    assert not [m for m in lines if json.dumps(m) != f'"{m}"'], "a line of plain text"
    await client.until(job_id)
