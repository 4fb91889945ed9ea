"""Admission on a real server: memory and GPUs that jobs ask for, and what a client sees of the queue."""

from typing import Annotated, ClassVar

import pytest
from pydantic import Field

from k12ai_ws.drivers import Driver, Job, LaunchSpec, Params, Resources
from k12ai_ws.drivers.registry import Registry, Service, examine

TRAIN = "/k12ai/framework/train"
MIB = 1 << 20


class Wish(Params):
    memory: Annotated[int, Field(gt=0)] | None = None
    gpus: int = 0
    seconds: float = 60.0


class Wishful(Driver):
    service_name = "toy"
    tasks: ClassVar = {"train": Wish}

    def launch(self, job: Job) -> LaunchSpec:
        wish = job.params
        code = f"import time; print('up', flush=True); time.sleep({wish.seconds})"
        return LaunchSpec(command=["python", "-c", code], resources=Resources(memory=wish.memory, gpus=wish.gpus))


@pytest.fixture
async def client(serve):
    driver = Wishful()
    registry = Registry({"toy": Service(driver, "wishful", "k12wishful", "0.1", examine(driver))})
    jobs = {"memory": 100 * MIB, "max_running": 3, "max_running_per_user": 2}
    return await serve({"jobs": jobs}, registry=registry)


async def test_a_waiting_job_shows_its_place_and_why(client):
    first = await client.start(uuid="a", memory=60 * MIB)
    await client.until(first, "running")
    reply = await client.post(TRAIN, client.order("train.start", "b", "v", memory=50 * MIB))
    reason = "waits for memory: 50 MiB asked, 40 MiB of 100 MiB free"
    assert (reply.body["value"], reply.body["message"]) == ("queued", reason)
    second, third = reply.message["job_id"], await client.start(uuid="c", user="v", memory=45 * MIB)
    job = await client.job(second)
    assert job["queue"] == {"position": 1, "waiting": 2, "reason": reason}
    assert job["resources"] == {"memory": 50 * MIB, "gpus": 0}
    shown = {job["job_id"]: job["queue"] for job in await client.jobs()}
    assert shown[first] is None
    assert shown[third]["position"] == 2
    await client.stop("a")
    await client.until(second, "running")
    await client.until(third, "running")
    assert (await client.job(third))["queue"] is None
    statuses = [e["status"]["value"] for e in await client.events(third, "status")]
    assert statuses == ["queued", "starting", "running"], "a move in the queue is no event"


async def test_more_than_there_is_is_refused(client):
    reply = await client.post(TRAIN, client.order("train.start", memory=101 * MIB))
    assert (reply.status, reply.body["code"]) == (400, 100903)
    assert "asks for 101 MiB of memory, and there are 100 MiB for all jobs (jobs.memory)" in reply.body["message"]
    assert await client.jobs() == []


async def test_a_gpu_where_there_is_none(client):
    reply = await client.post(TRAIN, client.order("train.start", gpus=64))
    assert (reply.status, reply.body["code"]) == (400, 100903)
    assert "asks for 64 GPUs, and this machine has" in reply.body["message"]
    assert await client.jobs() == []


async def test_a_small_job_of_another_user_goes_before_a_big_one(client):
    first = await client.start(uuid="a", memory=60 * MIB)
    big = await client.start(uuid="b", memory=50 * MIB)
    small = await client.start(uuid="c", user="v", memory=40 * MIB)
    await client.until(small, "running")
    assert (await client.job(big))["status"]["value"] == "queued"
    assert (await client.job(first))["status"]["value"] in ("starting", "running")
