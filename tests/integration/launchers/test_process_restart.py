"""Runs of the process launcher outlive the server, and are found again, whenever it dies."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys

import pytest

from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.launchers.process import rundir
from k12ai_ws.launchers.process.launcher import ProcessLauncher
from k12ai_ws.launchers.process.spawn import start_supervisor
from k12ai_ws.launchers.recording.files import write_json

SERVER = """
import asyncio, json, os, sys
from pathlib import Path
from k12ai_ws.drivers.spec import LaunchSpec, Resources
from k12ai_ws.launchers.launcher import LaunchRequest
from k12ai_ws.launchers.process import spawn
from k12ai_ws.launchers.process.launcher import ProcessLauncher

folder, source, dies = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
if dies == "right after the supervisor was started":
    spawn._listen = lambda *_: os.kill(os.getpid(), 9)

async def serve():
    launcher = ProcessLauncher(folder / "runs", grace_s=0.2)
    spec = LaunchSpec(command=["python", "-c", source], env={"TEST_TAG": sys.argv[4]},
                      resources=Resources(time_limit_s=float(sys.argv[5]) if len(sys.argv) > 5 else None))
    handle = await launcher.launch(LaunchRequest(
        "job", "u", "s", "k12test", "train.start", spec, {"output": folder / "output"}))
    data = open(folder / "data", "ab", buffering=0)
    stored = os.open(folder / "stored", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    size = 0
    async for batch in launcher.logs(handle, 0):
        for chunk in batch:
            data.write(chunk.data)
            size += len(chunk.data)
            os.write(stored, json.dumps({"position": chunk.position, "size": size}).encode() + b"\\n")

asyncio.run(serve())
"""


@pytest.fixture
async def server(jobs, tmp_path):
    """Starts a server process that runs a job, reads its log and stores where it is."""
    started = []

    async def start(source: str, dies: str = "when killed", *more: str) -> asyncio.subprocess.Process:
        args = ("-c", SERVER, str(tmp_path), source, dies, jobs.tag, *more)
        process = await asyncio.create_subprocess_exec(sys.executable, *args, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


def kill_with_its_session(process: asyncio.subprocess.Process) -> None:
    """What a closed terminal does, and kill -9 at that."""
    os.killpg(process.pid, signal.SIGHUP)
    with contextlib.suppress(ProcessLookupError):  # the hang-up may have ended it, and been noticed, already
        os.killpg(process.pid, signal.SIGKILL)


async def test_another_server_reads_on_where_a_killed_one_had_stored(jobs, server, tmp_path):
    source = (
        "import os, time\n"
        "for i in range(100000): print(i)\n"
        "while not os.path.exists('go'): time.sleep(0.005)\n"
        "for i in range(100000, 200000): print(i)\n"
        "raise SystemExit(7)"
    )
    process = await server(source)
    stored = tmp_path / "stored"
    await jobs.until(lambda: stored.exists() and stored.read_bytes().count(b"\n") > 3, "a stored position")
    kill_with_its_session(process)
    await process.wait()
    last = json.loads(stored.read_bytes().rpartition(b"\n")[0].rpartition(b"\n")[2])
    before = (tmp_path / "data").read_bytes()[: last["size"]]
    handles = await jobs.launcher.adopt()
    assert list(handles) == ["job"]
    (jobs.output / "go").write_text("1")
    after = await jobs.read(handles["job"], last["position"])
    assert before + after["stdout"] == b"".join(b"%d\n" % i for i in range(200_000))
    end = await jobs.launcher.wait(handles["job"])
    assert (end.exit_code, end.lost) == (7, False)


async def test_the_end_is_known_to_the_next_server_although_none_was_there(jobs, server):
    process = await server("import os, time\nprint('x')\nwhile not os.path.exists('go'): time.sleep(0.005)\nexit(9)")
    await jobs.until((jobs.runs / "job" / "journal").exists, "the run")
    kill_with_its_session(process)
    await process.wait()
    await jobs.until(jobs.output.exists, "the output folder")
    (jobs.output / "go").write_text("1")
    await jobs.until((jobs.runs / "job" / "exit.json").exists, "the end")
    handle = (await jobs.launcher.adopt())["job"]
    assert (await jobs.launcher.wait(handle)).exit_code == 9
    assert (await jobs.read(handle))["stdout"] == b"x\n"


async def test_the_time_limit_holds_while_no_server_is_there(jobs, server):
    process = await server("import time\nprint('x')\ntime.sleep(600)", "when killed", "1.0")
    await jobs.until((jobs.runs / "job" / "state.json").exists, "the run")
    kill_with_its_session(process)
    await process.wait()
    await jobs.until((jobs.runs / "job" / "exit.json").exists, "the end")
    assert (await jobs.launcher.wait({"run": "job"})).timed_out


async def test_a_server_killed_while_its_supervisor_starts_has_started_the_job_once(jobs, server):
    source = "open('starts', 'a').write('started\\n')"
    process = await server(source, "right after the supervisor was started")
    await process.wait()
    assert process.returncode == -9
    # The next server knows nothing of a handle. Whether it finds the supervisor still starting or at work:
    assert list(await jobs.launcher.adopt()) == ["job"]
    handle = await jobs.launcher.launch(jobs.python(source))
    assert (await jobs.launcher.wait(handle)).exit_code == 0
    assert (jobs.output / "starts").read_text() == "started\n"


async def test_a_launch_cut_off_before_the_supervisor_leaves_no_run_and_can_be_made_again(jobs):
    run = jobs.runs / "job"
    run.mkdir(parents=True)
    (run / "lock").touch()
    os.mkfifo(run / "control")
    assert await jobs.launcher.adopt() == {}
    assert not run.exists()
    run.mkdir()
    (run / "lock").touch()
    (run / "journal").write_bytes(b"K12A")
    out, _, end = await jobs.run(jobs.request("echo", "once"))
    assert (out, end.exit_code) == (b"once\n", 0)


async def test_a_run_on_its_way_is_adopted_and_not_started_again(jobs, tmp_path):
    run = jobs.runs / "job"
    run.mkdir(parents=True)
    with (run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert await jobs.launcher.adopt() == {"job": {"run": "job"}}
        hasty = ProcessLauncher(jobs.runs, start_timeout_s=0.1)
        with pytest.raises(LaunchError, match="another launch of this job has held"):
            await hasty.launch(jobs.python("open('starts', 'a').write('x')"))
        await hasty.close()
        assert run.exists()
    assert not (jobs.output / "starts").exists()


async def test_launches_that_wait_hold_up_no_log(jobs):
    """More of them than there are threads; each waits for a lock that somebody else has."""
    handle = await jobs.launcher.launch(jobs.python("import os, time\nos.write(1, b'said')\ntime.sleep(600)"))
    waiting = []
    with contextlib.ExitStack() as locks:
        for number in range(20):
            run = jobs.runs / f"waiting-{number}"
            run.mkdir(parents=True)
            fcntl.flock(locks.enter_context((run / "lock").open("w")), fcntl.LOCK_EX)
            waiting.append(asyncio.create_task(jobs.launcher.launch(jobs.request("true", job_id=run.name))))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            (chunk,) = await anext(jobs.launcher.logs(handle, 0))
            assert chunk.data == b"said"
            assert (await jobs.launcher.stats({"job": handle}))["job"].pids
    await asyncio.gather(*waiting)


@pytest.mark.parametrize("tombstone", ["exit.json", "state.json"])
async def test_a_supervisor_that_comes_late_starts_nothing(jobs, tombstone):
    run = jobs.runs / "job"
    run.mkdir(parents=True)
    jobs.output.mkdir()
    os.mkfifo(run / "control")
    write_json(run / tombstone, {"lost": True})
    lock = rundir.take_lock(run)
    orders = {
        "argv": ["touch", "started"],
        "env": {},
        "cwd": str(jobs.output),
        "marker": "m",
        "grace_s": 1.0,
        "time_limit_s": None,
        "max_log_bytes": 1 << 20,
    }
    with pytest.raises(LaunchError, match="has been run, or given up, before"):
        await asyncio.to_thread(start_supervisor, run, lock, orders, os.environ, 30.0)
    os.close(lock)
    assert list(jobs.output.iterdir()) == []


async def test_a_supervisor_without_the_lock_starts_nothing(jobs):
    run = jobs.runs / "job"
    run.mkdir(parents=True)
    jobs.output.mkdir()
    os.mkfifo(run / "control")
    mine = rundir.take_lock(run)
    other = os.open(run / "lock", os.O_RDWR)
    orders = {
        "argv": ["touch", "started"],
        "env": {},
        "cwd": str(jobs.output),
        "marker": "m",
        "grace_s": 1.0,
        "time_limit_s": None,
        "max_log_bytes": 1 << 20,
    }
    with pytest.raises(LaunchError, match="belongs to another supervisor"):
        await asyncio.to_thread(start_supervisor, run, other, orders, os.environ, 30.0)
    os.close(other)
    os.close(mine)
    assert list(jobs.output.iterdir()) == []


async def test_two_launches_at_once_start_one_run(jobs):
    request = jobs.python("open('starts', 'a').write('x')")
    handles = await asyncio.gather(*(jobs.launcher.launch(request) for _ in range(6)))
    assert handles == [{"run": "job"}] * 6
    assert (await jobs.launcher.wait(handles[0])).exit_code == 0
    assert (jobs.output / "starts").read_text() == "x"


async def test_a_moved_data_directory_still_works(jobs, tmp_path):
    handle = await jobs.launcher.launch(jobs.request("echo", "x"))
    end = await jobs.launcher.wait(handle)
    moved = jobs.runs.rename(tmp_path / "elsewhere")
    launcher = ProcessLauncher(moved)
    assert await launcher.adopt() == {"job": handle}
    assert await launcher.wait(handle) == end
    assert (await jobs.read(handle, launcher=launcher))["stdout"] == b"x\n"
    await launcher.close()


async def test_strangers_in_the_runs_folder_are_left_alone(jobs):
    jobs.runs.mkdir()
    (jobs.runs / "notes.txt").write_text("mine")
    (jobs.runs / ".trash").mkdir()
    (jobs.runs / "link").symlink_to("/")
    assert await jobs.launcher.adopt() == {}
    assert {path.name for path in jobs.runs.iterdir()} == {"notes.txt", ".trash", "link"}
