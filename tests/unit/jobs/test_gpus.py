"""The pool of GPUs: exclusive, whole, only what answers."""

import pytest

from k12ai_ws.jobs.gpus import GpuPool, monitored
from k12ai_ws.monitor.gpus import GpuReading, GpuStats
from k12ai_ws.monitor.monitor import Monitor


class Machine:
    def __init__(self, *uuids: str | None) -> None:
        self.reading = GpuReading(tuple(GpuStats(uuid=u, index=i) for i, u in enumerate(uuids)))

    async def __call__(self) -> GpuReading:
        return self.reading


async def pool(*uuids: str | None) -> GpuPool:
    made = GpuPool(Machine(*uuids))
    await made.refresh()
    return made


async def test_a_lease_is_exclusive_until_it_is_released() -> None:
    gpus = await pool("GPU-a", "GPU-b", "GPU-c")
    assert gpus.lease("one", 2) == ("GPU-a", "GPU-b")
    assert gpus.lease("two", 1) == ("GPU-c",)
    with pytest.raises(ValueError, match=r"job three asks for 1 GPUs, and 0 are free"):
        gpus.lease("three", 1)
    gpus.release("one")
    assert (list(gpus.free), gpus.held("one"), gpus.held("two")) == (["GPU-a", "GPU-b"], (), ("GPU-c",))


async def test_a_job_without_gpus_holds_none() -> None:
    gpus = await pool("GPU-a")
    assert gpus.lease("one", 0) == ()
    gpus.release("one")
    assert list(gpus.free) == ["GPU-a"]


async def test_a_gpu_without_a_uuid_is_named_by_its_index() -> None:
    assert list((await pool("GPU-a", None)).free) == ["GPU-a", "1"]


async def test_one_that_fails_is_not_leased_but_counts_as_there() -> None:
    machine = Machine("GPU-a", "GPU-b")
    gpus = GpuPool(machine)
    await gpus.refresh()
    machine.reading = GpuReading((GpuStats(uuid="GPU-b", index=1),), problems=("GPU 0: GPU is lost",))
    await gpus.refresh()
    assert (gpus.known, list(gpus.free), gpus.unknown) == (2, ["GPU-b"], None)
    gpus.lease("one", 1)
    assert (gpus.answering, list(gpus.free)) == (1, [])


async def test_one_with_a_problem_is_not_leased() -> None:
    machine = Machine("GPU-a", "GPU-b")
    gpus = GpuPool(machine)
    await gpus.refresh()
    machine.reading = GpuReading(
        (
            GpuStats(uuid="GPU-a", index=0, problem="GPU 0: reset required"),
            GpuStats(uuid=None, index=1, problem="GPU 1: GPU is lost"),
        )
    )
    await gpus.refresh()
    assert (gpus.known, list(gpus.free), gpus.unknown) == (2, [], None)


async def test_why_there_is_none_where_all_fail_from_the_start() -> None:
    machine = Machine()
    machine.reading = GpuReading((GpuStats(index=0, problem="GPU 0: lost"),), problems=("GPU 0: lost",))
    gpus = GpuPool(machine)
    await gpus.refresh()
    assert (gpus.known, gpus.absence) == (0, "GPU 0: lost")


async def test_what_a_job_holds_since_before_the_restart_is_not_leased() -> None:
    gpus = await pool("GPU-a", "GPU-b")
    gpus.resume("old", ["GPU-a"])
    assert list(gpus.free) == ["GPU-b"]
    gpus.resume("older", ["GPU-gone"])
    assert gpus.known == 3


async def test_absence_is_a_state_and_silence_is_not_absence() -> None:
    machine = Machine()
    gpus = GpuPool(machine)
    assert gpus.unknown
    machine.reading = GpuReading(absence="no NVIDIA driver")
    await gpus.refresh()
    assert (gpus.unknown, gpus.absence, gpus.known) == (None, "no NVIDIA driver", 0)
    machine.reading = GpuReading(problems=("no answer for 2.0 s",))
    await gpus.refresh()
    assert gpus.unknown == "the GPUs cannot be read now: no answer for 2.0 s"


async def test_an_inventory_that_raises_is_no_gpu(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> GpuReading:
        raise RuntimeError("the monitor is closed")

    gpus = GpuPool(broken)
    await gpus.refresh()
    assert "RuntimeError: the monitor is closed" in (gpus.unknown or "")
    assert "reading the GPUs failed" in caplog.text


async def test_without_an_inventory_there_is_none() -> None:
    gpus = GpuPool()
    await gpus.refresh()
    assert (gpus.known, gpus.unknown, list(gpus.free)) == (0, None, [])


class Reader:
    def __init__(self, *readings: GpuReading | Exception) -> None:
        self.readings = list(readings)

    def read(self) -> GpuReading:
        found = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        pass


async def test_the_monitors_reading_and_its_silence() -> None:
    good = GpuReading((GpuStats(uuid="GPU-a", index=0),))
    monitor = Monitor(disks=[], gpus=Reader(good, OSError("the driver hangs")), interval_s=0.0)
    try:
        inventory = monitored(monitor)
        assert await inventory() == good
        stale = await inventory()
        assert (stale.gpus, stale.absence) == ((), None), "what was true a while ago is not leased"
        assert "the driver hangs" in stale.problems[0]
    finally:
        await monitor.close()
