"""What a job prints under the process launcher: all of it, once, within bounds, and never lost for want of disk."""

import asyncio
import resource
import time

import pytest

from k12ai_ws.launchers.process.launcher import ProcessLauncher

MIB = 1 << 20


async def test_half_a_million_lines_are_read_once_each(jobs):
    count = 500_000
    source = f"import sys\nwrite = sys.stdout.write\nfor i in range({count}): write(f'line {{i}}\\n')"
    out, err, end = await jobs.run(jobs.python(source))
    assert out == b"".join(b"line %d\n" % i for i in range(count))
    assert err == b""
    assert end.exit_code == 0


async def test_a_hundred_megabytes_on_one_line(jobs):
    source = f"import sys\nfor _ in range(100): sys.stdout.write('x' * {MIB})"
    handle = await jobs.launcher.launch(jobs.python(source))
    size = 0
    async for batch in jobs.launcher.logs(handle, 0):
        assert all(0 < len(chunk.data) <= 65536 for chunk in batch)
        assert sum(len(chunk.data) for chunk in batch) <= 5 * 65536
        size += sum(chunk.data.count(b"x") for chunk in batch)
    assert size == 100 * MIB


async def test_what_goes_over_the_limit_is_cut_aloud_and_its_end_is_kept(jobs, tmp_path):
    launcher = ProcessLauncher(tmp_path / "bounded", max_log_bytes=MIB)
    source = "for i in range(300000): print('line', i)\nraise RuntimeError('why it died')"
    handle = await launcher.launch(jobs.python(source))
    out = await jobs.read(handle, launcher=launcher)
    err = out["stderr"].decode()
    assert f"[k12ai] the log reached its limit of {MIB} bytes" in err
    assert f"bytes of output were cut here (limit {MIB} bytes)" in err
    assert err.endswith("RuntimeError: why it died\n")
    lines = out["stdout"].decode().splitlines()
    assert lines[:2] == ["line 0", "line 1"]
    assert lines[-1] == "line 299999"
    assert (tmp_path / "bounded" / "job" / "journal").stat().st_size < MIB + 80 * 1024
    await launcher.close()


async def test_a_full_disk_pauses_the_job_and_loses_nothing(jobs):
    source = (
        "import os, pathlib, sys, time\n"
        "pathlib.Path('up').write_text('1')\n"
        "while not os.path.exists('go'): time.sleep(0.005)\n"
        "for i in range(200000): print(i)\n"
        "pathlib.Path('done').write_text('1')"
    )
    handle = await jobs.launcher.launch(jobs.python(source, env={"PYTHONUNBUFFERED": ""}))
    await jobs.until_there("up")
    supervisor, journal = jobs.supervisor(), jobs.runs / "job" / "journal"
    # To the supervisor's writes, a file that may not grow is a disk that is full.
    resource.prlimit(supervisor, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    (jobs.output / "go").write_text("1")
    await jobs.until(lambda: journal.stat().st_size == 100_000, "the journal at its bound")
    following = asyncio.create_task(jobs.read(handle))
    assert not (jobs.output / "done").exists()
    resource.prlimit(supervisor, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert (await following)["stdout"] == b"".join(b"%d\n" % i for i in range(200_000))
    assert (await jobs.launcher.wait(handle)).exit_code == 0


async def test_a_job_can_be_stopped_while_the_disk_is_full(jobs):
    source = "import os, time\nprint('a', flush=True)\nwhile True: print('x' * 1000)"
    supervisor_bound = 50_000
    handle = await jobs.launcher.launch(jobs.python(source))
    supervisor, journal = jobs.supervisor(), jobs.runs / "job" / "journal"
    resource.prlimit(supervisor, resource.RLIMIT_FSIZE, (supervisor_bound, resource.RLIM_INFINITY))
    await jobs.until(lambda: journal.stat().st_size >= supervisor_bound, "the journal at its bound")
    await jobs.launcher.stop(handle, 1.0)
    await jobs.until(lambda: set(jobs.alive()) <= {supervisor}, "the end of the job's processes")
    resource.prlimit(supervisor, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    end = await jobs.launcher.wait(handle)
    assert (end.signal, end.stop_delivered) == (15, True)


async def test_silence_is_told_by_empty_batches(jobs):
    handle = await jobs.launcher.launch(jobs.python("import time\nprint('ready')\ntime.sleep(600)"))
    batches = jobs.launcher.logs(handle, 0)
    assert b"".join(chunk.data for chunk in await anext(batches)) == b"ready\n"
    before = time.monotonic()
    assert list(await anext(batches)) == []
    assert 0.3 < time.monotonic() - before < 3
    await batches.aclose()


async def test_chunks_carry_the_time_of_printing(jobs):
    handle = await jobs.launcher.launch(jobs.python("import time\nfor _ in range(3): print('x'); time.sleep(0.1)"))
    await jobs.launcher.wait(handle)
    chunks = [chunk async for batch in jobs.launcher.logs(handle, 0) for chunk in batch]
    assert b"".join(chunk.data for chunk in chunks) == b"x\n" * 3
    times = [chunk.at_ms for chunk in chunks]
    assert 150 < times[-1] - times[0] < 5000
    assert abs(times[-1] - time.time() * 1000) < 60_000


async def test_the_two_streams_of_a_slow_job_keep_their_order(jobs):
    source = (
        "import sys, time\nfor i in range(5):\n"
        " print('out', i); time.sleep(0.02); print('err', i, file=sys.stderr); time.sleep(0.02)"
    )
    handle = await jobs.launcher.launch(jobs.python(source))
    chunks = [chunk async for batch in jobs.launcher.logs(handle, 0) for chunk in batch]
    assert b"".join(c.data for c in chunks) == b"".join(b"%b %d\n" % (s, i) for i in range(5) for s in (b"out", b"err"))


async def test_a_position_beyond_the_log_reads_nothing(jobs):
    handle = await jobs.launcher.launch(jobs.request("echo", "x"))
    await jobs.launcher.wait(handle)
    assert await jobs.read(handle, 1 << 40) == {"stdout": b"", "stderr": b""}
    with pytest.raises(ValueError, match="not -1"):
        await jobs.read(handle, -1)
