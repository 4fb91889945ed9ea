"""Carries one job from its launch to its end: performs the actions, follows the log, finds out how it ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import TypeVar

from k12ai_ws.launchers.launcher import Handle, Launcher, LaunchError, LaunchRequest
from k12ai_ws.store.store import LogPosition
from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.job import Exit

from .life import Ended, Launched, LaunchFailed
from .reading import LogReader
from .run import Run
from .threads import contained

A = TypeVar("A")
T = TypeVar("T")
log = logging.getLogger(__name__)


class Runner:
    """Runs jobs on one launcher. `parsing` is the pool of threads that log reading happens in."""

    def __init__(self, launcher: Launcher, *, grace_s: float, parsing: Executor, clock_ms: Callable[[], int]) -> None:
        self.launcher = launcher
        self._grace_s = grace_s
        self._parsing = parsing
        self._clock_ms = clock_ms

    async def launch(self, run: Run, prepare: Callable[[], Awaitable[LaunchRequest]]) -> bool:
        """Starts the run (or finds the one that an earlier server started) and stores that; False where it failed."""
        try:
            handle = await self.launcher.launch(await prepare())
        except LaunchError as e:
            fault = Fault(e.code, e.message)
            await run.apply_surely(LaunchFailed(fault, e.reason, self._clock_ms()))
            return False
        for _ in await run.apply_surely(Launched(handle, self.launcher.name, self._clock_ms())):
            await self.stop(handle)
        return True

    async def stop(self, handle: Handle) -> None:
        """Asks the run to end, then forces it to."""
        await self.launcher.stop(handle, self._grace_s)

    async def follow(
        self,
        run: Run,
        handle: Handle,
        new_reader: Callable[[LogPosition | None], Awaitable[LogReader]],
        start: LogPosition | None,
    ) -> None:
        """Reads the log from `start` to its end, then stores how the job ended. Cancelling leaves the job running."""
        reader = await new_reader(start)
        async for chunks in self.launcher.logs(handle, reader.offset):
            if chunks:
                await run.ingest(await self._parse(reader.read, chunks))
            else:
                await run.ingest(await self._parse(reader.idle, self._clock_ms()))
        end = await self.launcher.wait(handle)
        now = end.ended_ms or self._clock_ms()
        rest = await self._parse(reader.close, now)
        await run.apply_surely(Ended(end, now, reader.tail, reader.suspect), last=rest)
        await self.launcher.release(handle)

    async def _parse(self, work: Callable[[A], T], argument: A) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._parsing, contained(work), argument)

    async def give_up(self, run: Run, message: str) -> None:
        """The run cannot be followed by this server: its end is unknown. It is told to stop, as far as that goes: the
        next job of its user and service_uuid must not share a folder with one that nobody sees.
        """
        if run.record.handle is not None:
            try:
                await self.stop(run.record.handle)
            except Exception:
                log.exception("job %s: it is given up, and may run on", run.record.job_id)
        await run.apply_surely(Ended(Exit(lost=True, message=message), self._clock_ms()))
