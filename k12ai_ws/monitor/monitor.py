"""The host's statistics: one cached sampler for everyone who asks, off the event loop."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from k12ai_ws.wire.bodies import Json

from .cpus import CpuReader, CpuStats
from .disks import DiskReader, DiskReading
from .gpus import GpuReader, GpuReading
from .items import HOST_ITEMS, Item
from .lane import Lane, Sample, in_daemon_thread

LAST_S = 60.0
"""A sample that is older says nothing of now."""


@dataclass(frozen=True, slots=True)
class HostStats:
    """A snapshot of the host. An item that was not asked for is None; a sample may be old, and then says so."""

    cpus: Sample[CpuStats] | None = None
    gpus: Sample[GpuReading] | None = None
    disks: Sample[DiskReading] | None = None

    @property
    def gpu_reading(self) -> GpuReading:
        """The GPUs and their processes; empty where they were not asked for or could not be read."""
        return (self.gpus.value if self.gpus else None) or GpuReading()

    def info(self, items: Collection[Item] = HOST_ITEMS) -> dict[str, Json]:
        """The host's part of the answer: the fields of `cpus`, `gpus` and `disks`, of those in `items`.

        Where something is amiss there is also `problems`: `[{item, message, stale?, age_s?}]`; `stale` marks an item
        whose fields are those of `age_s` seconds ago, because it could not be read since.
        """
        out: dict[str, Json] = {}
        problems: list[dict[str, Json]] = []
        if self.cpus and "cpus" in items:
            out |= self.cpus.value.fields() if self.cpus.value else {}
            problems += _problems("cpus", self.cpus, ())
        if self.gpus and "gpus" in items:
            out["gpus"] = [gpu.fields() for gpu in self.gpus.value.gpus] if self.gpus.value else []
            problems += _problems("gpus", self.gpus, self.gpus.value.problems if self.gpus.value else ())
        if self.disks and "disks" in items:
            out["disks"] = [disk.fields() for disk in self.disks.value.disks] if self.disks.value else []
            problems += _problems("disks", self.disks, self.disks.value.problems if self.disks.value else ())
        return out | ({"problems": problems} if problems else {})


def _problems(item: Item, sample: Sample[Any], found: Sequence[str]) -> list[dict[str, Json]]:
    out: list[dict[str, Json]] = [{"item": item, "message": message} for message in found]
    if sample.problem:
        stale = {} if sample.age_s is None else {"stale": True, "age_s": round(sample.age_s, 1)}
        out.insert(0, {"item": item, "message": sample.problem} | stale)
    return out


class Monitor:
    """Samples only while someone asks, each item at most once per `interval_s` seconds, in at most three threads.

    An item that hangs or fails does not touch the others: its last sample is given, with the reason, after
    `timeout_s` at most.
    """

    def __init__(
        self,
        *,
        disks: Sequence[Path],
        gpus: GpuReader,
        interval_s: float = 1.0,
        timeout_s: float = 2.0,
        cpus: CpuReader | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        def lane(name: str, read: Callable[[], Any]) -> Lane[Any]:
            return Lane(name, read, max_age_s=interval_s, timeout_s=timeout_s, clock=clock)

        self._gpu_reader = gpus
        self._timeout_s = timeout_s
        self._cpus: Lane[CpuStats] = lane("cpus", (cpus or CpuReader()).read)
        self._gpus: Lane[GpuReading] = lane("gpus", gpus.read)
        self._disks: Lane[DiskReading] = lane("disks", DiskReader(disks).read)
        self._closed = False

    async def start(self) -> None:
        """Starts the first readings and does not wait for them: a GPU driver may take seconds to wake up."""
        for lane in (self._cpus, self._gpus, self._disks):
            lane.begin()

    async def snapshot(self, items: Collection[Item] = HOST_ITEMS) -> HostStats:
        """The host now: the cached samples, or new ones where they are older than the interval.

        Only what is in `items` is read. Never blocks the loop. Raises RuntimeError after `close`.
        """
        if self._closed:
            raise RuntimeError("the monitor is closed: take snapshots before close()")
        cpus, gpus, disks = await asyncio.gather(
            _sample(self._cpus, "cpus" in items),
            _sample(self._gpus, "gpus" in items),
            _sample(self._disks, "disks" in items),
        )
        return HostStats(cpus, gpus, disks)

    def last(self, max_age_s: float = LAST_S) -> HostStats:
        """The newest samples that somebody had asked for, where they are not older than `max_age_s` seconds."""

        def of(lane: Lane[Any]) -> Sample[Any] | None:
            sample = lane.last()
            return sample if sample.age_s is not None and sample.age_s <= max_age_s else None

        return HostStats(of(self._cpus), of(self._gpus), of(self._disks))

    async def close(self) -> None:
        """Waits for readings under way (`timeout_s` at most) and gives the GPU library back, unless it hangs."""
        if self._closed:
            return
        self._closed = True
        _, gpus_idle, _ = await asyncio.gather(self._cpus.close(), self._gpus.close(), self._disks.close())
        if gpus_idle:
            await asyncio.wait({in_daemon_thread(self._gpu_reader.close, "monitor-close")}, timeout=self._timeout_s)


async def _sample(lane: Lane[Any], wanted: bool) -> Sample[Any] | None:
    return await lane.sample() if wanted else None
