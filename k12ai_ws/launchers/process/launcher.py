"""The embedded launcher: a local process per job, that outlives the server and is found again by the next one."""

import asyncio
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from k12ai_ws.launchers.launcher import Chunk, Handle, Launcher, LaunchError, LaunchRequest, RunStats
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit
from k12ai_ws.wire.status import Reason

from . import rundir
from .command import PASSED_ON, command_of, refuse
from .proc import kill_marked
from .reader import JournalReader
from .spawn import start_supervisor
from .usage import UsageMeter

P = ParamSpec("P")
T = TypeVar("T")

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_FASTEST_S = 0.02
_SLOWEST_S = 0.2
_SILENCE_S = 0.5
_STOP_PATIENCE_S = 5.0


class ProcessLauncher(Launcher):
    """Runs each job as a local process under a supervisor of its own (see `supervisor.py`), in `runs_dir/<job_id>`.

    `grace_s`: seconds from SIGTERM to SIGKILL when a job's time limit is over. `max_log_bytes`: bound of one job's
    journal; what it cuts is said in the log, and the last 64 KiB are kept. `environ`: the server's environment, of
    which jobs get `pass_environ` (names, with `*`) and PATH. `start_timeout_s`: how long a supervisor may take to
    start a command. `executor`: threads for the blocking work; the launcher's own 8 where None. `clock_ms` and
    `token`: the time (ms since the epoch) and the random markers.

    A job sees the machine as the server's own user does: this launcher isolates nothing, and ignores `image` and the
    spec's `cpus`, `memory` and `gpus`.
    """

    name = "process"

    def __init__(
        self,
        runs_dir: Path,
        *,
        grace_s: float = 10.0,
        max_log_bytes: int = 1 << 30,
        environ: Mapping[str, str] | None = None,
        pass_environ: Sequence[str] = PASSED_ON,
        start_timeout_s: float = 30.0,
        executor: ThreadPoolExecutor | None = None,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        token: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._runs = runs_dir.absolute()
        self._grace_s = grace_s
        self._max_log_bytes = max_log_bytes
        self._environ = dict(os.environ if environ is None else environ)
        self._pass_environ = tuple(pass_environ)
        self._start_timeout_s = start_timeout_s
        self._owned = None if executor else ThreadPoolExecutor(8, thread_name_prefix="process-launcher")
        self._executor = executor or self._owned
        self._clock_ms = clock_ms
        self._token = token
        self._usage = UsageMeter()
        self._children: set[int] = set()

    async def launch(self, request: LaunchRequest) -> Handle:
        """See `Launcher.launch`."""
        return await self._off_loop(self._launch, request)

    async def logs(self, handle: Handle, position: int) -> AsyncIterator[Sequence[Chunk]]:
        """See `Launcher.logs`."""
        run = self._run(handle)
        reader = JournalReader(run / rundir.JOURNAL, position)

        def look() -> tuple[bool, list[Chunk]]:
            over = _is_over(run)  # before the read: what was printed up to the end is then there to be read
            return over, reader.read()

        pause, silence = _FASTEST_S, 0.0
        try:
            while True:
                over, chunks = await self._off_loop(look)
                if chunks:
                    pause, silence = _FASTEST_S, 0.0
                    yield chunks
                    continue
                if over:
                    return
                await asyncio.sleep(pause)
                silence += pause
                pause = min(pause * 1.5, _SLOWEST_S)
                if silence >= _SILENCE_S:
                    silence = 0.0
                    yield ()
        finally:
            reader.close()

    async def wait(self, handle: Handle) -> Exit:
        """See `Launcher.wait`."""
        run = self._run(handle)
        pause = _FASTEST_S
        while (end := await self._off_loop(self._end_of, run)) is None:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_S)
        return end

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """See `Launcher.stop`. Asked again, the shorter grace holds."""
        await self._off_loop(self._stop, self._run(handle), max(0.0, grace_s))

    async def adopt(self) -> Mapping[str, Handle]:
        """See `Launcher.adopt`. Removes what is left of runs that never started; released runs are not listed."""
        return await self._off_loop(self._adopt)

    async def stats(self, handles: Mapping[str, Handle]) -> Mapping[str, RunStats]:
        """See `Launcher.stats`."""
        return await self._off_loop(self._stats, {job_id: self._run(handle) for job_id, handle in handles.items()})

    async def release(self, handle: Handle) -> None:
        """See `Launcher.release`. The journal and the record of the end stay; a run that goes on is left alone."""
        await self._off_loop(self._release, self._run(handle))

    async def close(self) -> None:
        """See `Launcher.close`. Cancel what follows a log before."""
        await self._off_loop(self._reap)
        if self._owned:
            self._owned.shutdown(wait=False)

    async def _off_loop(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: call(*args, **kwargs))

    def _run(self, handle: Handle) -> Path:
        return self._path(handle.get("run"))

    def _path(self, job_id: object) -> Path:
        if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id):
            raise refuse(f"{job_id!r} is no id of a run: letters, digits, '_', '.', '-', at most 128 of them")
        return self._runs / job_id

    def _launch(self, request: LaunchRequest) -> Handle:
        self._reap()
        run = self._path(request.job_id)
        handle = {"run": request.job_id}
        if (run / rundir.EXIT).exists():
            return handle
        if sys.platform != "linux":
            raise refuse(f"the process launcher needs Linux, and this is {sys.platform}; use --launcher docker")
        command = command_of(request, self._environ, self._pass_environ)
        try:
            run.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = self._claim(run)
        except OSError as error:
            raise refuse(f"the run's directory {run} cannot be made: {error.strerror or error}") from error
        if lock is None:
            return handle
        try:
            if not (run / rundir.STATE).exists() and not (run / rundir.EXIT).exists():
                self._start(run, lock, request, command)
        finally:
            os.close(lock)
        return handle

    def _claim(self, run: Path) -> int | None:
        """The run's lock, or None where the run is on its way already. Raises LaunchError, OSError."""
        until = time.monotonic() + self._start_timeout_s
        while (lock := rundir.take_lock(run, patience_s=0.05)) is None:
            if (run / rundir.STATE).exists() or (run / rundir.EXIT).exists():
                return None
            if time.monotonic() > until:
                raise refuse(f"another launch of this job has held {run / rundir.LOCK} for {self._start_timeout_s:g} s")
        return lock

    def _start(self, run: Path, lock: int, request: LaunchRequest, command: Mapping[str, Any]) -> None:
        orders = {
            **command,
            "marker": f"{request.job_id}:{self._token()}",
            "grace_s": self._grace_s,
            "time_limit_s": request.spec.resources.time_limit_s,
            "max_log_bytes": self._max_log_bytes,
        }
        try:
            for left in run.iterdir():  # of a launch that was cut off before the run began
                if left.name != rundir.LOCK:
                    left.unlink()
            os.mkfifo(run / rundir.CONTROL, 0o600)
            self._children.add(start_supervisor(run, lock, orders, self._environ, self._start_timeout_s))
        except OSError as error:
            shutil.rmtree(run, ignore_errors=True)
            raise refuse(f"the run's directory {run} cannot be prepared: {error.strerror or error}") from error
        except BaseException:
            shutil.rmtree(run, ignore_errors=True)
            raise

    def _end_of(self, run: Path) -> Exit | None:
        """How the run ended; None while it goes on. A run whose supervisor was killed is cleaned up and recorded."""
        end = _read_exit(run)
        if end or rundir.is_held(run):
            return end
        try:
            lock = rundir.take_lock(run, patience_s=0.05)
        except FileNotFoundError:
            return Exit(lost=True, ended_ms=self._clock_ms(), message=f"the run's directory {run} is gone")
        if lock is None:
            return None
        try:
            return _read_exit(run) or self._bury(run)
        finally:
            os.close(lock)

    def _bury(self, run: Path) -> Exit:
        state = rundir.read_json(run / rundir.STATE) or {}
        message = "the run's supervisor was killed, and nobody saw how the job ended"
        broken = run / rundir.BROKEN
        if broken.exists():
            message = f"the run's supervisor failed: {broken.read_text('utf-8', 'replace').strip().splitlines()[-1]}"
        left = kill_marked(str(state["marker"])) if "marker" in state else []
        if left:
            message += f"; processes {left} of it could not be killed"
        end = Exit(lost=True, started_ms=state.get("started_ms"), ended_ms=self._clock_ms(), message=message)
        try:
            rundir.write_json(run / rundir.EXIT, asdict(end))
        except OSError as error:  # a full disk, say: the next to ask finds the same
            return replace(end, message=f"{message}; this could not be recorded: {error.strerror or error}")
        return end

    def _stop(self, run: Path, grace_s: float) -> None:
        until = time.monotonic() + _STOP_PATIENCE_S
        while not _is_over(run):
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

    def _adopt(self) -> dict[str, Handle]:
        self._reap()
        found: dict[str, Handle] = {}
        if not self._runs.is_dir():
            return found
        for run in sorted(self._runs.iterdir()):
            if not _JOB_ID.fullmatch(run.name) or not stat.S_ISDIR(run.lstat().st_mode):
                continue
            if (run / rundir.STATE).exists() or rundir.is_held(run):
                found[run.name] = {"run": run.name}
            elif not (run / rundir.EXIT).exists():
                self._sweep(run)
        return found

    @staticmethod
    def _sweep(run: Path) -> None:
        """Removes a run that never started. Its lock says that nobody is about to start it."""
        lock = rundir.take_lock(run)
        if lock is not None:
            shutil.rmtree(run, ignore_errors=True)
            os.close(lock)

    def _stats(self, runs: Mapping[str, Path]) -> dict[str, RunStats]:
        supervisors = {}
        for job_id, run in runs.items():
            state = rundir.read_json(run / rundir.STATE)
            if state and not (run / rundir.EXIT).exists():
                supervisors[job_id] = (int(state["supervisor"]), int(state["supervisor_start"]))
            else:
                self._usage.forget(job_id)
        return self._usage.measure(supervisors)

    def _release(self, run: Path) -> None:
        if (run / rundir.EXIT).exists():
            for name in (rundir.STATE, rundir.CONTROL):
                (run / name).unlink(missing_ok=True)
        self._usage.forget(run.name)
        self._reap()

    def _reap(self) -> None:
        """Takes in the supervisors that have ended, so that they do not stay as zombies while the server lives."""
        for pid in tuple(self._children):
            try:
                done, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # someone else's SIGCHLD handler was faster
                done = pid
            if done:
                self._children.discard(pid)


def _is_over(run: Path) -> bool:
    return (run / rundir.EXIT).exists() or not rundir.is_held(run)


def _read_exit(run: Path) -> Exit | None:
    end = rundir.read_json(run / rundir.EXIT)
    if end is None:
        return None
    return Exit(**{key: value for key, value in end.items() if key in Exit.__dataclass_fields__})
