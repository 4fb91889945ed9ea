"""The machine's processes, as /proc shows them."""

import os
import subprocess
import sys

import psutil

from k12ai_ws.launchers.process import proc
from k12ai_ws.launchers.process.rundir import MARKER


def sleeper(**env):
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env,
        start_new_session=True,
    )
    assert process.stdout.read(1) == b"1"
    return process


def test_a_process_reads_as_psutil_reads_it():
    me, other = proc.read(os.getpid()), psutil.Process()
    assert (me.pid, me.ppid, me.group, me.session) == (other.pid, other.ppid(), os.getpgid(0), os.getsid(0))
    started = psutil.boot_time() + me.start / os.sysconf("SC_CLK_TCK")
    assert abs(started - other.create_time()) < 2
    assert 0 < me.rss * os.sysconf("SC_PAGE_SIZE") < psutil.virtual_memory().total


def test_what_is_gone_reads_as_nothing():
    with sleeper() as process:
        pass
    assert proc.read(process.pid) is None
    proc.signal_all([process.pid], 15)


def test_descendants_come_with_their_own():
    def made(pid, ppid):
        return proc.Process(pid, ppid, 0, 0, "S", 0, 0, 0, 0)

    tree = {p.pid: p for p in [made(1, 0), made(9, 5), made(5, 1), made(6, 1), made(7, 9), made(8, 2)]}
    assert {p.pid for p in proc.descendants(1, tree)} == {5, 6, 7, 9}
    assert proc.descendants(7, tree) == []


def test_only_what_carries_the_whole_marker_is_killed():
    env = dict(os.environ)
    with sleeper(**env, **{MARKER: "job:abc"}) as own, sleeper(**env, **{MARKER: "job:abcd"}) as other:
        # Our own session's processes are never its, whatever they carry.
        assert proc.kill_marked("job:abc") == []
        assert own.wait(10) == -9
        assert other.poll() is None


def test_the_kernels_count_of_memory_kills(tmp_path):
    (tmp_path / "vmstat").write_text("pgfault 12\noom_kill_extra 9\noom_kill 3\nx 1\n")
    assert proc.oom_kills(tmp_path / "vmstat") == 3
    assert proc.oom_kills(tmp_path / "gone") == 0
    assert proc.oom_kills() >= 0
