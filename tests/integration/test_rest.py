"""The REST door of a real server with real jobs."""

import asyncio
import itertools
import json
import re

import pytest
from tornado.httpclient import AsyncHTTPClient

from k12ai_ws.api import readiness
from k12ai_ws.drivers.registry import BrokenPlugin, Registry
from k12ai_ws.store.sqlite import SqliteStore, reader

QUIT = "import time\nprint('up', flush=True)\ntime.sleep(60)"
TRAIN = "/k12ai/framework/train"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


# ---- start and stop


async def test_start_is_accepted_with_every_mandatory_field(client):
    reply = await client.post(TRAIN, client.order("train.start", "project-1", "alice"))
    assert reply.status == 202
    message = reply.message  # its order and types are checked by the client
    assert (message["type"], message["tag"], message["op"]) == ("status", "framework", "train.start")
    assert (message["user"], message["service_uuid"], message["service_name"]) == ("alice", "project-1", "toy")
    assert message["status"]["value"] in ("queued", "starting")
    assert message["status"]["code"] in (100007, 100001)
    assert RFC3339.fullmatch(message["datetime"])
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", message["job_id"])
    await client.until(message["job_id"])


async def test_start_answer_is_a_stored_event(client):
    reply = await client.post(TRAIN, client.order("train.start"))
    await client.until(reply.message["job_id"])
    assert reply.message in await client.events(reply.message["job_id"])


async def test_stop_is_accepted_and_ends_the_job(client):
    job_id = await client.start(QUIT)
    await client.until(job_id, "running")
    reply = await client.stop()
    assert reply.status == 202
    assert reply.message["op"] == "train.stop"
    assert reply.message["job_id"] == job_id
    assert (reply.body["value"], reply.body["code"], reply.body["requested_by"]) == ("stopping", 100010, "u")
    job = await client.until(job_id)
    assert job["status"]["value"] == "stopped"
    assert job["status"]["reason"] == "stopped_by_user"
    assert job["status"]["code"] == 100004


async def test_stop_names_exactly_the_active_job(client):
    job_id = await client.start(QUIT)
    for wrong in (
        client.order("train.stop", "another"),
        client.order("train.stop", "p", "another"),
        client.order("evaluate.stop"),
        client.order("train.stop") | {"service_name": "other"},
    ):
        reply = await client.post(f"/k12ai/framework/{wrong['op'].partition('.')[0]}", wrong)
        assert (reply.status, reply.body["code"]) == (404, 100205), wrong
    assert (await client.job(job_id))["status"]["value"] in ("starting", "running")
    assert (await client.stop()).status == 202
    await client.until(job_id)
    assert (await client.stop()).status == 404


async def test_one_active_job_per_user_and_uuid(client):
    job_id = await client.start(QUIT)
    reply = await client.post(TRAIN, client.order("train.start"))
    assert (reply.status, reply.body["code"]) == (409, 100204)
    assert reply.body["detail"]["job_id"] == job_id
    other = await client.post("/k12ai/framework/evaluate", client.order("evaluate.start"))
    assert other.status == 409  # of whatever task
    mine = await client.start("", user="v")
    await client.stop()
    for one in (job_id, mine):
        await client.until(one)
    await client.until(await client.start("print(1)"))  # the place is free again


async def test_simultaneous_starts_make_one_job(client):
    replies = await asyncio.gather(*(client.post(TRAIN, client.order("train.start", script=QUIT)) for _ in range(12)))
    assert sorted(r.status for r in replies) == [202] + [409] * 11
    assert len(await client.jobs()) == 1


async def test_queue_limits_are_told(serve):
    client = await serve({"jobs": {"max_running": 1, "max_queued": 2, "max_queued_per_user": 1}})
    first = await client.start(QUIT, "a")
    second = await client.start("print(2)", "b")
    reply = await client.post(TRAIN, client.order("train.start", "c"))
    assert (reply.status, reply.body["code"]) == (429, 100210)
    assert "max_queued_per_user" in reply.body["message"]
    third = await client.start("print(3)", "a", "v")
    reply = await client.post(TRAIN, client.order("train.start", "a", "w"))
    assert reply.status == 429
    assert "max_queued)" in reply.body["message"]
    assert [(await client.job(j))["status"]["value"] for j in (second, third)] == ["queued", "queued"]
    assert len(await client.jobs()) == 3  # the refused ones left nothing
    await client.stop("b")  # a queued job is stopped at once, without having run
    job = await client.job(second)
    assert (job["status"]["value"], job["timings"]["started"]) == ("stopped", None)
    await client.stop("a")
    assert (await client.until(third))["status"]["value"] == "finished"
    await client.until(first)


# ---- refusals


@pytest.mark.parametrize(
    ("change", "status", "code", "loc"),
    [
        ({"user": None}, 400, 100102, "user"),
        ({"user": 7}, 400, 100102, "user"),
        ({"user": ""}, 400, 100102, "user"),
        ({"user": "../etc"}, 400, 100102, "user"),
        ({"user": "a\n"}, 400, 100102, "user"),
        ({"user": "a" * 65}, 400, 100102, "user"),
        ({"user": "用户"}, 400, 100102, "user"),
        ({"user": "a\u0000"}, 400, 100102, "user"),
        ({"service_uuid": "a/b"}, 400, 100102, "service_uuid"),
        ({"service_uuid": ".."}, 400, 100102, "service_uuid"),
        ({"service_uuid": "-rf"}, 400, 100102, "service_uuid"),
        ({"service_uuid": ["p"]}, 400, 100102, "service_uuid"),
        ({"service_name": "Toy"}, 400, 100102, "service_name"),
        ({"service_name": "nothing"}, 404, 100201, None),
        ({"op": "train"}, 400, 100102, "op"),
        ({"op": "train.pause"}, 400, 100102, "op"),
        ({"op": "evaluate.start"}, 400, 100102, "op"),
        ({"service_params": []}, 400, 100102, "service_params"),
        ({"service_params": None}, 400, 100102, "service_params"),
        ({"service_params": {"no_such": 1}}, 400, 100231, "service_params.no_such"),
        ({"service_params": {"script": 1}}, 400, 100231, "service_params.script"),
        ({"service_params": {"time_limit_s": -1}}, 400, 100231, "service_params.time_limit_s"),
        ({"service_params": {"count": 10**30}}, 400, 100231, "service_params.count"),
        ({"service_params": {"count": "9" * 30}}, 400, 100231, "service_params.count"),
        ({"service_params": {"refuse": True}}, 400, 100212, "service_params.refuse"),
        ({"extra": 1}, 400, 100102, "extra"),
    ],
)  # fmt: skip
async def test_a_bad_field_is_named_and_changes_nothing(client, change, status, code, loc):
    reply = await client.post(TRAIN, client.order("train.start") | change)
    assert (reply.status, reply.body["code"]) == (status, code), reply.message
    assert reply.message["type"] == "error"
    assert reply.body["severity"] == "error"
    if loc is not None:
        assert [f["loc"] for f in reply.body["detail"]["fields"]] == [loc]
        assert all(set(f) == {"loc", "msg", "type"} for f in reply.body["detail"]["fields"])
    assert await client.jobs() == []


@pytest.mark.parametrize("missing", ["op", "user", "service_name", "service_uuid", "service_params"])
async def test_a_missing_key_is_named(client, missing):
    order = client.order("train.start")
    del order[missing]
    reply = await client.post(TRAIN, order)
    assert (reply.status, reply.body["code"]) == (400, 100101)
    assert [f["loc"] for f in reply.body["detail"]["fields"]] == [missing]


async def test_a_missing_parameter_has_its_own_code(client):
    reply = await client.post("/k12ai/framework/predict", client.order("predict.start"))
    assert (reply.status, reply.body["code"]) == (400, 100233)
    assert [f["loc"] for f in reply.body["detail"]["fields"]] == ["service_params.needed"]


async def test_unknown_task(client):
    reply = await client.post("/k12ai/framework/dream", client.order("dream.start"))
    assert (reply.status, reply.body["code"]) == (400, 100102)
    assert "train, evaluate, predict" in reply.body["message"]


async def test_no_route_and_wrong_method(client):
    for method, path in (("GET", "/nope"), ("POST", "/"), ("PUT", "/k12ai"), ("GET", "/k12ai/framework/jobs/a%2Fb")):
        reply = await client.request(method, path, b"{}" if method != "GET" else None)
        assert (reply.status, reply.body["code"]) == (404, 100205), path
    for method, path, allow in (
        ("GET", TRAIN, "POST"),
        ("DELETE", TRAIN, "POST"),
        ("POST", "/k12ai/framework/jobs", "GET"),
        ("POST", "/k12ai/framework/services", "GET"),
        ("POST", "/health", "GET"),
        ("GET", "/k12ai/platform/stats", "POST"),
        ("POST", "/k12ai/ws", "GET"),
    ):
        reply = await client.request(method, path, b"{}" if method == "POST" else None)
        assert (reply.status, reply.headers["Allow"]) == (405, allow), path
        assert reply.message["type"] == "error"


async def test_head_is_answered_without_a_body(client):
    for path, status in (("/nope", 404), (TRAIN, 405)):
        reply = await client.request("HEAD", path)
        assert (reply.status, reply.raw) == (status, b"")


async def test_too_large_a_body(client):
    reply = await client.post(TRAIN, b'{"x":"' + b"y" * (1 << 20) + b'"}')
    assert (reply.status, reply.body["code"]) == (413, 100011)


async def test_queries_refuse_what_they_do_not_know(client):
    job_id = await client.start()
    await client.until(job_id)
    job = f"/k12ai/framework/jobs/{job_id}"
    for path, loc in (
        ("/k12ai/framework/jobs?colour=red", "colour"),
        ("/k12ai/framework/jobs?limit=1&limit=2", "limit"),
        ("/k12ai/framework/jobs?limit=0", "limit"),
        ("/k12ai/framework/jobs?limit=", "limit"),
        ("/k12ai/framework/jobs?limit=1.0", "limit"),
        ("/k12ai/framework/jobs?limit=1_0", "limit"),
        ("/k12ai/framework/jobs?limit=%2B1", "limit"),
        ("/k12ai/framework/jobs?limit=%201", "limit"),
        ("/k12ai/framework/jobs?limit=%D9%A1", "limit"),
        ("/k12ai/framework/jobs?limit=true", "limit"),
        (f"{job}/events?after=1.0", "after"),
        ("/k12ai/framework/jobs?status=asleep", "status"),
        ("/k12ai/framework/jobs?cursor=x", "cursor"),
        ("/k12ai/framework/jobs?user=..", "user"),
        (f"{job}/events?after=-1", "after"),
        (f"{job}/events?after=99999999999999999999", "after"),
        (f"{job}/events?type=rumour", "type"),
        (f"{job}/events?type=status&type=log", "type"),
        (f"{job}/events?since=1", "since"),
        (f"{job}?pretty=1", "pretty"),
        ("/k12ai/framework/services?x=1", "x"),
        ("/health?x=1", "x"),
        ("/ready?x=1", "x"),
    ):
        reply = await client.get(path)
        assert (reply.status, reply.body["code"]) == (400, 100102), path
        assert [f["loc"] for f in reply.body["detail"]["fields"]] == [loc], path
    for path, body in ((TRAIN, client.order("train.start", "q")), ("/k12ai/platform/stats", {})):
        reply = await client.post(path + "?x=1", body)
        assert (reply.status, reply.body["detail"]["fields"][0]["loc"]) == (400, "x"), path
    assert len(await client.jobs()) == 1


# ---- languages


async def test_descr_follows_accept_language_and_codes_never(client, serve):
    wrong = client.order("train.start") | {"user": 1}
    for header, descr in (
        ("zh-CN,zh;q=0.9,en;q=0.8", "字段的值无效"),
        ("en-US", "a value is invalid"),
        ("fr;q=1, zh;q=0.3", "字段的值无效"),
        ("en;q=0.1, zh;q=0.2", "字段的值无效"),
        ("de", "a value is invalid"),
        (";;q=x,,", "a value is invalid"),
    ):
        reply = await client.post(TRAIN, wrong, Accept_Language=header)
        assert (reply.body["code"], reply.body["descr"]) == (100102, descr), header
    job = (await client.post(TRAIN, client.order("train.start"), Accept_Language="zh")).message["job_id"]
    await client.until(job)
    assert [e["status"]["descr"] for e in await client.events(job, "status")][-1] == "任务已完成"
    chinese = await serve({"language": "zh"}, name="chinese")
    assert (await chinese.post(TRAIN, wrong)).body["descr"] == "字段的值无效"
    assert (await chinese.post(TRAIN, wrong, Accept_Language="en")).body["descr"] == "a value is invalid"


async def test_a_stop_answers_in_its_own_language(client):
    job_id = await client.start(QUIT)
    reply = await client.post(TRAIN, client.order("train.stop"), Accept_Language="zh")
    assert reply.body["descr"] == "任务停止中"
    await client.until(job_id)


# ---- Idempotency-Key


async def test_a_repeated_start_answers_with_the_first_job(client):
    order = client.order("train.start", script="print('once')")
    first = await client.post(TRAIN, order, Idempotency_Key="k1")
    again = await client.post(TRAIN, order, Idempotency_Key="k1")
    assert first.status == again.status == 202
    job_id = first.message["job_id"]
    assert again.message["job_id"] == job_id
    await client.until(job_id)
    late = await client.post(TRAIN, order, Idempotency_Key="k1")
    assert (late.status, late.message["job_id"], late.body["value"]) == (202, job_id, "finished")
    other = await client.post(TRAIN, client.order("train.start", script="print('two')"), Idempotency_Key="k1")
    assert (other.status, other.body["code"]) == (400, 100102)
    assert len(await client.jobs()) == 1
    stranger = await client.post(TRAIN, client.order("train.start", user="v"), Idempotency_Key="k1")
    assert stranger.message["job_id"] != job_id  # keys belong to users
    await client.until(stranger.message["job_id"])


async def test_concurrent_starts_with_one_key_make_one_job(client):
    order = client.order("train.start", script=QUIT)
    replies = await asyncio.gather(*(client.post(TRAIN, order, Idempotency_Key="k") for _ in range(10)))
    assert {r.status for r in replies} == {202}
    assert len({r.message["job_id"] for r in replies}) == 1
    assert len(await client.jobs()) == 1


async def test_a_refused_start_does_not_use_up_its_key(client):
    reply = await client.post(TRAIN, client.order("train.start", refuse=True), Idempotency_Key="k")
    assert reply.status == 400
    reply = await client.post(TRAIN, client.order("train.start"), Idempotency_Key="k")
    assert reply.status == 202
    await client.until(reply.message["job_id"])


@pytest.mark.parametrize("key", ["", "x" * 257])
async def test_a_bad_key_is_refused(client, key):
    reply = await client.post(TRAIN, client.order("train.start"), Idempotency_Key=key)
    assert (reply.status, reply.body["detail"]["fields"][0]["loc"]) == (400, "Idempotency-Key")


# ---- reading


async def test_one_job_shows_request_state_timings_and_last_things(client):
    script = "print('epoch=1 loss=0.75'); print('epoch=2 loss=0.5', flush=True); 1/0"
    order = client.order("train.start", script=script)
    job_id = (await client.post(TRAIN, order)).message["job_id"]
    job = await client.until(job_id)
    assert job["request"]["service_params"]["script"] == script
    assert {k: v for k, v in job["request"].items() if k != "service_params"} == {
        k: v for k, v in order.items() if k != "service_params"
    }
    assert job["status"] == {
        "value": "failed", "code": 100930, "descr": "division by zero", "exit_code": 1, "reason": "exception",
    }  # fmt: skip
    timings = job["timings"]
    assert timings["created"] <= timings["started"] <= timings["ended"]
    assert RFC3339.fullmatch(timings["ended_datetime"])
    assert timings["duration_s"] == (timings["ended"] - timings["started"]) / 1000
    assert job["metrics"]["loss"] == 0.5
    assert job["metrics"]["epoch"] == 2
    assert job["error"]["code"] == 100930
    assert job["error"]["detail"]["exc_type"] == "ZeroDivisionError"
    assert job["launcher"] == "process"


async def test_jobs_page_newest_first_through_every_filter(client):
    made = []
    for i in range(7):
        made.append(await client.start("raise SystemExit(3)" if i == 3 else "print(1)", f"p{i % 2}", f"user{i % 3}"))
        await client.until(made[-1])
    assert [j["job_id"] for j in await client.jobs()] == made[::-1]
    seen, query, pages = [], "limit=3", 0
    while query:
        reply = await client.get(f"/k12ai/framework/jobs?{query}")
        seen += [j["job_id"] for j in reply.body["jobs"]]
        query = f"limit=3&cursor={reply.body['next']}" if reply.body["next"] is not None else ""
        pages += 1
    assert (seen, pages) == (made[::-1], 3)

    async def ids(query):
        return [j["job_id"] for j in await client.jobs(query)]

    assert await ids("user=user0") == [made[6], made[3], made[0]]
    assert await ids("service_uuid=p1") == [made[5], made[3], made[1]]
    assert await ids("user=user0&service_uuid=p1") == [made[3]]
    assert await ids("status=failed") == [made[3]]
    assert len(await ids("service_name=toy")) == 7
    assert await ids("service_name=other") == []
    assert await ids("user=nobody") == []


async def test_events_page_by_after_type_and_limit(client):
    job_id = await client.start("for i in range(50): print(f'epoch={i} loss={i/50}')")
    await client.until(job_id)
    every = await client.events(job_id)
    assert [e["seq"] for e in every] == sorted({e["seq"] for e in every})
    path = f"/k12ai/framework/jobs/{job_id}/events"
    plain = (await client.get(path)).body
    assert plain["events"] == [e for e in every if e["type"] != "log"]  # log lines only where asked for by name
    assert plain["next"] is None
    assert plain["head"] >= every[-1]["seq"]
    metrics = [e for e in every if e["type"] == "metrics"]
    assert len(metrics) == 50
    page = (await client.get(f"{path}?type=metrics&limit=20")).body
    assert page["events"] == metrics[:20]
    assert page["next"] == metrics[19]["seq"]
    page = (await client.get(f"{path}?type=metrics&limit=20&after={metrics[39]['seq']}")).body
    assert page["events"] == metrics[40:]
    assert page["next"] is None
    both = (await client.get(f"{path}?type=status,log")).body["events"]
    assert both == [e for e in every if e["type"] in ("status", "log")]


async def test_a_page_of_events_that_found_nothing_says_where_to_go_on(client, monkeypatch):
    """It looks at a bounded part of the log: what is asked for may come pages later."""
    job_id = await client.start("for i in range(20): print(i, flush=True)\nprint('loss=0.5')")
    await client.until(job_id)
    every = await client.events(job_id)
    monkeypatch.setattr(reader, "SPAN", 2)
    path = f"/k12ai/framework/jobs/{job_id}/events"
    page = (await client.get(f"{path}?type=metrics")).body
    assert (page["events"], page["next"]) == ([], every[1]["seq"])
    assert await client.events(job_id, "metrics") == [e for e in every if e["type"] == "metrics"]
    assert await client.events(job_id) == every


async def test_what_others_add_meanwhile_makes_no_further_page(client, monkeypatch):
    """A finished job's listing ends, however much the server stores while its pages are read."""
    job_id = await client.start("print('loss=0.5')")
    await client.until(job_id)
    every, pages, replay, others = await client.events(job_id), [], SqliteStore.replay, itertools.count()

    async def busy(self, wanted, after, *, limit=500):
        page = await replay(self, wanted, after, limit=limit)
        if wanted.job_id == job_id:
            pages.append(page)
            await client.start("pass", f"other-{next(others)}")
        return page

    monkeypatch.setattr(SqliteStore, "replay", busy)
    page = (await client.get(f"/k12ai/framework/jobs/{job_id}/events")).body
    assert (page["events"], page["head"]) == ([e for e in every if e["type"] != "log"], every[-1]["seq"])
    pages.clear()
    assert await client.events(job_id) == every
    assert len(pages) <= 2, "at most one that is empty, after one that may have been full"
    pages.clear()
    assert (await client.get(f"/k12ai/framework/jobs/{job_id}/events?after={every[-1]['seq']}")).body["next"] is None


async def test_events_of_another_log_are_gone(client):
    job_id = await client.start()
    await client.until(job_id)
    path = f"/k12ai/framework/jobs/{job_id}/events"
    now = (await client.get(path)).body
    for query in ("epoch=another", f"after={now['head'] + 1}", f"after={2**63 - 1}"):
        reply = await client.get(f"{path}?{query}")
        assert (reply.status, reply.body["code"]) == (410, 100107), query
        detail = {"epoch": now["epoch"], "earliest": 1, "head": now["head"], "recovered": False}
        assert reply.body["detail"] == detail
    assert (await client.get(f"{path}?epoch={now['epoch']}&after={now['head']}")).body["events"] == []


async def test_unknown_jobs(client):
    for path in ("/k12ai/framework/jobs/none", "/k12ai/framework/jobs/none/events"):
        reply = await client.get(path)
        assert (reply.status, reply.body["code"]) == (404, 100205)


async def test_services_with_schemas_and_broken_plugins(serve, toy):
    broken = BrokenPlugin("rotten", "k12rotten", "ImportError: no module named 'apple'")
    client = await serve(registry=Registry(toy.services, (broken,)))
    info = (await client.get("/k12ai/framework/services")).body
    assert info["broken"] == [{"plugin": "rotten", "distribution": "k12rotten", "error": broken.error}]
    (service,) = info["services"]
    assert (service["name"], service["distribution"], service["version"]) == ("toy", "k12toy", "0.1")
    assert sorted(service["tasks"]) == ["evaluate", "predict", "train"]
    assert service["tasks"]["train"]["ops"] == ["train.start", "train.stop"]
    schema = service["tasks"]["predict"]["service_params"]
    assert schema["required"] == ["needed"]
    assert schema["properties"]["needed"]["maximum"] == 9
    reply = await client.post(TRAIN, client.order("train.start") | {"service_name": "rotten"})
    assert reply.status == 404
    assert "apple" in reply.body["message"]


async def test_health_and_ready(client):
    reply = await client.get("/health")
    assert (reply.status, reply.body["code"]) == (200, 100000)
    reply = await client.get("/ready")
    assert (reply.status, reply.body["ready"]) == (200, True)
    assert set(reply.body["checks"]) == {"store", "disk", "launcher", "shutdown"}
    assert all(check["ok"] for check in reply.body["checks"].values())


async def test_not_ready_is_an_error_that_says_what_is_missing(client, monkeypatch):
    monkeypatch.setattr(readiness, "MIN_FREE_BYTES", 1 << 62)
    reply = await client.get("/ready")
    assert (reply.status, reply.message["type"], reply.body["code"]) == (503, "error", 100999)
    assert reply.body["message"].startswith("not ready: disk: ")
    assert reply.body["detail"]["ready"] is False
    assert [name for name, check in reply.body["detail"]["checks"].items() if not check["ok"]] == ["disk"]


async def test_no_driver_at_all_is_no_harm(serve):
    client = await serve(registry=Registry())
    assert (await client.get("/k12ai/framework/services")).body == {"services": [], "broken": []}
    assert (await client.post(TRAIN, client.order("train.start"))).status == 404


async def test_another_origin_may_not_call(client):
    for origin in ("http://evil.example", "null", "https://127.0.0.1:1"):
        reply = await client.post(TRAIN, client.order("train.start"), Origin=origin)
        assert (reply.status, reply.body["code"]) == (403, 100106), origin
    assert (await client.get("/health", Origin=client.address)).status == 200
    assert await client.jobs() == []


async def test_answers_name_their_request(client):
    """What the body says of user, uuid and op comes back in the error, where it is sound."""
    reply = await client.post(TRAIN, client.order("train.start", user="alice") | {"service_params": 1})
    assert [reply.message[k] for k in ("op", "user", "service_uuid")] == ["train.start", "alice", "p"]
    reply = await client.post(TRAIN, json.dumps({"user": "<b>"}).encode())
    assert [reply.message[k] for k in ("op", "user", "service_uuid")] == ["train", "", ""]


@pytest.mark.parametrize("path", ["/health", "/k12ai/framework/jobs", "/k12ai/ws"])
@pytest.mark.parametrize("host", ["evil.com:8170", "127.0.0.1.evil.com", "[::1", "10.0.0.1"])
async def test_a_name_that_was_pointed_at_loopback_is_refused(client, path, host):
    headers = {"Host": host, "Origin": f"http://{host}"}
    if path.endswith("ws"):
        headers |= {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    answer = await AsyncHTTPClient().fetch(client.server.address + path, headers=headers, raise_error=False)
    assert answer.code == 403
    assert json.loads(answer.body)["error"]["code"] == 100106
