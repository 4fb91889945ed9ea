"""Statistics put together: an engine that is gone does not hide the host."""

from pathlib import Path
from typing import Any

from k12ai_ws.access.principal import LOCAL
from k12ai_ws.api.statistics import Statistics
from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.monitor.gpus import GpuReading
from k12ai_ws.monitor.monitor import Monitor
from k12ai_ws.wire.requests import StatsQuery
from k12ai_ws.wire.status import Reason


class NoGpus:
    def read(self) -> GpuReading:
        return GpuReading(absence="none", problems=("GPU 0: GPU is lost",))

    def close(self) -> None:
        pass


class NoJobs:
    def active(self) -> list[Any]:
        return []


class Gone:
    async def stats(self, handles: object) -> Any:
        raise LaunchError(100203, Reason.ENGINE_FAILED, "the engine does not answer")


async def test_an_engine_that_is_gone_is_a_problem_of_the_containers_alone(tmp_path: Path) -> None:
    monitor = Monitor(disks=[tmp_path], gpus=NoGpus())
    statistics = Statistics(monitor, NoJobs(), Gone())  # type: ignore[arg-type]
    gone = {"item": "containers", "message": "the engine does not answer"}
    info = (await statistics.read(StatsQuery(), LOCAL)).content
    assert info["disks"]
    assert info["containers"] == []
    assert info["problems"] == [{"item": "gpus", "message": "GPU 0: GPU is lost"}, gone]
    info = (await statistics.read(StatsQuery(containers=True), LOCAL)).content
    assert info == {"containers": [], "problems": [gone]}
    await monitor.close()
