"""NVIDIA's GPUs, through NVML (`pynvml`, of the distribution nvidia-ml-py).

Any field may be missing (a MIG device tells no use, an old driver no second version of a call), a device can fall off
the bus while the others go on, and the driver can be unloaded under a running server. NVML's own reference says which
call gives which error: https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
"""

import contextlib
import importlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar, cast

from .gpus import GpuProcess, GpuReading, GpuStats

T = TypeVar("T")

RETRY_S = 30.0
"""How long an absent or lost driver is left alone before it is tried again: looking for it costs milliseconds."""


class Nvml(Protocol):
    """The part of `pynvml` that is used."""

    NVMLError: type[Exception]
    NVMLError_NotSupported: type[Exception]
    NVMLError_FunctionNotFound: type[Exception]
    NVMLError_NotFound: type[Exception]
    NVMLError_NoPermission: type[Exception]
    NVMLError_InsufficientSize: type[Exception]
    NVMLError_ArgumentVersionMismatch: type[Exception]
    NVMLError_LibraryNotFound: type[Exception]
    NVMLError_DriverNotLoaded: type[Exception]
    NVML_SUCCESS: int
    nvmlMemory_v2: int  # noqa: N815

    def nvmlInit(self) -> None: ...  # noqa: N802, D102
    def nvmlShutdown(self) -> None: ...  # noqa: N802, D102
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802, D102
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetName(self, handle: Any) -> str | bytes: ...  # noqa: N802, D102
    def nvmlDeviceGetUUID(self, handle: Any) -> str | bytes: ...  # noqa: N802, D102
    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetMemoryInfo(self, handle: Any, version: int | None = None) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle: Any) -> list[Any]: ...  # noqa: N802, D102
    def nvmlDeviceGetComputeRunningProcesses_v2(self, handle: Any) -> list[Any]: ...  # noqa: N802, D102
    def nvmlDeviceGetProcessUtilization(self, handle: Any, timeStamp: int) -> list[Any]: ...  # noqa: N802, N803, D102


def load_pynvml() -> Nvml:
    """The real library. Raises ImportError where the package is not installed."""
    return cast("Nvml", importlib.import_module("pynvml"))


class NvmlReader:
    """A `GpuReader` on NVML. Loads and initialises it once, on first use; tries again later where that fails."""

    def __init__(
        self,
        *,
        load: Callable[[], Nvml] = load_pynvml,
        retry_s: float = RETRY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._retry_s = retry_s
        self._clock = clock
        self._nvml: Nvml | None = None
        self._seen = False
        self._away: tuple[float, GpuReading] | None = None

    def read(self) -> GpuReading:
        """The GPUs now. Takes milliseconds; the first time, and where the driver must wake up, seconds."""
        if self._away and self._clock() < self._away[0]:
            return self._away[1]
        if self._nvml is None:
            try:
                self._nvml = self._begin()
            except _Away as why:
                return self._leave(why.reading)
        try:
            count = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError as error:
            self.close()
            return self._leave(_faulty("the NVIDIA driver was lost", error))
        self._seen = self._seen or count > 0
        if not count:
            return GpuReading(absence="the NVIDIA driver sees no GPU")
        reading = self._devices(self._nvml, count)
        if not reading.gpus:  # a driver that was unloaded may still count its devices, and needs a new start
            self.close()
            return self._leave(replace(reading, absence="no GPU answers"))
        return reading

    def close(self) -> None:
        """Gives NVML back. A later `read` starts it again."""
        nvml, self._nvml, self._away = self._nvml, None, None
        if nvml is not None:
            with contextlib.suppress(nvml.NVMLError):  # a lost driver cannot be told goodbye
                nvml.nvmlShutdown()

    def _begin(self) -> Nvml:
        try:
            nvml = self._load()
        except ImportError as error:
            raise _Away(GpuReading(absence=f"the Python package nvidia-ml-py is not installed ({error})")) from error
        try:
            nvml.nvmlInit()
        except (nvml.NVMLError_LibraryNotFound, nvml.NVMLError_DriverNotLoaded) as error:
            if self._seen:  # there were GPUs before: this is no machine without them
                raise _Away(_faulty("the NVIDIA driver was lost", error)) from error
            raise _Away(GpuReading(absence=f"no NVIDIA driver ({error})")) from error
        except nvml.NVMLError as error:
            raise _Away(_faulty("the NVIDIA driver does not start", error)) from error
        return nvml

    def _leave(self, reading: GpuReading) -> GpuReading:
        self._away = (self._clock() + self._retry_s, reading)
        return reading

    @staticmethod
    def _devices(nvml: Nvml, count: int) -> GpuReading:
        devices = [_Device(nvml, index) for index in range(count)]
        processes = [process for device in devices for process in device.processes()]
        stats = [device.stats() for device in devices]  # last: it takes along what went wrong
        return GpuReading(
            gpus=tuple(each for each in stats if each is not None),
            processes=tuple(processes),
            problems=tuple(device.problem for device in devices if device.problem),
        )


class _Away(Exception):
    """NVML cannot be used: the reading that says why."""

    def __init__(self, reading: GpuReading) -> None:
        super().__init__(reading.absence)
        self.reading = reading


def _faulty(absence: str, error: Exception) -> GpuReading:
    return GpuReading(absence=f"{absence} ({error})", problems=(f"{absence}: {error}",))


class _Device:
    """One GPU for the time of one reading; remembers the first thing that went wrong with it."""

    def __init__(self, nvml: Nvml, index: int) -> None:
        self._nvml = nvml
        self._index = index
        self._untold = (
            nvml.NVMLError_NotSupported,
            nvml.NVMLError_FunctionNotFound,
            nvml.NVMLError_NotFound,
            nvml.NVMLError_NoPermission,
            nvml.NVMLError_ArgumentVersionMismatch,
            nvml.NVMLError_InsufficientSize,  # the list grew between the question how long it is and its reading
            UnicodeDecodeError,  # pynvml decodes names itself
        )
        self.problem: str | None = None
        self._handle = self._ask(lambda: nvml.nvmlDeviceGetHandleByIndex(index))

    def stats(self) -> GpuStats | None:
        """The device; None where it does not answer at all."""
        nvml, handle = self._nvml, self._handle
        if handle is None:
            return None
        name = self._ask(lambda: nvml.nvmlDeviceGetName(handle))
        uuid = self._ask(lambda: nvml.nvmlDeviceGetUUID(handle))
        rates = self._ask(lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        # The second version counts as nvidia-smi does: without what the driver keeps for itself.
        memory = self._ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2))
        memory = memory or self._ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        if (name or uuid or rates or memory) is None:
            return None
        return GpuStats(
            name=_text(name),
            percent=None if rates is None else float(rates.gpu),
            memory_total=None if memory is None else int(memory.total),
            memory_usage=None if memory is None else int(memory.used),
            uuid=_text(uuid),
            index=self._index,
            problem=self.problem,
        )

    def processes(self) -> list[GpuProcess]:
        nvml, handle = self._nvml, self._handle
        if handle is None:
            return []
        # By version: where the driver lacks the newest, pynvml's plain name raises what is no NVMLError.
        running = self._ask(lambda: nvml.nvmlDeviceGetComputeRunningProcesses_v3(handle))
        if running is None:  # drivers before 510 have the second version alone
            running = self._ask(lambda: nvml.nvmlDeviceGetComputeRunningProcesses_v2(handle)) or []
        # 0: every sample that the driver still holds, which is a few seconds' worth.
        samples = self._ask(lambda: nvml.nvmlDeviceGetProcessUtilization(handle, 0)) if running else None
        newest: dict[int, Any] = {}
        for sample in samples or []:
            if sample.pid not in newest or sample.timeStamp > newest[sample.pid].timeStamp:
                newest[sample.pid] = sample
        return [
            GpuProcess(
                gpu=self._index,
                pid=int(each.pid),
                memory_usage=None if each.usedGpuMemory is None else int(each.usedGpuMemory),
                percent=min(100.0, float(newest[each.pid].smUtil)) if each.pid in newest else None,
            )
            for each in running
        ]

    def _ask(self, call: Callable[[], T]) -> T | None:
        """The answer; None where the device does not tell, or fails (then `problem` says so)."""
        try:
            return call()
        except self._untold:
            return None
        except self._nvml.NVMLError as error:
            if getattr(error, "value", None) == self._nvml.NVML_SUCCESS:
                return None  # pynvml raises the driver's "Success" where there is not one sample
            self.problem = self.problem or f"GPU {self._index}: {error}"
            return None


def _text(told: str | bytes | None) -> str | None:
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else told
