"""What the monitor knows of GPUs: values, and the seam behind which a vendor's library stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from k12ai_ws.wire.bodies import Json


@dataclass(frozen=True, slots=True)
class GpuStats:
    """One GPU: percent 0..100, memory in bytes. What its driver does not tell is None, and left out of the answer.

    `uuid` is the driver's own name for the device, the same after a restart; `index` is its number among those that
    the driver sees now, as nvidia-smi counts. `problem` is what went wrong while it was read: it may be failing.
    """

    name: str | None = None
    percent: float | None = None
    memory_total: int | None = None
    memory_usage: int | None = None
    uuid: str | None = None
    index: int = 0
    problem: str | None = None

    def fields(self) -> dict[str, Json]:
        """One entry of `gpus`, as the contract names it, and which device it is."""
        share = (
            100.0 * self.memory_usage / self.memory_total
            if self.memory_total and self.memory_usage is not None
            else None
        )
        known = {
            "name": self.name,
            "gpu_percent": self.percent,
            "gpu_memory_total": self.memory_total,
            "gpu_memory_usage": self.memory_usage,
            "gpu_memory_percent": None if share is None else round(share, 1),
            "uuid": self.uuid,
            "index": self.index,
        }
        return {key: value for key, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process's part of one GPU: bytes of its memory, percent of its time (0..100); None where not told."""

    gpu: int
    pid: int
    memory_usage: int | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class GpuReading:
    """The GPUs now, and who uses them.

    `absence` says why there is no GPU to show (no library, no driver, no device): a state of the machine, not a
    fault. `problems` are faults: a device that does not answer, a driver that was lost.
    """

    gpus: tuple[GpuStats, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    absence: str | None = None
    problems: tuple[str, ...] = ()

    def used_by(self, pids: Iterable[int]) -> dict[str, Json]:
        """`gpu_percent` and `gpu_memory_usage` of these processes together, each where it is known.

        Memory is the sum over all GPUs; the percentage is the mean over the GPUs that these processes use.
        """
        wanted = set(pids)
        mine = [process for process in self.processes if process.pid in wanted]
        # By process first: a GPU that is cut into instances (MIG) lists a process once in each.
        told = {(each.gpu, each.pid): each.percent for each in mine if each.percent is not None}
        busy: dict[int, float] = {}
        for (gpu, _), percent in told.items():
            busy[gpu] = busy.get(gpu, 0.0) + percent
        memory = [process.memory_usage for process in mine if process.memory_usage is not None]
        out: dict[str, Json] = {}
        if busy:
            out["gpu_percent"] = round(sum(min(100.0, each) for each in busy.values()) / len(busy), 1)
        if memory:
            out["gpu_memory_usage"] = sum(memory)
        return out


class GpuReader(Protocol):
    """Reads the GPUs. Blocking, and never called by two threads at once."""

    def read(self) -> GpuReading:
        """The GPUs now; absence and failing devices are in the reading, not raised."""

    def close(self) -> None:
        """Gives the vendor's library back."""
