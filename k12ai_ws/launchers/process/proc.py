"""The processes of this machine, read from /proc: who descends from whom, and who carries a run's marker.

Standard library only: the supervisor imports this.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from .rundir import MARKER

_PROC = Path("/proc")


class Process(NamedTuple):
    """One line of /proc/PID/stat. Times in clock ticks; `start` is counted from the boot, `rss` in pages."""

    pid: int
    ppid: int
    group: int
    session: int
    state: str
    ticks: int
    waited_ticks: int
    start: int
    rss: int


def read(pid: int) -> Process | None:
    """The process of this id, or None where there is none."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # The name stands in parentheses and may hold any character; what follows its last one is numbers (proc(5)).
    f = stat[stat.rindex(b")") + 2 :].split()
    return Process(
        pid=pid,
        ppid=int(f[1]),
        group=int(f[2]),
        session=int(f[3]),
        state=f[0].decode("ascii"),
        ticks=int(f[11]) + int(f[12]),
        waited_ticks=int(f[13]) + int(f[14]),
        start=int(f[19]),
        rss=int(f[21]),
    )


def every() -> dict[int, Process]:
    """All processes that can be seen, by id."""
    found = (read(int(name)) for name in os.listdir(_PROC) if name.isdigit())  # noqa: PTH208 - names are enough
    return {process.pid: process for process in found if process}


def descendants(root: int, processes: Mapping[int, Process]) -> list[Process]:
    """The processes below `root`, parents before children."""
    children: dict[int, list[Process]] = {}
    for process in processes.values():
        children.setdefault(process.ppid, []).append(process)
    found, queue = [], [root]
    for pid in queue:
        for child in children.get(pid, ()):
            if child.pid != root:
                found.append(child)
                queue.append(child.pid)
    return found


def oom_kills(path: Path = _PROC / "vmstat") -> int:
    """How many processes this machine's kernel has killed for want of memory since its boot (0: it does not say)."""
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_bytes().splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
    return 0


def signal_all(pids: Iterable[int], number: int) -> None:
    """Sends a signal to each; one that is gone or not ours is passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_marked(marker: str, *, patience_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> list[int]:
    """Kills every process that a run left behind: those whose environment carries its marker, those below them, and
    those in a session or process group of one of these. Returns what still lived after `patience_s` seconds.

    No id can be mistaken: the marker is random and read from the process itself, through a pidfd that names this very
    process; and the number of a session or group is not given away again while it has members.
    """
    until = clock() + patience_s
    while True:
        left = _marked(marker)
        for process in left:
            _kill_exactly(process)
        if not left or clock() >= until:
            return [process.pid for process in left]
        time.sleep(0.005)


def _marked(marker: str) -> list[Process]:
    processes = {pid: p for pid, p in every().items() if p.state not in "ZX"}
    entry = f"{MARKER}={marker}".encode()
    own = {pid: p for pid, p in processes.items() if _carries(pid, entry)}
    sessions, groups = {p.session for p in own.values()}, {p.group for p in own.values()}
    me = os.getpid()
    mine = processes.get(me)
    if mine:  # a supervisor has a session of its own; this guards against killing the server whatever happens
        sessions.discard(mine.session)
        groups.discard(mine.group)
    own |= {pid: p for pid, p in processes.items() if p.session in sessions or p.group in groups}
    for pid in tuple(own):
        own |= {p.pid: p for p in descendants(pid, processes)}
    own.pop(me, None)
    return list(own.values())


def _carries(pid: int, entry: bytes) -> bool:
    try:
        return entry in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # gone, or another user's: then it is not ours
        return False


def _kill_exactly(process: Process) -> None:
    try:
        fd = os.pidfd_open(process.pid)
    except OSError:  # gone; or a kernel without pidfds, where the check below has to do
        fd = None
    try:
        now = read(process.pid)
        if now is None or now.start != process.start:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if fd is None:
                os.kill(process.pid, signal.SIGKILL)
            else:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
    finally:
        if fd is not None:
            os.close(fd)
