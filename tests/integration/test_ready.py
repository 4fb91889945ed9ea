"""A server whose engine does not answer: it runs and says so, and jobs wait for the engine."""

import pytest


@pytest.fixture
async def client(serve, tmp_path):
    return await serve({"jobs": {"launcher": "docker"}, "docker": {"host": f"unix://{tmp_path}/no.sock"}})


async def test_ready_names_the_engine_that_does_not_answer(client, tmp_path):
    reply = await client.get("/ready")
    assert (reply.status, reply.message["type"], reply.body["code"]) == (503, "error", 100203)
    assert reply.body["message"].startswith("not ready: launcher: the Docker engine at ")
    assert f"{tmp_path}/no.sock does not answer: " in reply.body["message"]
    checks = reply.body["detail"]["checks"]
    assert {name for name, check in checks.items() if not check["ok"]} == {"launcher"}
    assert checks.keys() == {"store", "disk", "launcher", "shutdown"}
    assert checks["launcher"]["name"] == "docker"
    assert (await client.get("/health")).status == 200


async def test_a_job_is_taken_and_waits_with_that_reason(client, tmp_path):
    order = client.order("train.start", image="k12ai/any:latest")
    reply = await client.post("/k12ai/framework/train", order)
    assert (reply.status, reply.body["value"]) == (202, "queued")
    job = await client.job(reply.message["job_id"])
    assert job["status"]["value"] == "queued"
    assert (job["queue"]["position"], job["queue"]["waiting"]) == (1, 1)
    assert f"{tmp_path}/no.sock does not answer" in job["queue"]["reason"]
    assert reply.body["message"] == job["queue"]["reason"]
    assert (await client.stop()).status == 202
    assert (await client.until(job["job_id"]))["status"]["value"] == "stopped"
