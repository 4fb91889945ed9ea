"""The docker launcher: a hardened container per job, that outlives the server and is found again by the next one."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from k12ai_ws.drivers.spec import LaunchSpec, Resources
from k12ai_ws.launchers.launcher import (
    Capacity,
    Chunk,
    Handle,
    Launcher,
    LaunchError,
    LaunchRequest,
    RunStats,
)
from k12ai_ws.launchers.recording.files import JOURNAL
from k12ai_ws.launchers.recording.following import follow, until
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit
from k12ai_ws.wire.status import Reason

from .container import Bounds, Owner
from .engine import Container, Engine, EngineError
from .making import Maker
from .outputs import default_user
from .place import place_of
from .policy import Policy
from .pools import DaemonPool
from .runs import Runs
from .usage import ContainerMeter, ContainerRef

T = TypeVar("T")

log = logging.getLogger(__name__)

_ADOPT_S: Final = 10.0
_CLOSE_S: Final = 10.0
_READING_THREADS: Final = 4
_CHECKING_THREADS: Final = 4
_LAUNCHING_THREADS: Final = 8
_ENDING_THREADS: Final = 8
_TMP_BYTES: Final = 1 << 30
_PIDS: Final = 1024


class DockerLauncher(Launcher):
    """Runs each job in a container of its own, recorded in `runs_dir/<job_id>`.

    `server_id`: who owns the containers; another server never touches them. `data_dir`: the place where this server
    works: containers of an earlier server of the same place, whose data are gone, are removed. `user`: `uid:gid` of
    the containers, by default the server's own, and where that is root a user without rights. `max_log_bytes`: bound
    of one job's journal; `engine_log_bytes` (by default as much) of each of the two files of the engine's own log of
    it. `pull`: fetch images that are missing.
    """

    name = "docker"

    def __init__(
        self,
        runs_dir: Path,
        engine: Engine,
        policy: Policy,
        *,
        server_id: str,
        data_dir: Path,
        user: str | None = None,
        grace_s: float = 10.0,
        max_log_bytes: int = 1 << 30,
        engine_log_bytes: int | None = None,
        tmp_bytes: int = _TMP_BYTES,
        pids: int = _PIDS,
        pull: bool = False,
        stats_interval_s: float = 1.0,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._meter = ContainerMeter(interval_s=stats_interval_s, engine_stats=engine.stats)
        owner = Owner(server_id, place_of(data_dir))
        bounds = Bounds(user or default_user(), tmp_bytes, pids, engine_log_bytes or max_log_bytes)
        self._runs = Runs(
            runs_dir,
            engine,
            Maker(engine, policy, bounds, owner, pull=pull),
            owner,
            max_log_bytes=max_log_bytes,
            grace_s=grace_s,
            clock_ms=clock_ms,
            peak=lambda container: self._meter.peak(_ref(container)),
        )
        # A pool for each kind of call, so that none waits for another kind: a stop for eight images that are fetched.
        self._reading = DaemonPool(_READING_THREADS, "docker-journal")
        self._checking = DaemonPool(_CHECKING_THREADS, "docker-check")
        self._launching = DaemonPool(_LAUNCHING_THREADS, "docker-launch")
        self._ending = DaemonPool(_ENDING_THREADS, "docker-end")
        self._measuring = DaemonPool(1, "docker-stats")
        self._asking = DaemonPool(1, "docker-info")
        self._answer: asyncio.Future[Mapping[str, Any]] | None = None

    async def check(self, spec: LaunchSpec) -> Resources:
        """See `Launcher.check`. Raises LaunchError (100106) where the operator's policy does not allow the spec."""
        return (await _in(self._checking, partial(self._policy.allow, spec))).resources

    async def capacity(self) -> Capacity:
        """See `Launcher.capacity`. The engine is asked once at a time: whoever asks meanwhile shares the answer."""
        if self._answer is None or self._answer.done():
            self._answer = asyncio.ensure_future(_in(self._asking, self._engine.info))
            self._answer.add_done_callback(_seen)
        try:
            info = await asyncio.shield(self._answer)
        except EngineError as e:
            raise LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, e.message) from e
        return Capacity(float(info["NCPU"]), int(info["MemTotal"]))

    async def launch(self, request: LaunchRequest) -> Handle:
        """See `Launcher.launch`."""
        return await _in(self._launching, partial(self._runs.launch, request))

    async def logs(self, handle: Handle, position: int) -> AsyncIterator[Sequence[Chunk]]:
        """See `Launcher.logs`. Raises OSError where the journal cannot be read now: read on from the last position."""
        run = self._runs.path(handle)
        await _in(self._reading, partial(self._runs.attend, handle))
        log_of = follow(run / JOURNAL, position, partial(self._runs.is_over, run), partial(_in, self._reading))
        async with aclosing(log_of) as batches:
            async for chunks in batches:
                yield chunks

    async def wait(self, handle: Handle) -> Exit:
        """See `Launcher.wait`."""
        run = self._runs.path(handle)
        return await until(partial(self._runs.end_of, run), partial(_in, self._reading))

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """See `Launcher.stop`. Asked again, the shorter grace holds. Raises LaunchError where no engine answers."""
        await _in(self._ending, partial(self._runs.stop, handle, max(0.0, grace_s)))

    async def adopt(self) -> Mapping[str, Handle]:
        """See `Launcher.adopt`. An engine that does not answer is waited for by each run, not here."""
        known = await _in(self._reading, self._runs.known)
        try:
            async with asyncio.timeout(_ADOPT_S):
                return await _in(self._ending, partial(self._runs.claim, known))
        except TimeoutError:
            log.error("the engine did not list its containers within %g s: those of no job are left for now", _ADOPT_S)
            return known

    async def stats(self, handles: Mapping[str, Handle]) -> Mapping[str, RunStats]:
        """See `Launcher.stats`: from the kernel's files, or the engine's counters where those are not to be seen."""
        living = {job_id: self._runs.living(handle) for job_id, handle in handles.items()}
        refs = {job_id: _ref(container) for job_id, container in living.items() if container is not None}
        return await _in(self._measuring, partial(self._meter.measure, refs)) if refs else {}

    async def release(self, handle: Handle) -> None:
        """See `Launcher.release`. The container is removed; the journal and the record of the end stay."""
        await _in(self._ending, partial(self._runs.release, handle))

    async def close(self) -> None:
        """See `Launcher.close`. Waits for no call that is under way: it ends by itself, or with the process."""
        for pool in (self._checking, self._launching, self._ending, self._measuring, self._asking):
            pool.shutdown(cancel_futures=True)
        self._meter.close()
        closing = DaemonPool(1, "docker-close")
        try:
            async with asyncio.timeout(_CLOSE_S):
                await _in(closing, self._runs.close)
        except TimeoutError:
            log.error("the recording of containers has not ended within %g s: it is left where it is", _CLOSE_S)
        closing.shutdown()
        self._reading.shutdown()
        self._engine.close()


def _in(pool: DaemonPool, call: Callable[[], T]) -> Awaitable[T]:
    return asyncio.get_running_loop().run_in_executor(pool, call)


def _seen(answer: "asyncio.Future[Any]") -> None:
    if not answer.cancelled():
        answer.exception()  # where nobody waits any longer, it has nobody to go to


def _ref(container: Container) -> ContainerRef:
    state = container["State"]
    name = str(container["Name"]).lstrip("/")
    return ContainerRef(str(container["Id"]), int(state["Pid"]), name, int(container["HostConfig"]["Memory"]))
