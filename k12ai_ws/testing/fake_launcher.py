"""A launcher in memory, whose runs a test plays: no process, no clock, nothing happens but what the test says."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace

from k12ai_ws.launchers.launcher import Chunk, Handle, Launcher, LaunchError, LaunchRequest, RunStats
from k12ai_ws.wire.bodies import Stream
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit
from k12ai_ws.wire.status import Reason


class FakeRun:
    """One run: what was asked (`request`, `stops`: the grace of each stop, `released`), and what it does now."""

    def __init__(self, request: LaunchRequest, at_ms: Callable[[], int]) -> None:
        self.request = request
        self.stops: list[float] = []
        self.released = False
        self.exit: Exit | None = None
        self.on_stop: Callable[[FakeRun, float], None] | None = _end_by_sigterm
        self._at_ms = at_ms
        self._chunks: list[Chunk] = []
        self._changed = asyncio.Event()
        self._pauses = 0

    def print(self, data: bytes | str, stream: Stream = "stdout") -> None:
        """The job prints this, as one chunk of the log; its position is the count of bytes printed so far."""
        if self.exit is not None:
            raise AssertionError(f"run {self.request.job_id} has ended with {self.exit}, and prints no more")
        raw = data.encode() if isinstance(data, str) else data
        if raw:
            position = self._chunks[-1].position if self._chunks else 0
            self._chunks.append(Chunk(raw, stream, self._at_ms(), position + len(raw)))
            self._change()

    def pause(self) -> None:
        """Nothing is printed for a while: whoever follows the log gets one empty batch."""
        self._pauses += 1
        self._change()

    def end(self, end: Exit | None = None, *, exit_code: int | None = None, signal: int | None = None) -> None:
        """The job ends: as `end` says, or with this exit code (0 where nothing is said) or signal."""
        if self.exit is not None:
            raise AssertionError(f"run {self.request.job_id} has ended already, with {self.exit}")
        if end is None:
            code = 0 if exit_code is None and signal is None else exit_code
            end = Exit(exit_code=code, signal=signal, stop_delivered=bool(self.stops))
        started = self._chunks[0].at_ms if self._chunks else self._at_ms()
        self.exit = replace(
            end,
            started_ms=started if end.started_ms is None else end.started_ms,
            ended_ms=self._at_ms() if end.ended_ms is None else end.ended_ms,
        )
        self._change()

    def lose(self) -> None:
        """The run vanishes, and nobody sees how."""
        self.end(Exit(lost=True, message="the run vanished"))

    async def until_stopped(self) -> float:
        """Waits for the first stop; its grace in seconds."""
        while not self.stops:
            await self._changed_since()
        return self.stops[0]

    async def until_released(self) -> None:
        """Waits until the run is released."""
        while not self.released:
            await self._changed_since()

    async def _follow(self, position: int) -> AsyncIterator[Sequence[Chunk]]:
        pauses = self._pauses
        while True:
            batch = self._chunks[bisect_right(self._chunks, position, key=lambda chunk: chunk.position) :]
            if batch:
                position = batch[-1].position
                yield batch
            elif self.exit is not None:
                return
            elif pauses < self._pauses:
                pauses += 1
                yield ()
            else:
                await self._changed_since()

    async def _ended(self) -> Exit:
        while self.exit is None:
            await self._changed_since()
        return self.exit

    def _stop(self, grace_s: float) -> None:
        if self.exit is None:
            self.stops.append(grace_s)
            self._change()
            if self.on_stop:
                self.on_stop(self, grace_s)

    def _release(self) -> None:
        self.released = True
        self._change()

    async def _changed_since(self) -> None:
        await self._changed.wait()

    def _change(self) -> None:
        # A fresh event for each change wakes exactly those who wait now.
        self._changed.set()
        self._changed = asyncio.Event()


def _end_by_sigterm(run: FakeRun, grace_s: float) -> None:  # noqa: ARG001 - the form of every `on_stop`
    run.end(signal=15)


class FakeLauncher(Launcher):
    """Fulfils the launcher's contract with runs that a test plays.

    A test gives `on_launch` (called with each new run: it may print and end it at once), or waits for a run with
    `started` and plays it from outside. A stop ends a run by SIGTERM unless the run's `on_stop` says otherwise (None:
    it ignores the stop). `fail` makes launches fail. The object stands for the machine: hand the same one to the next
    server, and that server finds the runs again. `at_ms`: the time that chunks carry; by default it counts 1, 2, 3…
    """

    name = "fake"

    def __init__(
        self, on_launch: Callable[[FakeRun], None] | None = None, *, at_ms: Callable[[], int] | None = None
    ) -> None:
        self.runs: dict[str, FakeRun] = {}
        self.launches: list[LaunchRequest] = []
        self.usage: dict[str, RunStats] = {}
        self.closed = False
        self._on_launch = on_launch
        self._at_ms = at_ms or iter(range(1, 1 << 62)).__next__
        self._failures: list[LaunchError] = []
        self._launched = asyncio.Event()

    def fail(self, error: LaunchError | str = "the test says so") -> None:
        """The next launch raises this; called again, so does the one after it."""
        if isinstance(error, str):
            error = LaunchError(Code.START_FAILED, Reason.LAUNCH_FAILED, error)
        self._failures.append(error)

    async def started(self, job_id: str | None = None) -> FakeRun:
        """Waits for the run of this job (None: for any that has not ended), and returns it."""
        while True:
            for run in self.runs.values():
                if run.request.job_id == job_id or (job_id is None and run.exit is None):
                    return run
            await self._launched.wait()

    async def launch(self, request: LaunchRequest) -> Handle:
        """See `Launcher.launch`. `launches` counts every call, `runs` holds what came of them."""
        self.launches.append(request)
        handle = {"run": request.job_id}
        if request.job_id in self.runs:
            return handle
        if self._failures:
            raise self._failures.pop(0)
        run = self.runs[request.job_id] = FakeRun(request, self._at_ms)
        if self._on_launch:
            self._on_launch(run)
        self._launched.set()
        self._launched = asyncio.Event()
        return handle

    def logs(self, handle: Handle, position: int) -> AsyncIterator[Sequence[Chunk]]:
        """See `Launcher.logs`. An empty batch comes only where the test plays a `pause`."""
        return self._run(handle)._follow(position)

    async def wait(self, handle: Handle) -> Exit:
        """See `Launcher.wait`."""
        return await self._run(handle)._ended()

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """See `Launcher.stop`."""
        self._run(handle)._stop(grace_s)

    async def adopt(self) -> Mapping[str, Handle]:
        """See `Launcher.adopt`: the runs that were not released."""
        return {job_id: {"run": job_id} for job_id, run in self.runs.items() if not run.released}

    async def stats(self, handles: Mapping[str, Handle]) -> Mapping[str, RunStats]:
        """See `Launcher.stats`: what the test put into `usage`, and zeros elsewhere."""
        return {
            job_id: self.usage.get(job_id, RunStats(job_id, 0.0, 1 << 30, 0))
            for job_id, handle in handles.items()
            if self._run(handle).exit is None
        }

    async def release(self, handle: Handle) -> None:
        """See `Launcher.release`."""
        self._run(handle)._release()

    async def close(self) -> None:
        """See `Launcher.close`."""
        self.closed = True

    def _run(self, handle: Handle) -> FakeRun:
        return self.runs[str(handle["run"])]
