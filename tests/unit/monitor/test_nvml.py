# ruff: noqa: N802, N803, N815 - the names are NVML's own
"""NVML's ways of failing, with a fake driver behind pynvml's own exception classes."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from k12ai_ws.monitor.gpus import GpuProcess, GpuStats
from k12ai_ws.monitor.nvml import NvmlReader

GIB = 1 << 30
NOT_SUPPORTED = pynvml.NVML_ERROR_NOT_SUPPORTED
LOST = pynvml.NVML_ERROR_GPU_IS_LOST


@dataclass
class Device:
    """One fake GPU. `fails` names the calls that fail, with the NVML error each gives."""

    name: Any = "NVIDIA H200"
    gpu: int = 37
    total: int = 140 * GIB
    used: int = 35 * GIB
    running: list[tuple[int, int | None]] = field(default_factory=list)
    samples: list[tuple[int, int, int]] = field(default_factory=list)
    fails: dict[str, int] = field(default_factory=dict)


class FakeNvml:
    """A driver with the given devices; its exceptions are the real ones."""

    NVML_SUCCESS = pynvml.NVML_SUCCESS
    nvmlMemory_v2 = pynvml.nvmlMemory_v2

    def __init__(self, *devices: Device) -> None:
        self.devices = list(devices)
        self.fails: dict[str, int] = {}
        self.loads = self.inits = self.shutdowns = 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("NVMLError"):
            return getattr(pynvml, name)
        raise AttributeError(name)

    def load(self) -> Any:
        self.loads += 1
        return self

    def _check(self, fails: dict[str, int], call: str) -> None:
        if call in fails:
            raise pynvml.NVMLError(fails[call])

    def nvmlInit(self) -> None:
        self._check(self.fails, "init")
        self.inits += 1

    def nvmlShutdown(self) -> None:
        self._check(self.fails, "shutdown")
        self.shutdowns += 1

    def nvmlDeviceGetCount(self) -> int:
        self._check(self.fails, "count")
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Device:
        self._check(self.devices[index].fails, "handle")
        return self.devices[index]

    def nvmlDeviceGetName(self, handle: Device) -> Any:
        self._check(handle.fails, "name")
        return handle.name

    def nvmlDeviceGetUUID(self, handle: Device) -> str:
        self._check(handle.fails, "uuid")
        return f"GPU-{self.devices.index(handle)}"

    def nvmlDeviceGetUtilizationRates(self, handle: Device) -> Any:
        self._check(handle.fails, "rates")
        return SimpleNamespace(gpu=handle.gpu, memory=1)

    def nvmlDeviceGetMemoryInfo(self, handle: Device, version: int | None = None) -> Any:
        self._check(handle.fails, "memory")
        if version is None:  # the first version counts the driver's own share as used
            return SimpleNamespace(total=handle.total, used=handle.used + GIB)
        self._check(handle.fails, "memory_v2")
        return SimpleNamespace(total=handle.total, used=handle.used, reserved=GIB)

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle: Device) -> list[Any]:
        self._check(handle.fails, "processes")
        return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in handle.running]

    def nvmlDeviceGetComputeRunningProcesses_v2(self, handle: Device) -> list[Any]:
        self._check(handle.fails, "processes_v2")
        return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in handle.running]

    def nvmlDeviceGetProcessUtilization(self, handle: Device, timeStamp: int) -> list[Any]:
        self._check(handle.fails, "samples")
        return [SimpleNamespace(pid=pid, timeStamp=at, smUtil=used) for pid, at, used in handle.samples]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def reader(nvml: FakeNvml, clock: Clock | None = None) -> NvmlReader:
    return NvmlReader(load=nvml.load, clock=clock or Clock(), retry_s=30.0)


def test_the_fields_of_a_gpu() -> None:
    (gpu,) = reader(FakeNvml(Device())).read().gpus
    assert gpu.fields() == {
        "name": "NVIDIA H200",
        "gpu_percent": 37.0,
        "gpu_memory_total": 140 * GIB,
        "gpu_memory_usage": 35 * GIB,
        "gpu_memory_percent": 25.0,
        "uuid": "GPU-0",
        "index": 0,
    }


def test_nvml_is_started_once_and_given_back() -> None:
    nvml = FakeNvml(Device())
    monitor = reader(nvml)
    for _ in range(3):
        monitor.read()
    assert (nvml.loads, nvml.inits, nvml.shutdowns) == (1, 1, 0)
    monitor.close()
    monitor.close()
    assert nvml.shutdowns == 1


@pytest.mark.parametrize(
    ("call", "missing"),
    [
        ("name", {"name"}),
        ("uuid", {"uuid"}),
        ("rates", {"gpu_percent"}),
        ("memory", {"gpu_memory_total", "gpu_memory_usage", "gpu_memory_percent"}),
        ("processes", set()),
    ],
)
def test_a_field_that_is_not_supported_is_left_out(call: str, missing: set[str]) -> None:
    whole = GpuStats("x", 1.0, 2, 1, "u").fields().keys()
    reading = reader(FakeNvml(Device(fails={call: NOT_SUPPORTED}))).read()
    assert reading.gpus[0].fields().keys() == whole - missing
    assert reading.problems == ()


def test_an_old_driver_gives_memory_as_it_can() -> None:
    (gpu,) = reader(FakeNvml(Device(fails={"memory_v2": pynvml.NVML_ERROR_FUNCTION_NOT_FOUND}))).read().gpus
    assert gpu.memory_usage == 36 * GIB


def test_an_old_driver_names_processes_as_it_can() -> None:
    old = Device(running=[(10, GIB)], fails={"processes": pynvml.NVML_ERROR_FUNCTION_NOT_FOUND})
    assert reader(FakeNvml(old)).read().processes == (GpuProcess(0, 10, GIB, None),)


@pytest.mark.parametrize("error", [pynvml.NVML_SUCCESS, pynvml.NVML_ERROR_INSUFFICIENT_SIZE])
def test_no_sample_or_one_too_many_is_no_fault(error: int) -> None:
    reading = reader(FakeNvml(Device(running=[(10, GIB)], fails={"samples": error}))).read()
    assert (reading.processes, reading.problems) == ((GpuProcess(0, 10, GIB, None),), ())


def test_a_device_that_fails_while_it_is_read_says_so() -> None:
    (gpu,) = reader(FakeNvml(Device(fails={"rates": LOST}))).read().gpus
    assert (gpu.uuid, gpu.percent, gpu.problem) == ("GPU-0", None, "GPU 0: GPU is lost")


def test_a_name_in_bytes_is_text() -> None:
    assert reader(FakeNvml(Device(name=b"Tesla K80"))).read().gpus[0].name == "Tesla K80"


@pytest.mark.parametrize("call", ["handle", "name", "uuid", "rates", "memory", "processes"])
def test_a_failing_device_does_not_hide_the_others(call: str) -> None:
    reading = reader(FakeNvml(Device(name="A"), Device(name="B", fails={call: LOST}), Device(name="C"))).read()
    names = [gpu.name for gpu in reading.gpus]
    assert names[0] == "A"
    assert names[-1] == "C"
    assert reading.problems == ("GPU 1: GPU is lost",)
    assert [gpu.index for gpu in reading.gpus if gpu.problem] == ([] if call == "handle" else [1])
    assert ("B" in names) == (call in {"uuid", "rates", "memory", "processes"})


def test_processes_with_their_memory_and_newest_use() -> None:
    busy = Device(running=[(10, 3 * GIB), (11, None)], samples=[(10, 200, 60), (10, 100, 90), (99, 300, 5)])
    idle = Device(running=[(10, GIB)], fails={"samples": pynvml.NVML_ERROR_NOT_FOUND})
    reading = reader(FakeNvml(busy, idle)).read()
    assert reading.processes == (
        GpuProcess(0, 10, 3 * GIB, 60.0),
        GpuProcess(0, 11, None, None),
        GpuProcess(1, 10, GIB, None),
    )
    assert reading.used_by([10, 12]) == {"gpu_percent": 60.0, "gpu_memory_usage": 4 * GIB}
    assert reading.used_by([11]) == {}
    assert reading.problems == ()


def test_no_package_is_a_state() -> None:
    def load() -> Any:
        raise ModuleNotFoundError("No module named 'pynvml'")

    reading = NvmlReader(load=load).read()
    assert (reading.gpus, reading.problems) == ((), ())
    assert "nvidia-ml-py is not installed" in str(reading.absence)


@pytest.mark.parametrize("error", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED])
def test_no_driver_is_a_state_and_is_looked_for_again_later(error: int) -> None:
    nvml, clock = FakeNvml(Device()), Clock()
    nvml.fails["init"] = error
    monitor = reader(nvml, clock)
    first = monitor.read()
    assert (first.gpus, first.problems) == ((), ())
    assert "no NVIDIA driver" in str(first.absence)
    clock.now = 29.0
    assert monitor.read() == first
    assert nvml.loads == 1
    nvml.fails.clear()
    clock.now = 30.0
    assert [gpu.name for gpu in monitor.read().gpus] == ["NVIDIA H200"]


def test_a_driver_that_does_not_start_is_a_problem() -> None:
    nvml = FakeNvml(Device())
    nvml.fails["init"] = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    reading = reader(nvml).read()
    assert reading.gpus == ()
    assert "does not start" in reading.problems[0]


def test_no_gpu_is_a_state() -> None:
    reading = reader(FakeNvml()).read()
    assert (reading.gpus, reading.problems) == ((), ())
    assert reading.absence == "the NVIDIA driver sees no GPU"


@pytest.mark.parametrize("how", ["count", "devices"])
def test_a_driver_lost_at_run_time_comes_back(how: str) -> None:
    nvml, clock = FakeNvml(Device()), Clock()
    monitor = reader(nvml, clock)
    assert monitor.read().gpus
    if how == "count":
        nvml.fails = dict.fromkeys(("count", "shutdown", "init"), pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
    else:
        nvml.devices[0].fails = {"handle": pynvml.NVML_ERROR_UNKNOWN}
        nvml.fails = {"init": pynvml.NVML_ERROR_DRIVER_NOT_LOADED}
    lost = monitor.read()
    assert lost.gpus == ()
    assert lost.absence
    assert len(lost.problems) == 1
    clock.now = 30.0
    still = monitor.read()
    assert still.gpus == ()
    assert "lost" in still.problems[0]
    nvml.fails.clear()
    nvml.devices[0].fails.clear()
    clock.now = 59.0
    assert monitor.read() == still
    clock.now = 60.0
    assert monitor.read().gpus
    assert nvml.inits == 2


def test_this_machine() -> None:
    monitor = NvmlReader()
    reading = monitor.read()
    monitor.close()
    assert bool(reading.gpus) != bool(reading.absence)
