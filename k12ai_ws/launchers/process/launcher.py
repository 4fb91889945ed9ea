"""The embedded launcher: a local process per job, that outlives the server and is found again by the next one."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from k12ai_ws.launchers.launcher import Chunk, Handle, Launcher, LaunchRequest, RunStats
from k12ai_ws.launchers.recording.files import JOURNAL
from k12ai_ws.launchers.recording.following import follow, until
from k12ai_ws.wire.job import Exit

from .command import PASSED_ON
from .runs import Policy, Runs, is_over
from .usage import UsageMeter

P = ParamSpec("P")
T = TypeVar("T")


class ProcessLauncher(Launcher):
    """Runs each job as a local process under a supervisor of its own (see `supervisor.py`), in `runs_dir/<job_id>`.

    `grace_s`: seconds from SIGTERM to SIGKILL when a job's time limit is over. `max_log_bytes`: bound of one job's
    journal; what it cuts is said in the log, and the last 64 KiB are kept. `environ`: the server's environment, of
    which jobs get `pass_environ` (names, with `*`) and PATH. `start_timeout_s`: how long a supervisor may take to
    start a command. `executor`: threads for reading logs and statistics, milliseconds each; the launcher's own 8 where
    None. What may take seconds (launches, stops, burying a run) has threads of its own, so that no log waits for it.
    `clock_ms` and `token`: the time (ms since the epoch) and the random markers.

    A job sees the machine as the server's own user does: this launcher isolates nothing, ignores `image`, and does not
    hold it to the spec's `cpus` and `memory`.
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
        environ = dict(os.environ if environ is None else environ)
        policy = Policy(grace_s, max_log_bytes, environ, tuple(pass_environ), start_timeout_s)
        self._runs = Runs(runs_dir, policy, clock_ms, token)
        self._owned = None if executor else ThreadPoolExecutor(8, thread_name_prefix="process-launcher")
        self._executor = executor or self._owned
        self._slow = ThreadPoolExecutor(8, thread_name_prefix="process-launcher-slow")
        self._usage = UsageMeter()

    async def launch(self, request: LaunchRequest) -> Handle:
        """See `Launcher.launch`."""
        await self._slowly(self._runs.launch, request)
        return {"run": request.job_id}

    def logs(self, handle: Handle, position: int) -> AsyncIterator[Sequence[Chunk]]:
        """See `Launcher.logs`. Raises OSError where the journal cannot be read now: read on from the last position."""
        run = self._path(handle)
        return follow(run / JOURNAL, position, partial(is_over, run), self._off_loop)

    async def wait(self, handle: Handle) -> Exit:
        """See `Launcher.wait`. What a run left behind whose supervisor was killed is ended here."""
        return await until(partial(self._runs.end_of, self._path(handle)), self._slowly)

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """See `Launcher.stop`. Asked again, the shorter grace holds. Raises LaunchError where nobody listens."""
        await self._slowly(self._runs.stop, self._path(handle), max(0.0, grace_s))

    async def adopt(self) -> Mapping[str, Handle]:
        """See `Launcher.adopt`. Removes what is left of runs that never started; released runs are not listed."""
        return {job_id: {"run": job_id} for job_id in await self._slowly(self._runs.adopt)}

    async def stats(self, handles: Mapping[str, Handle]) -> Mapping[str, RunStats]:
        """See `Launcher.stats`."""
        return await self._off_loop(self._measure, {job_id: self._path(handle) for job_id, handle in handles.items()})

    async def release(self, handle: Handle) -> None:
        """See `Launcher.release`. The journal and the record of the end stay; a run that goes on is left alone."""
        await self._slowly(self._runs.release, self._path(handle))

    async def close(self) -> None:
        """See `Launcher.close`. Cancel what follows a log before."""
        await self._slowly(self._runs.reap)
        self._slow.shutdown(wait=False)
        if self._owned:
            self._owned.shutdown(wait=False)

    async def _off_loop(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: call(*args, **kwargs))

    async def _slowly(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._slow, lambda: call(*args, **kwargs))

    def _path(self, handle: Handle) -> Path:
        return self._runs.path(handle.get("run"))

    def _measure(self, runs: Mapping[str, Path]) -> dict[str, RunStats]:
        found = {job_id: self._runs.supervisor_of(run) for job_id, run in runs.items()}
        return self._usage.measure(found)
