"""The runs in one folder, as a server sees them: launched, found again, stopped, buried. Everything here blocks, for
milliseconds as a rule, and is called in threads.
"""

import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from k12ai_ws.launchers.launcher import LaunchError, LaunchRequest
from k12ai_ws.launchers.recording.files import EXIT, RUN_ID, read_json, write_json
from k12ai_ws.launchers.recording.following import read_exit
from k12ai_ws.launchers.roles import unfit
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit
from k12ai_ws.wire.status import Reason

from . import rundir
from .command import command_of
from .proc import kill_marked
from .spawn import start_supervisor

_STOP_PATIENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for every run: see `ProcessLauncher`."""

    grace_s: float
    max_log_bytes: int
    environ: Mapping[str, str]
    pass_environ: Sequence[str]
    start_timeout_s: float


class Runs:
    """The runs in `folder`, one directory each."""

    def __init__(self, folder: Path, policy: Policy, clock_ms: Callable[[], int], token: Callable[[], str]) -> None:
        self._folder = folder.absolute()
        self._policy = policy
        self._clock_ms = clock_ms
        self._token = token
        self._children: set[int] = set()

    def path(self, job_id: object) -> Path:
        """The run's directory. Raises LaunchError where the id is not fit to name one."""
        if not isinstance(job_id, str) or not RUN_ID.fullmatch(job_id):
            raise unfit(f"{job_id!r} is no id of a run: letters, digits, '_', '.', '-', at most 128 of them")
        return self._folder / job_id

    def launch(self, request: LaunchRequest) -> None:
        """Starts the run, unless it was started before. Raises LaunchError; then there is no run."""
        self.reap()
        run = self.path(request.job_id)
        if (run / EXIT).exists():
            return
        if sys.platform != "linux":
            raise unfit(f"the process launcher needs Linux, and this is {sys.platform}; use --launcher docker")
        command = command_of(request, self._policy.environ, self._policy.pass_environ)
        try:
            run.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = self._claim(run)
        except OSError as error:
            raise unfit(f"the run's directory {run} cannot be made: {error.strerror or error}") from error
        if lock is None:
            return
        try:
            if not (run / rundir.STATE).exists() and not (run / EXIT).exists():
                self._start(run, lock, request, command)
        finally:
            os.close(lock)

    def end_of(self, run: Path) -> Exit | None:
        """How the run ended; None while it goes on. A run whose supervisor was killed is cleaned up and recorded."""
        end = read_exit(run)
        if end or rundir.is_held(run):
            return end
        try:
            lock = rundir.take_lock(run, patience_s=0.05)
        except FileNotFoundError:
            return Exit(lost=True, ended_ms=self._clock_ms(), message=f"the run's directory {run} is gone")
        if lock is None:
            return None
        try:
            return read_exit(run) or self._bury(run)
        finally:
            os.close(lock)

    def stop(self, run: Path, grace_s: float) -> None:
        """Asks the run's supervisor to end it. Raises LaunchError where the supervisor does not listen."""
        until = time.monotonic() + _STOP_PATIENCE_S
        while not is_over(run):
            try:
                fd = os.open(run / rundir.CONTROL, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:  # its supervisor has not opened it yet, or has just gone
                if time.monotonic() > until:
                    message = f"the supervisor of {run.name} does not listen: {error.strerror or error}"
                    raise LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, message) from error
                time.sleep(0.01)
                continue
            try:
                os.write(fd, f"stop {grace_s}\n".encode("ascii"))
            except (BlockingIOError, BrokenPipeError):  # full of the same order, or its supervisor has just gone
                pass
            finally:
                os.close(fd)
            return

    def adopt(self) -> list[str]:
        """The ids of the runs that were started and not released; removes what is left of those never started."""
        self.reap()
        found: list[str] = []
        if not self._folder.is_dir():
            return found
        for run in sorted(self._folder.iterdir()):
            if not RUN_ID.fullmatch(run.name) or not stat.S_ISDIR(run.lstat().st_mode):
                continue
            ended = (run / EXIT).exists()
            if (run / rundir.STATE).exists() or (not ended and rundir.is_held(run)):
                found.append(run.name)
            elif not ended:
                _sweep(run)
        return found

    def supervisor_of(self, run: Path) -> tuple[int, int] | None:
        """The process id of a living run's supervisor, and its start in clock ticks after the boot."""
        state = read_json(run / rundir.STATE)
        if not state or (run / EXIT).exists():
            return None
        return int(state["supervisor"]), int(state["supervisor_start"])

    def release(self, run: Path) -> None:
        """Removes what an ended run needs no more; its journal and its end stay."""
        if (run / EXIT).exists():
            for name in (rundir.STATE, rundir.CONTROL):
                (run / name).unlink(missing_ok=True)
        self.reap()

    def reap(self) -> None:
        """Takes in the supervisors that have ended, so that they do not stay as zombies while the server lives."""
        for pid in tuple(self._children):
            try:
                done, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # someone else's SIGCHLD handler was faster
                done = pid
            if done:
                self._children.discard(pid)

    def _claim(self, run: Path) -> int | None:
        """The run's lock, or None where the run is on its way already. Raises LaunchError, OSError."""
        until = time.monotonic() + self._policy.start_timeout_s
        while (lock := rundir.take_lock(run, patience_s=0.05)) is None:
            if (run / rundir.STATE).exists() or (run / EXIT).exists():
                return None
            if time.monotonic() > until:
                patience_s = self._policy.start_timeout_s
                raise unfit(f"another launch of this job has held {run / rundir.LOCK} for {patience_s:g} s")
        return lock

    def _start(self, run: Path, lock: int, request: LaunchRequest, command: Mapping[str, Any]) -> None:
        policy = self._policy
        orders = {
            **command,
            "marker": f"{request.job_id}:{self._token()}",
            "grace_s": policy.grace_s,
            "time_limit_s": request.spec.resources.time_limit_s,
            "max_log_bytes": policy.max_log_bytes,
        }
        try:
            for left in run.iterdir():  # of a launch that was cut off before the run began
                if left.name != rundir.LOCK:
                    left.unlink()
            os.mkfifo(run / rundir.CONTROL, 0o600)
            self._children.add(start_supervisor(run, lock, orders, policy.environ, policy.start_timeout_s))
        except OSError as error:
            shutil.rmtree(run, ignore_errors=True)
            raise unfit(f"the run's directory {run} cannot be prepared: {error.strerror or error}") from error
        except BaseException:
            shutil.rmtree(run, ignore_errors=True)
            raise

    def _bury(self, run: Path) -> Exit:
        state = read_json(run / rundir.STATE) or {}
        message = "the run's supervisor was killed, and nobody saw how the job ended"
        broken = run / rundir.BROKEN
        if broken.exists():
            said = broken.read_text("utf-8", "replace").strip()
            message = f"the run's supervisor failed: {said.rpartition(chr(10))[2]}"
        left = kill_marked(str(state["marker"])) if "marker" in state else []
        if left:
            message += f"; processes {left} of it could not be killed"
        end = Exit(lost=True, started_ms=state.get("started_ms"), ended_ms=self._clock_ms(), message=message)
        try:
            write_json(run / EXIT, asdict(end))
        except OSError as error:  # a full disk, say: the next to ask finds the same
            return replace(end, message=f"{message}; this could not be recorded: {error.strerror or error}")
        return end


def is_over(run: Path) -> bool:
    """Whether nothing will be printed any more. Ask before reading the log: then what is read is all there is."""
    return (run / EXIT).exists() or not rundir.is_held(run)


def _sweep(run: Path) -> None:
    """Removes a run that never started. Its lock says that nobody is about to start it."""
    lock = rundir.take_lock(run)
    if lock is not None:
        shutil.rmtree(run, ignore_errors=True)
        os.close(lock)
