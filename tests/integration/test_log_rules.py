"""Rules for a job's log through the front door: REST, the channel, the configuration, and a server that restarts."""

import json

import pytest

from k12ai_ws.client import Client as K12aiClient
from k12ai_ws.drivers.registry import Registry, Service, examine

TRAIN = "/k12ai/framework/train"
REWARD = {"pattern": r"reward is (?P<reward>\S+)"}
SCRIPT = "print('== round 3'); print('reward is 2 loss=9'); print('epoch=1 loss=0.5')"
ROUNDS = {"pattern": r"^== round (?P<epoch>\d+)", "services": ["toy"], "tasks": ["train"]}


@pytest.fixture
def generous(toy: Registry) -> Registry:
    """The toy driver, but it takes rules with a request."""
    kind = type(toy.services["toy"].driver)
    driver = type("Generous", (kind,), {"log_rules_allowed": True})()
    return Registry({"toy": Service(driver, "toy", "k12toy", "0.1", examine(driver))})


async def metrics(client, job_id):
    return [event["metrics"] for event in await client.events(job_id, "metrics")]


async def test_a_request_brings_rules(serve, generous):
    client = await serve({"logs": {"rules": [ROUNDS]}}, registry=generous)
    order = client.order("train.start", script=SCRIPT) | {"log_rules": [REWARD]}
    reply = await client.post(TRAIN, order)
    assert reply.status == 202, reply.message
    job = await client.until(reply.message["job_id"])
    assert job["request"]["log_rules"] == [REWARD]
    assert await metrics(client, job["job_id"]) == [{"epoch": 3, "reward": 2}, {"epoch": 1, "loss": 0.5}]
    assert job["error"] is None
    (service,) = (await client.get("/k12ai/framework/services")).body["services"]
    assert service["log_rules_allowed"] is True
    assert service["log_rules"]["maxItems"] == 50
    assert {"pattern", "name", "scale", "contains"} < set(service["log_rules"]["items"]["properties"])


async def test_through_the_channel_and_the_client(serve, generous):
    client = await serve(registry=generous)
    channel = await client.channel()
    order = {"tag": "framework", "id": "1", **client.order("train.start", script=SCRIPT), "log_rules": [REWARD]}
    first = await channel.ask(order)
    assert first["type"] == "status", first
    await client.until(first["job_id"])
    async with K12aiClient(client.address) as ours:
        answer = await ours.start(
            "toy", "train", user="u", service_uuid="p2", params={"script": SCRIPT}, log_rules=[REWARD]
        )
        await client.until(answer.job_id)
    wanted = [{"reward": 2}, {"epoch": 1, "loss": 0.5}]
    assert await metrics(client, first["job_id"]) == await metrics(client, answer.job_id) == wanted


async def test_without_leave_it_is_refused(client):
    reply = await client.post(TRAIN, client.order("train.start", script=SCRIPT) | {"log_rules": [REWARD]})
    assert (reply.status, reply.body["code"]) == (403, 100106)
    assert reply.body["detail"]["fields"][0]["loc"] == "log_rules"
    assert await client.jobs() == []
    (service,) = (await client.get("/k12ai/framework/services")).body["services"]
    assert (service["log_rules_allowed"], service["log_rules"]) == (False, None)


@pytest.mark.parametrize(
    ("rules", "loc", "words"),
    [
        ([{"pattern": "loss(?=x)"}], "log_rules.0.pattern", "at character 5"),
        ([REWARD, {"patern": "x"}], "log_rules.1.patern", "did you mean pattern"),
        ([REWARD] * 51, "log_rules", "there are 51 rules: 50 are the most"),
        ("loss", "log_rules", 'a list of up to 50 rules, such as [{"pattern"'),
        ({}, "log_rules", "a list of up to 50 rules"),
        ([None], "log_rules.0", "a table"),
    ],
)
async def test_wrong_rules_are_refused(serve, generous, rules, loc, words):
    client = await serve(registry=generous)
    reply = await client.post(TRAIN, client.order("train.start") | {"log_rules": rules})
    assert (reply.status, reply.body["code"]) == (400, 100102)
    (field,) = reply.body["detail"]["fields"]
    assert field["loc"] == loc
    assert words in field["msg"]
    assert await client.jobs() == []


async def test_a_restarted_server_reads_on_with_the_rules_of_the_start(house):
    """The rules stand in the job's record: what the configuration says later is for later jobs."""
    gated = (
        "import os, time\nprint('== round 1\\nreward 1', flush=True)\n"
        "while not os.path.exists('go'): time.sleep(0.005)\nprint('reward 2')"
    )
    configured = [ROUNDS, {"pattern": r"reward (?P<reward>\d+)"}]
    client = await house.start(logs={"rules": configured})
    job_id = await client.start(gated)
    await client.until_printed(job_id, 2)
    await house.end(9)
    client = await house.start(logs={"rules": [{"pattern": r"reward (?P<changed>\d+)"}]})
    (house.data_dir / "workspaces" / "u" / "p" / "toy" / "go").touch()
    await client.until(job_id)
    assert await metrics(client, job_id) == [{"epoch": 1, "reward": 1}, {"epoch": 1, "reward": 2}]
    assert not await client.events(job_id, "error")


async def test_configured_rules_for_nobody_are_told_of_at_the_start(serve, caplog):
    await serve({"logs": {"rules": [ROUNDS, REWARD | {"services": ["nosuch"]}, REWARD | {"tasks": ["nope"]}]}})
    said = [record.getMessage() for record in caplog.records if "logs.rules" in record.getMessage()]
    assert len(said) == 2, said
    assert "logs.rules.1: there is no service 'nosuch'; there are: toy" in said[0]
    assert "logs.rules.2: there is no task 'nope'" in said[1]


async def test_rules_that_found_nothing_are_told_of(serve, generous):
    client = await serve(registry=generous)
    reply = await client.post(TRAIN, client.order("train.start", script="print(1)") | {"log_rules": [REWARD]})
    job = await client.until(reply.message["job_id"])
    assert (job["status"]["value"], job["error"]) == ("finished", None)
    (warning,) = [event["error"] for event in await client.events(job["job_id"], "error")]
    assert (warning["code"], warning["severity"]) == (100009, "warning")
    assert json.dumps(REWARD["pattern"])[1:-1] in json.dumps(warning["message"])
