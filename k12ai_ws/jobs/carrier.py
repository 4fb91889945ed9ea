"""Takes one job from its admission to its stored end, through whatever goes wrong on the way."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from k12ai_ws.launchers.launcher import Handle, LaunchError, LaunchRequest
from k12ai_ws.store.store import LogPosition, Store, StoreError
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.status import JobStatus, Reason

from .hosts import Hosts
from .life import Admitted, Launched, Withdrawn
from .run import Run
from .runner import Runner
from .workspace import DriverHost

ATTEMPTS = 5
"""How often a job's log is taken up again after an unexpected fault before the job is given up."""
RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
"""The pause before a log that cannot be read for want of something (files, the engine) is tried again grows to this."""
DEATH_S = 30.0
"""A run that is given up is waited for so long: until then it holds what it was given."""

log = logging.getLogger(__name__)


class _StoppedBefore(Exception):
    """The stop came before the launch."""


class Carrier:
    """Carries jobs, each in a task of its own."""

    def __init__(
        self,
        *,
        store: Store,
        runner: Runner,
        hosts: Hosts,
        clock_ms: Callable[[], int],
        default_time_limit_s: float | None,
        retry_s: float = RETRY_S,
    ) -> None:
        self._store = store
        self._runner = runner
        self._hosts = hosts
        self._clock_ms = clock_ms
        self._default_time_limit_s = default_time_limit_s
        self._retry_s = retry_s

    async def carry(self, run: Run, gpus: Sequence[str] = (), found: Handle | None = None) -> None:
        """Returns once the job's end is stored (or nothing more can be done for it) and its run is dead, as far as that
        can be seen. `gpus` are leased to it; `found` is its run, where an earlier server had started one.

        Cancelling leaves the job running.
        """
        try:
            await self._to_its_end(run, gpus, found)
        except Exception as e:
            log.exception("job %s: carrying it failed", run.record.job_id)
            try:
                await self._give_up(run, f"the server could not carry the job: {type(e).__name__}: {e}")
            except Exception:
                log.exception("job %s: its end cannot be stored; the next server takes it up", run.record.job_id)

    async def bury(self, handle: Handle) -> None:
        """Ends a run whose job nobody knows: it has this server's id, so nobody else ever will."""
        launcher = self._runner.launcher
        await launcher.stop(handle, 0.0)
        await launcher.wait(handle)
        await launcher.release(handle)

    async def _give_up(self, run: Run, message: str) -> None:
        """Stores the job as lost, and waits for its run's death: what it holds must not be given to another before."""
        await self._runner.give_up(run, message)
        handle = run.record.handle
        if handle is None:
            return
        try:
            async with asyncio.timeout(DEATH_S):
                await self._runner.launcher.wait(handle)
        except Exception as e:  # noqa: BLE001 - it is given up because nothing works with it
            log.warning("job %s: it is lost, and nobody saw its run die: %r", run.record.job_id, e)

    async def _to_its_end(self, run: Run, gpus: Sequence[str], found: Handle | None) -> None:
        job_id = run.record.job_id
        await run.apply_surely(Admitted(gpus))
        if found is not None and self._is_stopping(run):  # it must not count as one that never ran
            await run.apply_surely(Launched(found, self._runner.launcher.name, self._clock_ms()))
        host = self._hosts.of(run.record)  # now that its record says which GPUs it has
        failed_at, faults, misses = -1, 0, 0
        while not run.record.status.terminal:
            start: LogPosition | None = None
            try:
                handle = await self._take_up(run, host)
                if handle is None:
                    return
                start = await self._store.position(job_id)
                await self._runner.follow(run, handle, lambda at: self._hosts.reader(run.record, host, at), start)
            except StoreError as e:  # no fault of the job's: it waits for as long as the store needs
                log.error("job %s: %s; trying again in %g s", job_id, e, self._retry_s)
                await asyncio.sleep(self._retry_s)
            except Exception as e:
                offset = start.offset if start else 0
                if offset != failed_at:  # it got further than the last time
                    failed_at, faults, misses = offset, 0, 0
                if _passes(e):
                    misses += 1
                    pause = min(LONGEST_RETRY_S, self._retry_s * 2 ** min(misses - 1, 16))
                    log.error("job %s: it cannot be followed now: %s; trying again in %g s", job_id, e, pause)
                    await asyncio.sleep(pause)
                    continue
                log.exception("job %s: following it failed", job_id)
                faults += 1
                if faults >= ATTEMPTS:
                    await self._give_up(run, f"the server could not follow the job: {type(e).__name__}: {e}")
                    return
                await asyncio.sleep(self._retry_s)

    async def _take_up(self, run: Run, host: DriverHost | None) -> Handle | None:
        """Launches what is not launched yet; repeats a stop that an earlier server may not have delivered. None: there
        is nothing to follow.
        """
        if run.record.handle is None:

            async def prepare() -> LaunchRequest:
                if self._is_stopping(run):
                    raise _StoppedBefore
                if host is None:
                    name = run.record.service_name
                    raise LaunchError(
                        Code.SERVICE_NOT_FOUND, Reason.LAUNCH_FAILED, f"the driver of service {name!r} is gone"
                    )
                request = await host.request(self._default_time_limit_s)
                if self._is_stopping(run):  # meanwhile
                    raise _StoppedBefore
                return request

            try:
                await self._runner.launch(run, prepare)
            except _StoppedBefore:
                await run.apply_surely(Withdrawn(self._clock_ms()))
        elif run.record.status is JobStatus.STOPPING:
            await self._runner.stop(run.record.handle)
        return run.record.handle

    @staticmethod
    def _is_stopping(run: Run) -> bool:
        return run.record.status is JobStatus.STOPPING


def _passes(error: Exception) -> bool:
    """Whether the fault is one that passes by itself: no free file, no answer of the engine. A file that is gone stays
    so.
    """
    if isinstance(error, LaunchError):
        return error.code == Code.ENGINE_FAILED
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError | NotADirectoryError)
