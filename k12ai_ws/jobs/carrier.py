"""Takes one job from its admission to its stored end, through whatever goes wrong on the way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from k12ai_ws.launchers.launcher import Handle, LaunchError, LaunchRequest
from k12ai_ws.serverlog import note
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
"""The death of a run that no job follows is waited for so long before its user may start the next job of the pair."""

log = logging.getLogger(__name__)


class _StoppedBefore(Exception):
    """The stop came before the launch."""


class _Unfollowable(Exception):
    """The job's log was taken up too often; the text says what went wrong."""


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

    async def carry(
        self,
        run: Run,
        gpus: Sequence[str] = (),
        found: Handle | None = None,
        *,
        outlived: Callable[[], None] = lambda: None,
        dead: Callable[[], Awaitable[None]],
    ) -> None:
        """Returns once the job's end is stored (or nothing more can be done for it) and its run is dead, as far as that
        can be seen: until then it holds what it was given. `gpus` are leased to it; `found` is its run, where an
        earlier server had started one. `outlived` is called where the run outlives its job by `DEATH_S` seconds; `dead`
        as soon as it is dead: what it was given is free, and its log may still have to be read.

        Cancelling leaves the job running.
        """
        note(request_id="", job_id=run.record.job_id, user=run.record.user)  # the request that began it is long over
        left, told = None, False
        try:
            await self._to_its_end(run, gpus, found, dead)
            if run.record.handle is None:  # it ended without a run; the one that was found is nobody's now
                left = found
        except Exception as e:
            text = str(e)
            if not isinstance(e, _Unfollowable):
                log.exception("job %s: carrying it failed", run.record.job_id)
                text = f"the server could not carry the job: {type(e).__name__}: {e}"
            try:
                told = await self._runner.give_up(run, text)
            except Exception:
                log.exception("job %s: its end cannot be stored; the next server takes it up", run.record.job_id)
                return
            left = run.record.handle or found
        if left is None:
            return
        late = asyncio.get_running_loop().call_later(DEATH_S, outlived)
        try:
            await self.bury(run.record.job_id, left, told=told)
        finally:
            late.cancel()

    async def bury(self, job_id: str, handle: Handle, *, told: bool = False) -> None:
        """Ends a run that no job follows (any more), sees it die, however long that takes, and frees what it holds.
        `told`: it was asked to end, and has its grace.
        """
        launcher, misses = self._runner.launcher, 0
        while True:
            try:
                if not told:
                    await launcher.stop(handle, 0.0)
                    told = True
                await launcher.wait(handle)
                break
            except Exception as e:  # noqa: BLE001 - whatever it is: what a living run holds must not be given to another
                misses += 1
                pause = self._pause(misses)
                log.error("job %s: its run cannot be ended now: %r; trying again in %g s", job_id, e, pause)
                await asyncio.sleep(pause)
        try:
            await launcher.release(handle)
        except Exception:  # whatever it is, the run is over, and the next server tries again
            log.exception("job %s: what its run holds cannot be freed now", job_id)

    def _pause(self, misses: int) -> float:
        return min(LONGEST_RETRY_S, self._retry_s * 2.0 ** min(misses - 1, 16))

    async def _to_its_end(
        self, run: Run, gpus: Sequence[str], found: Handle | None, dead: Callable[[], Awaitable[None]]
    ) -> None:
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
                await self._runner.follow(run, handle, lambda at: self._hosts.reader(run.record, host, at), start, dead)
            except StoreError as e:  # no fault of the job's: it waits for as long as the store needs
                log.error("job %s: %s; trying again in %g s", job_id, e, self._retry_s)
                await asyncio.sleep(self._retry_s)
            except Exception as e:
                offset = start.offset if start else 0
                if offset != failed_at:  # it got further than the last time
                    failed_at, faults, misses = offset, 0, 0
                if _passes(e):
                    misses += 1
                    pause = self._pause(misses)
                    log.error("job %s: it cannot be followed now: %s; trying again in %g s", job_id, e, pause)
                    await asyncio.sleep(pause)
                    continue
                log.exception("job %s: following it failed", job_id)
                faults += 1
                if faults >= ATTEMPTS:
                    raise _Unfollowable(f"the server could not follow the job: {type(e).__name__}: {e}") from e
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
