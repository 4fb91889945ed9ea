"""The sampler: cached, shared, off the loop, and never held up by a reader that hangs or fails."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from k12ai_ws.monitor.gpus import GpuReading, GpuStats
from k12ai_ws.monitor.lane import Lane, in_daemon_thread
from k12ai_ws.monitor.monitor import HostStats, Monitor
from k12ai_ws.monitor.nvml import NvmlReader


class Gpus:
    """A reader that counts its readings, and can be told to hang or to fail."""

    def __init__(self) -> None:
        self.reads = self.closes = 0
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.error: Exception | None = None
        self.threads: set[int] = set()

    def read(self) -> GpuReading:
        self.reads += 1
        self.threads.add(threading.get_ident())
        self.entered.set()
        self.open.wait()
        if self.error:
            raise self.error
        return GpuReading(gpus=(GpuStats(name=f"gpu {self.reads}"),))

    def close(self) -> None:
        self.closes += 1


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def gpus() -> Iterator[Gpus]:
    reader = Gpus()
    yield reader
    reader.open.set()


@asynccontextmanager
async def running(gpus: Gpus, path: Path, **options: object) -> AsyncIterator[Monitor]:
    monitor = Monitor(disks=[path], gpus=gpus, **options)  # type: ignore[arg-type]
    try:
        yield monitor
    finally:
        gpus.open.set()
        await monitor.close()


def names(stats: HostStats) -> list[str]:
    return [gpu["name"] for gpu in stats.info()["gpus"]]


async def test_a_snapshot_of_this_machine(tmp_path: Path) -> None:
    monitor = Monitor(disks=[tmp_path], gpus=NvmlReader())
    await monitor.start()
    info = (await monitor.snapshot()).info()
    await monitor.close()
    assert len(info["cpu_percent_list"]) == psutil.cpu_count()
    assert info["cpu_memory_total"] == psutil.virtual_memory().total
    assert 0 < info["cpu_memory_percent"] < 100
    assert info["disks"][0]["path"] == str(tmp_path)
    assert isinstance(info["gpus"], list)
    assert "problems" not in info


async def test_askers_share_one_reading_and_its_result(gpus: Gpus, tmp_path: Path) -> None:
    async with running(gpus, tmp_path, clock=Clock()) as monitor:
        shots = await asyncio.gather(*(monitor.snapshot({"gpus"}) for _ in range(50)))
        assert gpus.reads == 1
        assert {names(shot)[0] for shot in shots} == {"gpu 1"}
        assert gpus.threads.isdisjoint({threading.get_ident()})


async def test_a_sample_is_taken_again_only_when_it_is_older_than_the_interval(gpus: Gpus, tmp_path: Path) -> None:
    clock = Clock()
    async with running(gpus, tmp_path, clock=clock, interval_s=1.0) as monitor:
        assert names(await monitor.snapshot({"gpus"})) == ["gpu 1"]
        clock.now += 0.99
        assert names(await monitor.snapshot({"gpus"})) == ["gpu 1"]
        clock.now += 0.01
        assert names(await monitor.snapshot({"gpus"})) == ["gpu 2"]


async def test_only_what_is_asked_for_is_read(gpus: Gpus, tmp_path: Path) -> None:
    async with running(gpus, tmp_path) as monitor:
        stats = await monitor.snapshot({"disks", "containers"})
        assert stats.info().keys() == {"disks"}
        assert gpus.reads == 0
        assert stats.gpu_reading == GpuReading()


async def test_info_gives_only_the_items_named(gpus: Gpus, tmp_path: Path) -> None:
    async with running(gpus, tmp_path) as monitor:
        stats = await monitor.snapshot()
        assert stats.info(["gpus"]).keys() == {"gpus"}
        assert stats.info([]) == {}


async def test_start_reads_ahead_and_the_first_snapshot_shares_it(gpus: Gpus, tmp_path: Path) -> None:
    async with running(gpus, tmp_path, clock=Clock()) as monitor:
        gpus.open.clear()
        await monitor.start()
        gpus.open.set()
        assert names(await monitor.snapshot()) == ["gpu 1"]


async def test_a_hanging_reader_gives_its_last_sample_and_leaves_the_others_alone(gpus: Gpus, tmp_path: Path) -> None:
    clock = Clock()
    async with running(gpus, tmp_path, clock=clock, timeout_s=0.0625) as monitor:
        await monitor.snapshot({"gpus"})
        gpus.open.clear()
        gpus.entered.clear()
        clock.now += 5
        waiting = asyncio.create_task(monitor.snapshot({"gpus"}))
        await asyncio.to_thread(gpus.entered.wait)
        await asyncio.sleep(0)
        clock.now += 0.0625
        problem = {"item": "gpus", "message": "no answer for 0.1 s", "stale": True, "age_s": 5.1}
        for stats in (await waiting, await monitor.snapshot({"gpus"})):
            assert stats.info() == {"gpus": [{"name": "gpu 1", "index": 0}], "problems": [problem]}
        whole = (await monitor.snapshot({"gpus", "disks"})).info()
        assert whole["disks"]
        assert [problem["item"] for problem in whole["problems"]] == ["gpus"]
        assert gpus.reads == 2, "a hung reading is not started again beside itself"


async def test_of_those_who_find_a_reader_hung_only_the_first_waits(gpus: Gpus, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with running(gpus, tmp_path, timeout_s=0.2) as monitor:
        gpus.open.clear()
        first = (await monitor.snapshot({"gpus"})).info()
        assert first["gpus"] == []
        assert first["problems"][0].keys() == {"item", "message"}
        before = loop.time()
        await asyncio.gather(*(monitor.snapshot({"gpus"}) for _ in range(20)))
        assert loop.time() - before < 0.15


async def test_a_reader_that_comes_back_is_fresh_again(gpus: Gpus, tmp_path: Path) -> None:
    async with running(gpus, tmp_path, timeout_s=0.02, interval_s=60) as monitor:
        gpus.open.clear()
        assert (await monitor.snapshot({"gpus"})).info()["problems"]
        gpus.open.set()
        async with asyncio.timeout(5):
            while "problems" in (info := (await monitor.snapshot({"gpus"})).info()):
                pass  # a snapshot lets the loop run
        assert info == {"gpus": [{"name": "gpu 1", "index": 0}]}


async def test_a_reader_that_raises_gives_its_last_sample_and_the_reason(
    gpus: Gpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    async with running(gpus, tmp_path, clock=clock) as monitor:
        await monitor.snapshot({"gpus"})
        gpus.error = OSError("the bus is gone")
        for _ in range(2):
            clock.now += 2
            info = (await monitor.snapshot({"gpus"})).info()
        assert info == {
            "gpus": [{"name": "gpu 1", "index": 0}],
            "problems": [{"item": "gpus", "message": "OSError: the bus is gone", "stale": True, "age_s": 4.0}],
        }
        assert [record.getMessage() for record in caplog.records] == ["reading gpus failed"]
        gpus.error = None
        clock.now += 2
        assert (await monitor.snapshot({"gpus"})).info() == {"gpus": [{"name": "gpu 4", "index": 0}]}


async def test_a_path_that_fails_is_a_problem_of_the_disks(gpus: Gpus, tmp_path: Path) -> None:
    async with running(gpus, tmp_path / "gone") as monitor:
        info = (await monitor.snapshot({"disks"})).info()
        assert info["disks"] == []
        assert info["problems"] == [{"item": "disks", "message": f"{tmp_path / 'gone'}: No such file or directory"}]


async def test_close_gives_the_gpu_library_back_once(gpus: Gpus, tmp_path: Path) -> None:
    async with running(gpus, tmp_path) as monitor:
        await monitor.snapshot({"gpus"})
        await monitor.close()
    assert gpus.closes == 1
    with pytest.raises(RuntimeError, match="closed"):
        await monitor.snapshot()


async def test_close_does_not_wait_for_a_hung_reader(gpus: Gpus, tmp_path: Path) -> None:
    monitor = Monitor(disks=[tmp_path], gpus=gpus, timeout_s=0.05)
    gpus.open.clear()
    await monitor.snapshot({"gpus"})
    await monitor.close()
    assert gpus.closes == 0, "the library is in use by the hung thread"


async def test_an_asker_who_leaves_does_not_take_the_reading_along(gpus: Gpus, tmp_path: Path) -> None:
    async with running(gpus, tmp_path, clock=Clock()) as monitor:
        gpus.open.clear()
        leaver = asyncio.create_task(monitor.snapshot({"gpus"}))
        stayer = asyncio.create_task(monitor.snapshot({"gpus"}))
        await asyncio.to_thread(gpus.entered.wait)
        leaver.cancel()
        gpus.open.set()
        assert names(await stayer) == ["gpu 1"]
        assert gpus.reads == 1


async def test_the_loop_runs_on_while_a_reader_blocks(gpus: Gpus, tmp_path: Path) -> None:
    async with running(gpus, tmp_path) as monitor:
        gpus.open.clear()
        task = asyncio.create_task(monitor.snapshot({"gpus"}))
        await asyncio.to_thread(gpus.entered.wait)
        assert not task.done()
        gpus.open.set()
        await task


def test_a_thread_that_outlives_its_loop_ends_quietly() -> None:
    gate, entered = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())
        entered.set()
        gate.wait()

    async def begin() -> None:
        in_daemon_thread(work, "late")
        entered.wait(5)

    asyncio.run(begin())
    gate.set()
    threads[0].join(5)
    assert not threads[0].is_alive()


async def test_a_lane_takes_any_reader() -> None:
    read: Callable[[], int] = iter(range(5)).__next__
    lane = Lane("numbers", read, max_age_s=0.0, timeout_s=1.0, clock=Clock())
    assert [(await lane.sample()).value for _ in range(3)] == [0, 1, 2]


def test_a_hung_reader_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    program = """
import asyncio, sys, threading
from pathlib import Path
from k12ai_ws.monitor.monitor import Monitor

class Hung:
    read = close = threading.Event().wait

async def main():
    monitor = Monitor(disks=[Path(sys.argv[1])], gpus=Hung(), timeout_s=0.05)
    print((await monitor.snapshot({"gpus"})).info()["problems"])
    await monitor.close()

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert "no answer" in done.stdout
    assert done.stderr == ""
