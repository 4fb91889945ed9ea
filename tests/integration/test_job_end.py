"""Every way a job can end, seen from outside: the cause is right, and its status is the last event."""

import asyncio
import os
from pathlib import Path

import pytest

ENDS = ("finished", "failed", "stopped", "lost")


async def run(client, script="", **params):
    """Runs a job to its end: its view and its events, which must end well."""
    job_id = await client.start(script, **params)
    job = await client.until(job_id)
    return job, await ended(client, job_id)


async def ended(client, job_id):
    events = await client.events(job_id)
    states = [e["status"]["value"] for e in events if e["type"] == "status"]
    assert [s for s in states if s in ENDS] == states[-1:]
    assert events[-1]["type"] == "status"
    assert events[-1]["status"] == (await client.job(job_id))["status"]
    return events


def errors(events):
    return [e["error"] for e in events if e["type"] == "error" and e["error"]["severity"] == "error"]


async def test_normal_end(client):
    job, events = await run(client, "print('epoch=1 loss=0.5')")
    assert job["status"] == {
        "value": "finished", "code": 100003, "descr": "the job finished", "exit_code": 0, "reason": "completed",
    }  # fmt: skip
    assert errors(events) == []
    assert job["error"] is None


async def test_all_log_lines_come_before_the_end(client):
    _, events = await run(client, "for i in range(5000): print(i)\nimport os; os.write(1, b'no newline'); os._exit(0)")
    lines = [line for e in events if e["type"] == "log" for line in e["log"]["lines"]]
    assert lines == [*map(str, range(5000)), "no newline"]


async def test_exit_code(client):
    job, events = await run(client, "import sys; print('last words', flush=True); sys.exit(9)")
    status = job["status"]
    assert (status["value"], status["reason"], status["exit_code"], status["code"]) == (
        "failed",
        "exit_code",
        9,
        100999,
    )
    (error,) = errors(events)
    assert "last words" in error["message"]


async def test_exception_with_the_users_own_line(client):
    script = "def step(batch):\n    return 1 / batch\n\nprint('loss=0.5', flush=True)\nstep(0)"
    job, events = await run(client, script)
    status = job["status"]
    assert (status["value"], status["reason"], status["code"], status["exit_code"]) == (
        "failed",
        "exception",
        100930,
        1,
    )
    (error,) = errors(events)
    assert error["code"] == 100930
    detail = error["detail"]
    assert (detail["exc_type"], detail["exc_text"]) == ("ZeroDivisionError", "division by zero")
    assert [(f["linenum"], f["funcname"]) for f in detail["traceback"]] == [(5, "<module>"), (2, "step")]
    assert job["error"]["detail"] == detail


async def test_farewells_after_the_exception_do_not_hide_it(client):
    script = """
import atexit, sys
atexit.register(lambda: print('run finished, see the dashboard\\nloss=0.25', file=sys.stderr))
raise KeyError('labels')
"""
    job, events = await run(client, script)
    assert (job["status"]["reason"], job["status"]["code"]) == ("exception", 100913)
    (error,) = errors(events)
    assert error["detail"]["exc_type"] == "KeyError"


@pytest.mark.parametrize("number", [6, 9, 11, 15])
async def test_signal(client, number):
    job, events = await run(client, f"import os; print('up', flush=True); os.kill(os.getpid(), {number})")
    status = job["status"]
    assert (status["value"], status["reason"], status["signal"], status["code"]) == ("failed", "signal", number, 100921)
    assert "exit_code" not in status
    assert len(errors(events)) == 1


async def stop_when_up(client, script, **params):
    job_id = await client.start(script, **params)
    await client.until_printed(job_id, 1)
    assert (await client.stop()).status == 202
    assert (await client.stop()).status == 202  # asked twice is asked once
    return await client.until(job_id), await ended(client, job_id)


async def test_stop(client):
    job, events = await stop_when_up(client, "import time; print('up', flush=True); time.sleep(60)")
    status = job["status"]
    assert (status["value"], status["reason"], status["code"]) == ("stopped", "stopped_by_user", 100004)
    assert (status["requested_by"], status["signal"]) == ("u", 15)
    assert errors(events) == []
    assert [e["status"]["value"] for e in events if e["type"] == "status"].count("stopping") == 1


async def test_stop_of_a_job_that_tidies_up(client):
    script = (
        "import signal, sys, time\n"
        "def tidy(*_): print('saving', flush=True); time.sleep(0.1); print('saved', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, tidy)\nprint('up', flush=True)\ntime.sleep(60)"
    )
    job, events = await stop_when_up(client, script)
    assert (job["status"]["value"], job["status"]["reason"]) == ("stopped", "stopped_by_user")
    assert [line for e in events if e["type"] == "log" for line in e["log"]["lines"]] == ["up", "saving", "saved"]


async def test_stop_of_a_job_that_does_not_want_to(client):
    script = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)"
    job, _ = await stop_when_up(client, script)
    assert (job["status"]["value"], job["status"]["reason"], job["status"]["signal"]) == (
        "stopped",
        "stopped_by_user",
        9,
    )


async def test_stop_ends_the_whole_tree(client, tmp_path):
    tag, up = f"k12ai-tree-{os.getpid()}-{tmp_path.name}", tmp_path / "up"
    up.mkdir()
    deep = f"import os, pathlib, subprocess, sys, time; n = int(sys.argv[1])\nos.setsid()\nTAG = '{tag}'\n"
    deep += "if n: subprocess.Popen([sys.executable, '-c', open('deep.py').read(), str(n - 1)])\n"
    deep += f"pathlib.Path({str(up)!r}, str(n)).touch()\ntime.sleep(60)"
    script = (
        f"import os, subprocess, sys, time\nopen('deep.py', 'w').write({deep!r})\n"
        "subprocess.Popen([sys.executable, '-c', open('deep.py').read(), '3'])\n"
        f"while len(os.listdir({str(up)!r})) < 4: time.sleep(0.02)\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )

    def alive():
        found = 0
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found += tag.encode() in path.read_bytes()
            except OSError:
                continue
        return found

    job, _ = await stop_when_up(client, script)
    assert job["status"]["value"] == "stopped"
    assert alive() == 0


async def test_a_stop_does_not_hide_what_killed_the_job(client):
    script = (
        "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\n"
        "import os\nwhile not os.path.exists('go'): time.sleep(0.01)\nos.kill(os.getpid(), 11)"
    )
    job_id = await client.start(script)
    await client.until_printed(job_id, 1)
    (client.server.settings.data_dir / "workspaces/u/p/toy/go").touch()
    await client.stop()
    status = (await client.until(job_id))["status"]
    assert (status["value"], status["reason"], status.get("signal")) in (
        ("failed", "signal", 11),
        ("stopped", "stopped_by_user", 9),  # where the kill was quicker
    )


async def test_time_limit(client):
    job, events = await run(client, "import time; print('up', flush=True); time.sleep(60)", time_limit_s=0.5)
    status = job["status"]
    assert (status["value"], status["reason"], status["code"]) == ("failed", "time_limit", 100922)
    assert 0.4 < job["timings"]["duration_s"] < 5
    assert [e["code"] for e in errors(events)] == [100922]


async def test_command_not_found(client):
    job, events = await run(client, command=["no-such-command-at-all", "--now"])
    status = job["status"]
    assert (status["value"], status["reason"], status["code"]) == ("failed", "command_not_found", 100909)
    (error,) = errors(events)
    assert "no-such-command-at-all" in error["message"]


async def test_stop_right_after_start(client):
    """However far the launch has come, the job ends stopped, and once."""
    for i in range(8):
        job_id = await client.start("import time; time.sleep(60)", f"p{i}")
        if i % 2:
            await asyncio.sleep(0.01 * i)
        assert (await client.stop(f"p{i}")).status == 202
        job = await client.until(job_id)
        assert (job["status"]["value"], job["status"]["reason"]) == ("stopped", "stopped_by_user")
        await ended(client, job_id)


async def test_limits_of_running_jobs(serve):
    client = await serve({"jobs": {"max_running": 3, "max_running_per_user": 2}})
    pause = "import time\ntime.sleep(0.3)"
    ids = [await client.start(pause, f"p{i}", user) for i, user in enumerate("aaaabbbb")]
    done = [await client.until(job_id) for job_id in ids]
    runs = [(job["user"], job["timings"]["started"], job["timings"]["ended"]) for job in done]

    def at_once(moment, user=None):
        """How many ran then; a job that is dead may still have its log to be read."""
        return sum(begun <= moment < over and user in (None, who) for who, begun, over in runs)

    moments = [begun for _, begun, _ in runs]
    assert max(at_once(moment) for moment in moments) == 3
    assert {user: max(at_once(moment, user) for moment in moments) for user in "ab"} == {"a": 2, "b": 2}
    for job_id in ids:
        events = await ended(client, job_id)
        assert [e["status"]["value"] for e in events if e["type"] == "status"] == [
            "queued", "starting", "running", "finished",
        ]  # fmt: skip


async def test_a_driver_that_fails_fails_one_job(serve, toy):
    from dataclasses import replace

    from k12ai_ws.drivers.registry import Registry

    class Rotten(type(toy.services["toy"].driver)):
        service_name = "rotten"
        good = 0

        def launch(self, job):
            if not self.good:
                raise RuntimeError("the driver is rotten")
            self.good -= 1
            return super().launch(job)

    rotten = Rotten()
    service = replace(toy.services["toy"], driver=rotten)
    client = await serve(registry=Registry({**toy.services, "rotten": service}))
    order = client.order("train.start") | {"service_name": "rotten"}
    reply = await client.post("/k12ai/framework/train", order)
    assert (reply.status, reply.body["code"]) == (500, 100202), "it is asked what it would run before the job is taken"
    assert "the driver of 'rotten' failed in launch: RuntimeError: the driver is rotten" in reply.body["message"]

    rotten.good = 1  # and now it fails only once the job was taken
    reply = await client.post("/k12ai/framework/train", order)
    assert reply.status == 202
    job = await client.until(reply.message["job_id"])
    assert (job["status"]["value"], job["status"]["reason"], job["status"]["code"]) == (
        "failed",
        "launch_failed",
        100202,
    )
    assert "the driver is rotten" in job["error"]["message"]
    assert (await client.until(await client.start("print(1)")))["status"]["value"] == "finished"
