"""Starting a run's supervisor, and hearing from it whether it could start the job."""

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import k12ai_ws
from k12ai_ws.launchers.roles import unfit

from .proc import kill_marked
from .supervisor import BOOT, LOCK_FD, ORDERS_FD, READY, SAY_FD

_ROOT = str(Path(k12ai_ws.__file__).resolve().parent.parent)
_ABOVE = 10
"""Files are moved to numbers from here on, so that none stands where another is to be put."""
_MOST_SAID = 64 * 1024


def start_supervisor(
    run: Path, lock: int, orders: Mapping[str, Any], environ: Mapping[str, str], patience_s: float
) -> int:
    """Starts the supervisor with the lock that the caller holds, and waits until the job's command runs (or is known
    not to exist). Returns the supervisor's process id. Raises LaunchError; then nothing of the run lives.
    """
    hear, say = os.pipe()
    opened = [hear, say]
    try:
        written = os.memfd_create("k12ai-orders")
        opened.append(written)
        with os.fdopen(os.dup(written), "wb") as file:
            file.write(json.dumps(orders).encode("ascii"))
        os.lseek(written, 0, os.SEEK_SET)
        pid = _spawn(run, say, lock, written, environ)
        os.close(opened.pop(1))
        said = _listen(hear, patience_s)
    except OSError as error:
        raise unfit(f"the job's supervisor could not be started: {error}") from error
    finally:
        for fd in opened:
            os.close(fd)
    if said.endswith(READY):
        return pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
    kill_marked(str(orders["marker"]))
    lines = said.decode("utf-8", "replace").strip().splitlines()
    raise unfit(lines[-1] if lines else f"the job's supervisor said nothing for {patience_s:g} s, or was killed")


def _spawn(run: Path, say: int, lock: int, orders: int, environ: Mapping[str, str]) -> int:
    env = {name: environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in environ}
    moved: list[int] = []
    try:
        actions: list[tuple[Any, ...]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        ]
        for fd, to in ((say, SAY_FD), (lock, LOCK_FD), (orders, ORDERS_FD)):
            moved.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE))
            actions.append((os.POSIX_SPAWN_DUP2, moved[-1], to))
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", BOOT, _ROOT, str(run)],
            env,
            file_actions=actions,
            setsid=True,  # a closed terminal, or Ctrl-C in it, is not the job's business
            setsigmask=[],
            setsigdef=[signal.SIGCHLD, signal.SIGTERM],
        )
    finally:
        for fd in moved:
            os.close(fd)


def _listen(hear: int, patience_s: float) -> bytes:
    """What the supervisor says until it is ready, or ends, or time is up."""
    said = b""
    until = time.monotonic() + patience_s
    while not said.endswith(READY) and select.select([hear], [], [], max(0.0, until - time.monotonic()))[0]:
        part = os.read(hear, 4096)
        if not part:
            break
        said = (said + part)[-_MOST_SAID:]
    return said
