"""Nobody sees or touches another one's jobs, whichever door and whichever way round."""

import ast
from pathlib import Path

import pytest

from k12ai_ws import api
from k12ai_ws.api.routes import ROUTES

WAIT = "import time; print('secret of bob', flush=True); time.sleep(60)"
JOBS, TRAIN, STATS = "/k12ai/framework/jobs", "/k12ai/framework/train", "/k12ai/platform/stats"


@pytest.fixture
async def bobs(school):
    """A job of bob's, running, that has printed something."""
    job_id = await school.bob.start(WAIT, user="bob", uuid="p")
    await school.bob.until(job_id, "running")
    await school.bob.until_printed(job_id, 1)
    return job_id


def denied(reply):
    assert (reply.status, reply.message["error"]["code"]) == (403, 100106), reply.message


def without_time(message):
    return {k: v for k, v in message.items() if k not in ("timestamp", "datetime")}


# ---- each route, so that no new one is forgotten


async def services(school, bobs):
    assert (await school.ann.get("/k12ai/framework/services")).status == 200


async def jobs(school, bobs):
    assert (await school.ann.get(JOBS)).body == {"jobs": [], "next": None}
    assert (await school.ann.get(f"{JOBS}?service_uuid=p")).body["jobs"] == []
    denied(await school.ann.get(f"{JOBS}?user=bob"))
    assert [j["job_id"] for j in (await school.bob.get(JOBS)).body["jobs"]] == [bobs]
    assert [j["job_id"] for j in (await school.admin.get(f"{JOBS}?user=bob")).body["jobs"]] == [bobs]


async def job(school, bobs, path=""):
    reply = await school.ann.get(f"{JOBS}/{bobs}{path}")
    missing = await school.ann.get(f"{JOBS}/{'0' * len(bobs)}{path}")
    assert reply.status == missing.status == 404
    said = str(without_time(reply.message)).replace(bobs, "ID")
    assert said == str(without_time(missing.message)).replace("0" * len(bobs), "ID"), "to the letter the same"
    assert (await school.bob.get(f"{JOBS}/{bobs}{path}")).status == 200
    assert (await school.admin.get(f"{JOBS}/{bobs}{path}")).status == 200


async def events(school, bobs):
    await job(school, bobs, "/events?type=log,status&after=0")


async def all_events(school, bobs):
    for query in ("", f"?job_id={bobs}", "?service_uuid=p", "?type=log,status"):
        assert (await school.ann.get(f"/k12ai/events{query}")).body["events"] == []
        assert (await school.bob.get(f"/k12ai/events{query}")).body["events"]
        assert (await school.admin.get(f"/k12ai/events{query}")).body["events"]
    denied(await school.ann.get("/k12ai/events?user=bob"))


async def framework(school, bobs):
    denied(await school.ann.post(TRAIN, school.ann.order("train.stop", "p", "bob")))
    denied(await school.ann.post(TRAIN, school.ann.order("train.start", "q", "bob")))
    assert (await school.ann.post(TRAIN, school.ann.order("train.stop", "p", "ann"))).status == 404
    assert (await school.bob.job(bobs))["status"]["value"] == "running"


async def stats(school, bobs):
    for query, count in ((school.ann, 0), (school.bob, 1), (school.admin, 1)):
        reply = await query.post(STATS, {"query": {"containers": True}})
        assert len(reply.body["containers"]) == count
    denied(await school.ann.post(STATS, {"username": "bob", "async": True, "query": {}}))
    denied(await school.ann.post(STATS, {"username": "bob", "query": {"cpus": True}}))
    assert (
        await school.ann.post(STATS, {"username": "ann", "password": "not used", "query": {"cpus": True}})
    ).status == 200


async def session(school, bobs):
    assert (await school.ann.get("/k12ai/session")).body["session"]["user"] == "ann"


async def channel(school, bobs):
    status, _, writer = await school.stranger.handshake()
    writer.close()
    assert status == 401


async def metrics(school, bobs):
    denied(await school.ann.get("/metrics"))
    assert (await school.admin.raw("/metrics")).code == 200


async def openapi(school, bobs):
    assert (await school.ann.raw("/openapi.json")).code == 200


async def anybody(school, bobs):
    """It tells strangers nothing; test_tokens looks at what."""


CHECKS = {
    "GET /k12ai/framework/services": services,
    "GET /k12ai/framework/jobs": jobs,
    "GET /k12ai/framework/jobs/{job_id}": job,
    "GET /k12ai/framework/jobs/{job_id}/events": events,
    "GET /k12ai/events": all_events,
    "POST /k12ai/framework/{task}": framework,
    "POST /k12ai/platform/stats": stats,
    "GET /k12ai/session": session,
    "POST /k12ai/session": session,
    "DELETE /k12ai/session": session,
    "GET /k12ai/ws": channel,
    "GET /health": anybody,
    "GET /ready": anybody,
    "GET /metrics": metrics,
    "GET /openapi.json": openapi,
}
OPEN = {"GET /health", "GET /ready", "POST /k12ai/session"}
NAMES = [f"{r.method} {r.path}" for r in ROUTES]


def test_every_route_has_a_check() -> None:
    assert set(NAMES) == set(CHECKS)


async def test_every_route_keeps_to_the_callers_own(school, bobs) -> None:
    for check in dict.fromkeys(CHECKS.values()):
        await check(school, bobs)


async def test_every_route_but_the_open_ones_wants_a_token(school) -> None:
    for name in NAMES:
        method, _, path = name.partition(" ")
        path = path.replace("{job_id}", "x").replace("{task}", "train")
        if path == "/k12ai/ws":
            continue
        reply = await school.stranger.request(method, path, b"{}" if method == "POST" else None)
        assert (reply.status == 401) == (name not in OPEN), f"{name}: {reply.status}"
        if name in OPEN:
            assert "not_allowed" not in str(reply.message)


# ---- each operation of the channel


def operations() -> set[tuple[str, str]]:
    """All (tag, op) that a module of the channel tells apart."""
    found = set()
    for path in Path(api.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.MatchSequence) and len(node.patterns) == 2:
                words = [p.value.value for p in node.patterns if isinstance(p, ast.MatchValue)]  # type: ignore[attr-defined]
                if len(words) == 2:
                    found.add(tuple(words))
    return found


def test_every_operation_of_the_channel_has_a_test() -> None:
    """subscribe, stats and framework requests below; the others touch nothing of anybody's."""
    assert operations() == {
        ("channel", "subscribe"),
        ("channel", "unsubscribe"),
        ("channel", "ping"),
        ("platform", "stats"),
    }


FILTERS = [
    {},
    {"type": ["log", "status"]},
    {"service_uuid": "p"},
    {"service_name": "toy"},
    {"tag": ["framework", "platform"]},
    {"job_id": None},
]


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
async def test_a_subscription_replays_and_streams_nothing_of_anothers(school, bobs, wanted) -> None:
    wanted = {k: bobs if v is None else v for k, v in wanted.items()}
    ann, bob = await school.ann.channel(), await school.bob.channel()
    assert (await ann.subscribe("s", "start", **wanted))["type"] == "info"
    assert (await ann.subscribe("u", "start", **wanted, user="ann"))["type"] == "info"
    await bob.subscribe("s", "start", **wanted)
    await school.bob.stop(user="bob", uuid="p")
    assert await bob.until_end(bobs)
    assert await ann.silence() == []


async def test_a_filter_that_names_another_user_is_refused_and_the_channel_stays(school, bobs) -> None:
    channel = await school.ann.channel()
    for wanted in ({"user": "bob"}, {"user": "bob", "job_id": bobs}, {"user": "bob", "tag": ["platform"]}):
        answer = await channel.subscribe("s", "start", **wanted)
        assert answer["error"]["code"] == 100106
    assert (await channel.subscribe("s", 0))["type"] == "info", "the name is free still"
    assert await channel.silence() == []


async def test_the_channel_starts_and_stops_nothing_of_anothers(school, bobs) -> None:
    channel = await school.ann.channel()
    for op, uuid in (("train.stop", "p"), ("train.start", "q"), ("train.start", "p")):
        answer = await channel.ask({"tag": "framework", "id": "1", **school.ann.order(op, uuid, "bob")})
        assert answer["error"]["code"] == 100106
        assert answer["user"] == "bob", "the answer may say what was asked"
    assert (await school.bob.job(bobs))["status"]["value"] == "running"
    own = await channel.ask({"tag": "framework", "id": "2", **school.ann.order("train.stop", "p", "ann")})
    assert own["error"]["code"] == 100205


async def test_statistics_over_the_channel_show_ones_own_containers_alone(school, bobs) -> None:
    for who, count in ((school.ann, 0), (school.bob, 1)):
        channel = await who.channel()
        ask = {"tag": "platform", "op": "stats", "id": "1", "query": {"containers": True}}
        assert len((await channel.ask(ask))["info"]["containers"]) == count
        assert len((await channel.ask(ask | {"id": "2", "every": 0.2}))["info"]["containers"]) == count
        for more in ({"every": 0.2}, {"async": True}, {}):
            other = "ann" if who is school.bob else "bob"
            answer = await channel.ask(ask | {"id": "3", "username": other} | more)
            assert answer["error"]["code"] == 100106


async def test_a_push_reaches_its_own_user_alone(school) -> None:
    ann, bob, admin = await school.ann.channel(), await school.bob.channel(), await school.admin.channel()
    for channel in (ann, bob):
        await channel.subscribe("p", tag=["platform"])
    await admin.subscribe("p", tag=["platform"], user="bob")
    reply = await school.bob.post(STATS, {"username": "bob", "async": True, "query": {"cpus": True}})
    assert reply.status == 202
    for channel in (bob, admin):
        assert (await channel.next())["id"] == reply.body["id"]
    assert await ann.silence() == []


async def test_idempotency_keys_are_ones_own(school, bobs) -> None:
    order = school.bob.order("train.start", "k", "bob")
    made = await school.bob.post(TRAIN, order, Idempotency_Key="one")
    denied(await school.ann.post(TRAIN, order, Idempotency_Key="one"))
    own = await school.ann.post(TRAIN, order | {"user": "ann"}, Idempotency_Key="one")
    assert own.status == 202
    assert own.message["job_id"] != made.message["job_id"]


async def test_a_cursor_of_anothers_page_gives_nothing_of_it(school, bobs) -> None:
    await school.bob.start("print(1)", user="bob", uuid="second")
    page = (await school.bob.get(f"{JOBS}?limit=1")).body
    assert page["next"] is not None
    assert (await school.ann.get(f"{JOBS}?limit=1&cursor={page['next']}")).body["jobs"] == []


async def test_an_admin_starts_sees_and_stops_for_anybody(school, bobs) -> None:
    channel = await school.admin.channel()
    await channel.subscribe("all", "start")
    assert (await school.admin.stop(user="bob", uuid="p")).status == 202
    assert await channel.until_end(bobs)
    job_id = await school.admin.start("print(1)", user="carl")
    await school.admin.until(job_id)


async def test_whether_a_job_exists_is_not_told_by_what_is_kept_of_it(school, bobs) -> None:
    """A resume that cannot be met says what is earliest: of another one's job the same as of none."""

    async def told(job_id):
        reply = await school.ann.get(f"/k12ai/events?job_id={job_id}&after=1&epoch=zz")
        assert reply.status == 410
        return reply.message["error"]["detail"]

    assert await told(bobs) == await told("0" * len(bobs))


async def test_what_an_admin_asks_for_on_behalf_of_a_user_shows_that_user_no_more(school, bobs) -> None:
    channel = await school.ann.channel()
    await channel.ask({"tag": "channel", "op": "subscribe", "id": "s", "filter": {"tag": ["platform"], "user": "ann"}})
    reply = await school.admin.post(STATS, {"username": "ann", "async": True, "query": {"containers": True}})
    assert reply.status == 202
    while "containers" not in (pushed := await channel.next())["info"]:
        pass
    assert pushed["info"]["containers"] == []
