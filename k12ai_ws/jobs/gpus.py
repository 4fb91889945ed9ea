"""The pool of GPUs: whole devices, leased to one job at a time, by UUID."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from k12ai_ws.monitor.gpus import GpuReading, GpuStats
from k12ai_ws.monitor.monitor import Monitor

Inventory = Callable[[], Awaitable[GpuReading]]
"""Reads the GPUs now. A reading without GPUs and without `absence` says that they could not be read."""

log = logging.getLogger(__name__)


def monitored(monitor: Monitor) -> Inventory:
    """The inventory that the host's monitor gives. A sample that is not fresh counts as none: a GPU that does not
    answer is not leased.
    """

    async def read() -> GpuReading:
        sample = (await monitor.snapshot({"gpus"})).gpus
        if sample is None or sample.value is None or sample.problem:
            return GpuReading(problems=((sample and sample.problem) or "they were not read yet",))
        return sample.value

    return read


class GpuPool:
    """Who holds which GPU. Without an inventory there is no GPU to lease.

    A GPU is named by its UUID, or by its index where its driver tells none. Only one that answered at the last
    `refresh`, with nothing wrong, is leased. One that was seen before and does not answer now still counts as there:
    who asks for it waits.
    """

    def __init__(self, inventory: Inventory | None = None) -> None:
        self._inventory = inventory
        self._known: dict[str, None] = {}
        self._present: Sequence[str] = ()
        self._leases: dict[str, tuple[str, ...]] = {}
        self._absence = "this server looks for none"
        self.unknown: str | None = "they were not looked for yet" if inventory else None
        """Why nobody knows which GPUs there are; None where it is known."""

    @property
    def known(self) -> int:
        """How many there are, those that do not answer now among them."""
        return len(self._known)

    @property
    def answering(self) -> int:
        """How many answered at the last `refresh`, with nothing wrong; whoever holds them."""
        return len(self._present)

    @property
    def free(self) -> Sequence[str]:
        """Those that answer and that nobody holds."""
        held = {gpu for lease in self._leases.values() for gpu in lease}
        return [gpu for gpu in self._present if gpu not in held]

    @property
    def absence(self) -> str:
        """Why there is none."""
        return self._absence

    async def refresh(self) -> None:
        """Looks which GPUs there are. One that fails, or all of them, is not an error: it is not leased."""
        if self._inventory is None:
            return
        try:
            reading = await self._inventory()
        except Exception as e:  # whatever reads the GPUs: jobs without GPUs must not fail of it
            log.exception("reading the GPUs failed")
            reading = GpuReading(problems=(f"{type(e).__name__}: {e}",))
        # One that fails may have lost its UUID too: by its index it would count twice.
        self._known |= dict.fromkeys(_name(gpu) for gpu in reading.gpus if gpu.uuid or not gpu.problem)
        self._present = [_name(gpu) for gpu in reading.gpus if not gpu.problem]
        said = "; ".join(reading.problems)
        self._absence = reading.absence or said or "no GPU was found"
        unread = not reading.gpus and reading.absence is None
        self.unknown = f"the GPUs cannot be read now: {said or 'no answer'}" if unread else None

    def lease(self, job_id: str, count: int) -> tuple[str, ...]:
        """So many free GPUs are the job's until `release`. Raises ValueError where fewer are free."""
        free = self.free
        if count > len(free):
            raise ValueError(f"job {job_id} asks for {count} GPUs, and {len(free)} are free: admit it later")
        if count:
            self._leases[job_id] = tuple(free[:count])
        return self.held(job_id)

    def resume(self, job_id: str, gpus: Sequence[str]) -> None:
        """The job holds these since before the restart, whether they answer or not."""
        if gpus:
            self._leases[job_id] = tuple(gpus)
            self._known |= dict.fromkeys(gpus)

    def held(self, job_id: str) -> tuple[str, ...]:
        """The GPUs of the job."""
        return self._leases.get(job_id, ())

    def release(self, job_id: str) -> None:
        """The job's run is dead: its GPUs are free."""
        self._leases.pop(job_id, None)


def _name(gpu: GpuStats) -> str:
    return gpu.uuid or str(gpu.index)
