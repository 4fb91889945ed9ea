"""A launcher that counts its calls, its failures, and what it reads of logs; all else is the launcher's within."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping, Sequence
from typing import TypeVar

from k12ai_ws.drivers.spec import LaunchSpec, Resources
from k12ai_ws.launchers.launcher import Capacity, Chunk, Handle, Launcher, LaunchRequest, RunStats
from k12ai_ws.wire.job import Exit

from .counted import Counted

T = TypeVar("T")


class CountedLauncher(Launcher):
    """Does what `within` does. A call that is cancelled has not failed."""

    def __init__(self, within: Launcher, counted: Counted) -> None:
        self.name = within.name
        self._within = within
        self._counted = counted

    async def check(self, spec: LaunchSpec) -> Resources:
        """See Launcher. A spec that the policy refuses is no failure of the launcher."""
        return await self._within.check(spec)

    async def capacity(self) -> Capacity:
        """See Launcher."""
        return await self._call("capacity", self._within.capacity())

    async def launch(self, request: LaunchRequest) -> Handle:
        """See Launcher."""
        return await self._call("launch", self._within.launch(request))

    async def logs(self, handle: Handle, position: int) -> AsyncIterator[Sequence[Chunk]]:
        """See Launcher."""
        self._counted.launcher_calls.labels("logs").inc()
        inner = self._within.logs(handle, position)
        try:
            async for chunks in inner:
                if chunks:
                    self._counted.log_bytes.inc(sum(len(chunk.data) for chunk in chunks))
                    self._counted.log_lines.inc(sum(chunk.data.count(b"\n") for chunk in chunks))
                yield chunks
        except Exception:
            self._counted.launcher_errors.labels("logs").inc()
            raise
        finally:
            if isinstance(inner, AsyncGenerator):  # ended here and now, not whenever it is found unused
                await inner.aclose()

    async def wait(self, handle: Handle) -> Exit:
        """See Launcher."""
        return await self._call("wait", self._within.wait(handle))

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """See Launcher."""
        await self._call("stop", self._within.stop(handle, grace_s))

    async def adopt(self) -> Mapping[str, Handle]:
        """See Launcher."""
        return await self._call("adopt", self._within.adopt())

    async def stats(self, handles: Mapping[str, Handle]) -> Mapping[str, RunStats]:
        """See Launcher."""
        return await self._call("stats", self._within.stats(handles))

    async def release(self, handle: Handle) -> None:
        """See Launcher."""
        await self._call("release", self._within.release(handle))

    async def close(self) -> None:
        """See Launcher."""
        await self._within.close()

    async def _call(self, name: str, work: Awaitable[T]) -> T:
        self._counted.launcher_calls.labels(name).inc()
        try:
            return await work
        except Exception:
            self._counted.launcher_errors.labels(name).inc()
            raise
