"""Each cause of death with a real container, as a client of the server sees it."""

import asyncio

import pytest

EATER = "x = bytearray()\nwhile True: x += bytes(8 << 20)"
SLEEP = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP


def cause(job):
    status = job["status"]
    return status["value"], status["code"], status["reason"]


async def test_a_job_that_ends_well(run):
    job = await run("print('epoch=1 loss=0.5')")
    assert cause(job) == ("finished", 100003, "completed")
    assert (job["launcher"], job["status"]["exit_code"]) == ("docker", 0)
    assert job["metrics"]["loss"] == 0.5


async def test_an_exit_code(run):
    job = await run("print('bye'); raise SystemExit(3)")
    assert cause(job) == ("failed", 100999, "exit_code")
    assert job["status"]["exit_code"] == 3
    assert "bye" in job["error"]["message"]


async def test_an_uncaught_exception(run):
    job = await run("def f():\n    return {}['loss']\nf()")
    assert cause(job) == ("failed", 100913, "exception")
    assert job["error"]["detail"]["exc_type"] == "KeyError"


async def test_a_kill_from_outside(client, run, box):
    job_id = await client.start(SLEEP, image=run.image)
    await client.until_printed(job_id, 1)
    box(job_id).kill("SIGKILL")
    job = await client.until(job_id)
    assert cause(job) == ("failed", 100921, "signal")
    assert (job["status"]["signal"], job["status"].get("oom_killed")) == (9, None)


async def test_memory_that_runs_out(run):
    job = await run(EATER, resources={"memory": 64 << 20})
    assert cause(job) == ("failed", 100901, "out_of_memory")
    assert job["status"]["oom_killed"] is True
    assert "limit 64.0 MiB" in job["error"]["message"]
    assert "peak 64.0 MiB" in job["error"]["message"]


async def test_memory_that_runs_out_in_a_child(run):
    script = f"import subprocess, sys\nsys.exit(subprocess.run([sys.executable, '-c', {EATER!r}]).returncode and 4)"
    job = await run(script, resources={"memory": 64 << 20})
    assert cause(job) == ("failed", 100901, "out_of_memory")
    assert job["status"]["exit_code"] == 4
    assert "limit 64.0 MiB" in job["error"]["message"]


async def test_a_time_limit(run):
    job = await run(SLEEP, time_limit_s=1)
    assert cause(job) == ("failed", 100922, "time_limit")


async def test_a_time_limit_of_a_job_that_ignores_it(run):
    job = await run(STUBBORN, time_limit_s=1)
    assert cause(job) == ("failed", 100922, "time_limit")
    assert job["status"]["signal"] == 9


@pytest.mark.parametrize(("script", "signal"), [(SLEEP, 15), (STUBBORN, 9)], ids=["heeded", "ignored"])
async def test_a_stop(client, run, script, signal):
    job_id = await client.start(script, image=run.image)
    await client.until_printed(job_id, 1)
    assert (await client.stop()).body["value"] == "stopping"
    job = await client.until(job_id)
    assert cause(job) == ("stopped", 100004, "stopped_by_user")
    assert job["status"]["signal"] == signal


async def test_an_image_that_is_missing(run):
    job = await run("pass", image="k12ai/no-such-image:1")
    assert cause(job) == ("failed", 100908, "image_missing")
    assert "make images" in job["error"]["message"]
    assert "docker pull k12ai/no-such-image:1" in job["error"]["message"]


async def test_an_image_that_cannot_be_fetched(serve, boxed):
    client = await serve(boxed(pull=True), name="other")
    job = await client.until(await client.start("pass", image="localhost:1/no/such:1"))
    assert cause(job) == ("failed", 100908, "image_missing")
    assert "could not be fetched" in job["error"]["message"]


async def test_a_command_that_is_not_there(run):
    job = await run(command=["no-such-program", "x"])
    assert cause(job) == ("failed", 100909, "command_not_found")
    assert "'no-such-program' could not be run" in job["error"]["message"]
    assert job["status"]["exit_code"] == 127


async def test_a_command_that_may_not_be_run(run):
    job = await run(command=["/etc/passwd"])
    assert cause(job) == ("failed", 100909, "command_not_found")
    assert job["status"]["exit_code"] == 126


async def test_a_container_that_was_removed_by_hand(client, run, box):
    job_id = await client.start(SLEEP, image=run.image)
    await client.until_printed(job_id, 1)
    await asyncio.to_thread(box(job_id).remove, force=True)
    job = await client.until(job_id)
    assert cause(job) == ("lost", 100008, "host_lost")
    assert "removed" in job["error"]["message"]
    assert await client.lines(job_id) == ["ready"]


async def test_a_write_where_nothing_may_be_written(run):
    job = await run("open('/etc/mine', 'w')")
    assert cause(job)[0] == "failed"
    assert "Read-only file system" in str(job["error"]["detail"])


async def test_temporary_files_that_fill_their_place(serve, boxed, run, client):
    job = await run("f = open('/tmp/big', 'wb')\nwhile True: f.write(bytes(1 << 20))", resources={"memory": 64 << 20})
    assert cause(job) == ("failed", 100901, "out_of_memory")  # they are memory, and there is less of that
    small = await serve(boxed(tmp=8 << 20), name="other")
    job_id = await small.start("f = open('/tmp/big', 'wb')\nwhile True: f.write(bytes(1 << 20))", image=run.image)
    job = await small.until(job_id)
    assert cause(job)[::2] == ("failed", "exception")
    assert "No space left on device" in str(job["error"]["detail"])
