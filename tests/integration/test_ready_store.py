"""A `/ready` that is honest about the store: it says no while nothing can be written, and yes once it can again."""

import resource

ORDER = "/k12ai/framework/train"


async def test_a_store_that_cannot_be_written(house) -> None:
    client = await house.start()
    assert (await client.get("/ready")).status == 200
    pid = house.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, limits[1]))  # as a full disk: no file can grow, or be written
    for _ in range(2):  # not only the first time
        reply = await client.get("/ready")
        assert (reply.status, reply.message["type"]) == (503, "error")
        checks = reply.body["detail"]["checks"]
        assert {name for name, check in checks.items() if not check["ok"]} == {"store"}
        assert "cannot be written" in checks["store"]["message"]
    assert (await client.get("/k12ai/framework/jobs")).status == 200  # what is there can be read
    assert (await client.get("/health")).status == 200
    reply = await client.post(ORDER, client.order("train.start"))
    assert reply.status == 503
    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    assert (await client.get("/ready")).status == 200
    job_id = await client.start()
    assert (await client.until(job_id))["status"]["value"] == "finished"
