"""What a job of the process launcher finds itself in: paths, environment, files, limits."""

import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.launchers.process.launcher import ProcessLauncher

LOOK = """
import json, os, resource, sys
json.dump({
    "env": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv[1:], "python": sys.executable,
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:4], "stdin": sys.stdin.read(),
    "core": resource.getrlimit(resource.RLIMIT_CORE), "umask": os.umask(0), "blocked": [
        line for line in open("/proc/self/status").read().splitlines() if line.startswith(("SigBlk", "SigIgn"))],
    "group": os.getpgid(0) == os.getpid(),
}, sys.stdout)
"""


async def look(jobs, *args, **more):
    out, err, end = await jobs.run(jobs.python(LOOK, *args, **more))
    assert err == b""
    assert end.exit_code == 0
    return json.loads(out)


async def test_nothing_leaks_of_the_servers_environment(jobs, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("K12AI_RUN", "another run's marker")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TZ", "UTC")
    jobs.launcher = ProcessLauncher(tmp_path / "runs")
    seen = await look(jobs)
    assert "hunter2" not in json.dumps(seen)
    env = seen["env"]
    assert "PYTHONPATH" not in env
    assert env.pop("K12AI_RUN").startswith("job:")
    assert env.pop("PATH").split(os.pathsep)[0] == str(Path(sys.executable).parent)
    for name in [name for name in env if name in {"LANG", "LANGUAGE", "TMPDIR", "LD_LIBRARY_PATH"}]:
        assert env.pop(name) == os.environ[name]
    for name in [name for name in env if name.startswith(("NVIDIA_", "LC_", "CUDA_"))]:
        assert env.pop(name) == os.environ[name]
    assert env == {
        "TZ": "UTC",
        "HOME": str(jobs.output),
        "PYTHONUNBUFFERED": "1",
        "K12AI_OUTPUT": str(jobs.output),
        "TEST_TAG": jobs.tag,
    }
    supervisor_says = b"".join(p.read_bytes() for p in (jobs.runs / "job").iterdir() if p.is_file())
    assert b"DATABASE_PASSWORD" not in supervisor_says
    await jobs.launcher.close()


async def test_a_job_starts_clean(jobs):
    seen = await look(jobs)
    assert seen["cwd"] == str(jobs.output)
    assert seen["python"] == sys.executable
    assert seen["stdin"] == ""
    assert seen["fds"] == [0, 1, 2, 3]  # 3 is the listing itself
    assert seen["core"] == [0, 0]
    assert seen["umask"] == 0o077
    assert seen["group"]
    blocked, ignored = (int(line.split()[1], 16) for line in seen["blocked"])
    assert blocked == 0
    # CPython itself ignores SIGPIPE (13) and SIGXFSZ (25); 32 and 33 are libc's own, which nobody can reset.
    assert ignored & ~(0b11 << 31) == 1 << 12 | 1 << 24


async def test_files_that_the_server_left_open_do_not_reach_the_job(jobs):
    mine = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(mine, True)
    try:
        assert (await look(jobs))["fds"] == [0, 1, 2, 3]
    finally:
        os.close(mine)


async def test_the_roles_paths_stand_in_command_and_environment(jobs, tmp_path):
    request = jobs.python(LOOK, "{output}/model {x} {{output}}", "{datasets}", env={"WHERE": "{datasets}/a"})
    request = replace(request, folders={"output": jobs.output, "datasets": tmp_path / "data", "pretrained": tmp_path})
    request = replace(request, spec=request.spec.model_copy(update={"mounts": ("output", "datasets")}))
    out, _, _ = await jobs.run(request)
    seen = json.loads(out)
    assert seen["argv"] == [f"{jobs.output}/model {{x}} {{{jobs.output}}}", str(tmp_path / "data")]
    assert seen["env"]["WHERE"] == f"{tmp_path}/data/a"
    assert seen["env"]["K12AI_DATASETS"] == f"{tmp_path}/data"
    assert "K12AI_PRETRAINED" not in seen["env"]


async def test_run_directories_are_private(jobs):
    await jobs.run(jobs.request("true"))
    assert stat.S_IMODE((jobs.runs / "job").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (jobs.runs / "job").iterdir()} == {0o600}


async def test_statistics_measure_the_whole_tree(jobs):
    source = (
        "import subprocess, sys\n"
        "spin = 'x = bytearray(50_000_000)\\nprint(1, flush=True)\\nwhile True: pass'\n"
        "subprocess.run([sys.executable, '-c', spin])"
    )
    handle = await jobs.launcher.launch(jobs.python(source))
    await anext(jobs.launcher.logs(handle, 0))
    first = (await jobs.launcher.stats({"job": handle}))["job"]
    assert len(first.pids) == 2
    assert set(first.pids) == set(jobs.alive()) - {jobs.supervisor()}
    assert 50_000_000 < first.memory_usage < first.memory_total
    seen = []

    async def busy() -> bool:
        seen.append((await jobs.launcher.stats({"job": handle}))["job"].cpu_percent)
        return seen[-1] > 20

    for _ in range(200):
        if await busy():
            break
    assert seen[-1] > 20
    assert max(seen) < 2000


@pytest.mark.parametrize("job_id", ["", "..", ".hidden", "a/b", "/etc", "a\0b", "x" * 129])
async def test_an_id_that_is_no_name_is_refused(jobs, job_id):
    with pytest.raises(LaunchError, match="is no id of a run"):
        await jobs.launcher.launch(jobs.request("true", job_id=job_id))
    with pytest.raises(LaunchError, match="is no id of a run"):
        await jobs.launcher.wait({"run": job_id})
    assert not jobs.runs.exists()


async def test_a_runs_folder_that_cannot_be_made_is_a_launch_that_failed(jobs, tmp_path):
    (tmp_path / "file").write_text("")
    launcher = ProcessLauncher(tmp_path / "file" / "runs")
    with pytest.raises(LaunchError, match="cannot be made: Not a directory"):
        await launcher.launch(jobs.request("true"))
    await launcher.close()


async def test_a_supervisor_that_cannot_start_is_a_launch_that_failed(jobs, tmp_path, monkeypatch):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho the interpreter is broken >&2\nexit 1\n")
    for mode, message in ((0o600, "Permission denied"), (0o700, "the interpreter is broken")):
        broken.chmod(mode)
        monkeypatch.setattr(sys, "executable", str(broken))
        with pytest.raises(LaunchError, match=message) as caught:
            await jobs.launcher.launch(jobs.request("true"))
        assert (caught.value.code, caught.value.reason) == (100202, "launch_failed")
        assert list(jobs.runs.iterdir()) == []
    monkeypatch.undo()
    assert (await jobs.run(jobs.request("true")))[2].exit_code == 0
