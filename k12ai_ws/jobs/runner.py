"""Carries one job from its launch to its end: performs the actions, follows the log, finds out how it ended."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from k12ai_ws.launchers.launcher import Handle, Launcher, LaunchError, LaunchRequest
from k12ai_ws.store.store import LogPosition
from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit

from .life import Ended, Launched, LaunchFailed
from .reading import LogReader, auto_reader, forgetting, reads_auto
from .run import Run
from .threads import DaemonThreads, Hung, Turns

A = TypeVar("A")
T = TypeVar("T")

PARSING_AT_ONCE = 2
"""Pieces of log parsed at one time: more only fight for the interpreter."""
PARSING_TIMEOUT_S = 30.0
"""A piece of log must be parsed within so many seconds: ours take milliseconds, a driver's parser may take for ever."""
HUNG_LIMIT = 4
"""Threads that may hang in one service's parsers; while they do, the logs of its next jobs are read with `auto`."""

log = logging.getLogger(__name__)


class Runner:
    """Runs jobs on one launcher.

    Log reading happens in `parsing`, threads of its own, `PARSING_AT_ONCE` pieces at one time, each for
    `parsing_timeout_s` seconds at most; `parsed` hears, in the thread, how many seconds one took.
    """

    def __init__(
        self,
        launcher: Launcher,
        *,
        grace_s: float,
        clock_ms: Callable[[], int],
        parsing: DaemonThreads | None = None,
        parsing_timeout_s: float = PARSING_TIMEOUT_S,
        parsed: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.launcher = launcher
        self._grace_s = grace_s
        self._clock_ms = clock_ms
        self._parsed = parsed
        self._parsing = Turns(
            parsing or DaemonThreads("k12ai-parse"), at_once=PARSING_AT_ONCE, timeout_s=parsing_timeout_s
        )

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
        dead: Callable[[], Awaitable[None]],
    ) -> None:
        """Reads the log from `start` to its end, then stores how the job ended. Cancelling leaves the job running.

        `dead` is called as soon as the run is seen dead, which is before the end is stored where much of its log is
        still to be read. Where the driver's parsers hang, what is not stored yet is read again with the preset `auto`.
        """
        death = asyncio.get_running_loop().create_task(self._see_death(run, handle, dead))
        try:
            await self._follow(run, handle, new_reader, start)
        finally:
            death.cancel()
            await asyncio.wait({death})

    async def _see_death(self, run: Run, handle: Handle, dead: Callable[[], Awaitable[None]]) -> None:
        try:
            await self.launcher.wait(handle)
            run.dead = True
            await dead()
        except Exception as e:  # noqa: BLE001 - whoever follows the log asks the same, and deals with it
            log.warning("job %s: its death is not seen now: %s", run.record.job_id, e)

    async def _follow(
        self,
        run: Run,
        handle: Handle,
        new_reader: Callable[[LogPosition | None], Awaitable[LogReader]],
        start: LogPosition | None,
    ) -> None:
        reader, stored = await self._reader(run, new_reader, start), start
        while True:
            try:
                async for chunks in self.launcher.logs(handle, reader.offset):
                    if chunks:
                        reading = await self._parse(run, reader.read, chunks)
                    else:
                        reading = await self._parse(run, reader.idle, self._clock_ms())
                    await run.ingest(reading)
                    stored = reading.position or stored
                end = await self.launcher.wait(handle)
                run.dead = True
                now = end.ended_ms or self._clock_ms()
                rest = await self._parse(run, reader.close, now)
                break
            except Hung as e:
                if reader.auto:  # no driver's fault: the manager tries again
                    raise
                service = run.record.service_name
                hung = self._parsing.hung(service)
                log.error("job %s: a log parser of %s hangs (%s); %d do now", run.record.job_id, service, e, hung)
                text = f"a log parser of {service!r} hangs: {e}; from here on the log is read with the preset auto"
                reader = auto_reader(run.record, stored, notice=Fault(Code.WARNING, text, severity="warning"))
        await run.apply_surely(Ended(end, now, reader.tail, reader.suspect), last=rest)
        await self.launcher.release(handle)

    async def _reader(
        self,
        run: Run,
        new_reader: Callable[[LogPosition | None], Awaitable[LogReader]],
        start: LogPosition | None,
    ) -> LogReader:
        if reads_auto(start):
            return auto_reader(run.record, start)
        service = run.record.service_name
        if (hung := self._parsing.hung(service)) >= HUNG_LIMIT:
            text = f"{hung} log parsers of {service!r} hang in other jobs; this log is read with the preset auto"
            return auto_reader(run.record, start, notice=Fault(Code.WARNING, text, severity="warning"))
        reader = await new_reader(start)
        if start is not None and reader.stale is not None:
            log.warning("job %s: the log parsers cannot go on: %s", run.record.job_id, reader.stale)
            reader = await new_reader(forgetting(start, reader.stale))
        return reader

    async def _parse(self, run: Run, work: Callable[[A], T], argument: A) -> T:
        def timed(given: A) -> T:
            began = time.perf_counter()
            try:
                return work(given)
            finally:
                self._parsed(time.perf_counter() - began)

        return await self._parsing.call(run.record.service_name, timed, argument)

    async def give_up(self, run: Run, message: str) -> bool:
        """The run cannot be followed by this server: its end is unknown. It is told to stop, as far as that goes: the
        next job of its user and service_uuid must not share a folder with one that nobody sees. Whether it was told.
        """
        told = False
        if run.record.handle is not None:
            try:
                await self.stop(run.record.handle)
                told = True
            except Exception:
                log.exception("job %s: it is given up, and cannot be stopped now", run.record.job_id)
        await run.apply_surely(Ended(Exit(lost=True, message=message), self._clock_ms()))
        return told
