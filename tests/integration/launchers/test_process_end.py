"""How runs of the process launcher end, and that nothing of them stays."""

import asyncio
import fcntl
import os
import signal

import psutil
import pytest

from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.launchers.process import spawn

FAMILY = """
import os, signal, subprocess, sys, time
ignore = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
say = "import os, pathlib; pathlib.Path(f'child-{os.getpid()}').write_text('1'); "
sleep = "import time; time.sleep(600)"
for detached in (False, True):
    for stubborn in ("", ignore):
        subprocess.Popen([sys.executable, "-c", stubborn + say + sleep], start_new_session=detached)
# An orphan: its parent ends at once, and it has a session of its own.
orphan = ignore + say + sleep
double = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {orphan!r}], start_new_session=True)"
subprocess.run([sys.executable, "-c", double])
while len([n for n in os.listdir() if n.startswith("child-")]) < 5:
    time.sleep(0.005)
open("ready", "w").write("1")
"""


async def family(jobs, then: str):
    handle = await jobs.launcher.launch(jobs.python(FAMILY + then))
    await jobs.until_there("ready")
    return handle


async def test_a_stop_ends_the_whole_tree(jobs):
    handle = await family(jobs, "time.sleep(600)")
    assert len(jobs.alive()) >= 6
    await jobs.launcher.stop(handle, 0.2)
    end = await jobs.launcher.wait(handle)
    assert (end.signal, end.exit_code, end.stop_delivered) == (signal.SIGTERM, None, True)
    assert jobs.alive() == []


async def test_what_the_command_leaves_behind_ends_with_it(jobs):
    handle = await family(jobs, "sys.exit(4)")
    end = await jobs.launcher.wait(handle)
    assert (end.exit_code, end.stop_delivered) == (4, False)
    assert jobs.alive() == []
    assert await jobs.read(handle) == {"stdout": b"", "stderr": b""}


async def test_a_second_stop_may_shorten_the_grace(jobs):
    source = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('x')\ntime.sleep(600)"
    handle = await jobs.launcher.launch(jobs.python(source))
    await anext(jobs.launcher.logs(handle, 0))
    await jobs.launcher.stop(handle, 600)
    await jobs.launcher.stop(handle, 0)
    assert (await jobs.launcher.wait(handle)).signal == signal.SIGKILL


async def test_the_time_limit_is_the_runs_own(jobs):
    out, _, end = await jobs.run(jobs.python("import time\nprint('x')\ntime.sleep(600)", time_limit_s=0.3))
    assert out == b"x\n"
    assert (end.timed_out, end.signal, end.stop_delivered) == (True, signal.SIGTERM, False)
    assert 250 < end.ended_ms - end.started_ms < 10_000


async def test_a_job_that_ignores_its_time_limit_is_killed(jobs):
    _, _, end = await jobs.run(jobs.request("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done", time_limit_s=1.0))
    assert (end.timed_out, end.signal) == (True, signal.SIGKILL)


@pytest.mark.parametrize("time_limit_s", [60, 1e15, float("inf")])
async def test_a_job_within_its_time_limit_has_not_timed_out(jobs, time_limit_s):
    _, _, end = await jobs.run(jobs.request("sleep", "0.01", time_limit_s=time_limit_s))
    assert (end.timed_out, end.exit_code) == (False, 0)


async def test_a_command_that_does_not_exist(jobs):
    out, err, end = await jobs.run(jobs.request("no-such-program", "--x"))
    assert (out, err) == (b"", b"")
    assert (end.command_not_found, end.exit_code, end.signal) == (True, 127, None)
    assert "'no-such-program' was not found in PATH=" in end.message
    assert end.started_ms <= end.ended_ms


@pytest.mark.parametrize(
    ("content", "mode", "exit_code", "message"),
    [
        (None, 0, 127, "there is no such file"),
        (b"#!/bin/sh\n", 0o600, 126, "cannot be executed: Permission denied"),
        (b"#!/no/such/interpreter\n", 0o700, 127, "names an interpreter in its first line"),
        (b"\x00rubbish", 0o700, 126, "cannot be executed: Exec format error"),
    ],
)
async def test_a_file_that_cannot_be_executed(jobs, tmp_path, content, mode, exit_code, message):
    program = tmp_path / "program"
    if content is not None:
        program.write_bytes(content)
        program.chmod(mode)
    _, _, end = await jobs.run(jobs.request(str(program)))
    assert (end.command_not_found, end.exit_code) == (True, exit_code)
    assert message in end.message


async def test_a_command_too_long_for_the_machine_is_a_launch_that_failed(jobs):
    with pytest.raises(LaunchError, match="could not be started: Argument list too long") as caught:
        await jobs.launcher.launch(jobs.request("echo", "x" * 10_000_000))
    assert caught.value.code == 100202
    assert list(jobs.runs.iterdir()) == []


async def test_a_killed_supervisor_is_a_lost_run_without_orphans(jobs):
    handle = await family(jobs, "print('last words')\ntime.sleep(600)")
    await jobs.until(lambda: b"last words" in (jobs.runs / "job" / "journal").read_bytes(), "the last words")
    os.kill(jobs.supervisor(), signal.SIGKILL)
    assert (await jobs.read(handle))["stdout"] == b"last words\n"
    end = await jobs.launcher.wait(handle)
    assert end.lost
    assert (end.exit_code, end.signal) == (None, None)
    assert end.started_ms <= end.ended_ms
    assert "supervisor was killed" in end.message
    assert jobs.alive() == []
    assert await jobs.launcher.wait(handle) == end
    await jobs.launcher.stop(handle, 1)


async def test_a_supervisor_that_broke_says_why(jobs):
    handle = await family(jobs, "time.sleep(600)")
    (jobs.runs / "job" / "supervisor.log").write_text("Traceback (most recent call last):\nMemoryError: none left\n")
    os.kill(jobs.supervisor(), signal.SIGKILL)
    end = await jobs.launcher.wait(handle)
    assert (end.lost, end.message) == (True, "the run's supervisor failed: MemoryError: none left")


async def test_rubbish_on_the_control_pipe_does_no_harm(jobs):
    handle = await jobs.launcher.launch(jobs.python("print('x')\nwhile True: pass"))
    await anext(jobs.launcher.logs(handle, 0))
    with (jobs.runs / "job" / "control").open("wb", buffering=0) as control:
        for rubbish in (b"stop\n", b"stop -1\n", b"stop nan\n", b"\0\xff\n", b"stop " + b"9" * 3000, b"\n"):
            control.write(rubbish)
    await jobs.launcher.stop(handle, float("inf"))
    end = await jobs.launcher.wait(handle)
    assert (end.signal, end.stop_delivered, end.message) == (signal.SIGTERM, True, None)


async def test_a_supervisor_told_to_end_ends_the_job_and_says_so(jobs):
    handle = await family(jobs, "time.sleep(600)")
    os.kill(jobs.supervisor(), signal.SIGTERM)
    end = await jobs.launcher.wait(handle)
    assert (end.signal, end.lost, end.stop_delivered) == (signal.SIGTERM, False, False)
    assert "SIGTERM" in end.message
    assert jobs.alive() == []


async def test_a_run_whose_directory_was_removed_is_lost(jobs):
    assert (await jobs.launcher.wait({"run": "never-was"})).lost
    assert await jobs.read({"run": "never-was"}) == {"stdout": b"", "stderr": b""}


async def test_no_zombie_stays(jobs):
    pids = []
    for number in range(3):
        handle = await jobs.launcher.launch(jobs.request("true", job_id=f"job-{number}"))
        pids.append(jobs.supervisor(f"job-{number}"))
        await jobs.launcher.wait(handle)
    async with asyncio.timeout(30):
        while any(map(psutil.pid_exists, pids)):
            await jobs.launcher.release(handle)


async def test_release_keeps_the_log_and_the_end_and_drops_the_rest(jobs):
    handle = await jobs.launcher.launch(jobs.request("echo", "x"))
    end = await jobs.launcher.wait(handle)
    await jobs.launcher.release(handle)
    assert {path.name for path in (jobs.runs / "job").iterdir()} == {"journal", "exit.json", "lock"}
    assert await jobs.launcher.wait(handle) == end
    with (jobs.runs / "job" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # as a supervisor holds it that has said all and is about to exit
        assert await jobs.launcher.adopt() == {}
    assert await jobs.launcher.launch(jobs.request("echo", "y")) == handle
    assert (await jobs.read(handle))["stdout"] == b"x\n"


async def test_releasing_a_run_that_goes_on_leaves_it_alone(jobs):
    handle = await family(jobs, "time.sleep(600)")
    await jobs.launcher.release(handle)
    assert list(await jobs.launcher.adopt()) == ["job"]
    assert len(jobs.alive()) >= 6


BOOT = """
import sys
sys.path.append(sys.argv[1])
from pathlib import Path
from k12ai_ws.launchers.process import proc, supervisor
folder = Path({folder!r})
def oom_kills():
    with open(folder / "looks", "a") as file:
        file.write("x")
    return int((folder / "kills").read_text())
proc.oom_kills = oom_kills
supervisor._OOM_LOOK_S = {look_s}
supervisor.main()
"""
"""A supervisor on a machine whose count of out-of-memory kills is the test's."""


@pytest.mark.parametrize(("look_s", "oom_killed"), [(0.05, False), (600.0, True)])
async def test_an_old_kill_for_memory_is_not_taken_for_this_jobs(jobs, tmp_path, monkeypatch, look_s, oom_killed):
    """A silent job, beside which another process dies for memory; later somebody kills the job by hand."""
    (tmp_path / "kills").write_text("0")
    monkeypatch.setattr(spawn, "BOOT", BOOT.format(folder=str(tmp_path), look_s=look_s))
    handle = await jobs.launcher.launch(
        jobs.python("import os, time\nos.write(1, b'%d' % os.getpid())\ntime.sleep(600)")
    )
    (chunk,) = await anext(jobs.launcher.logs(handle, 0))
    (tmp_path / "kills").write_text("1")
    looks = tmp_path / "looks"
    before = looks.stat().st_size
    if not oom_killed:
        await jobs.until(lambda: looks.stat().st_size >= before + 2, "the supervisor to look")
    os.kill(int(chunk.data), signal.SIGKILL)
    end = await jobs.launcher.wait(handle)
    assert (end.signal, end.oom_killed) == (signal.SIGKILL, oom_killed)
