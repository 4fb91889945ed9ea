"""A manager on a real store with a launcher that the test plays, and a driver that misbehaves as told."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from k12ai_ws.drivers import Driver, LaunchSpec, Params
from k12ai_ws.drivers.registry import Registry, Service
from k12ai_ws.jobs.admission import Budget
from k12ai_ws.jobs.gpus import GpuPool
from k12ai_ws.jobs.manager import JobManager
from k12ai_ws.jobs.queue import Queue
from k12ai_ws.jobs.runner import Runner
from k12ai_ws.jobs.threads import DaemonThreads
from k12ai_ws.jobs.workspace import Folders
from k12ai_ws.logs.rules import ConfiguredRule
from k12ai_ws.monitor.gpus import GpuReading
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import StoreError
from k12ai_ws.testing.fake_launcher import FakeLauncher
from k12ai_ws.wire.filter import EVENT_TYPES, EventFilter
from k12ai_ws.wire.requests import FrameworkRequest


class TrainParams(Params):
    epochs: int = 1
    anything: Any = None


class TestDriver(Driver):
    """Does as it is told: `does[method]` is called instead of the method."""

    __test__ = False
    service_name = "svc"
    tasks: ClassVar = {"train": TrainParams, "predict": TrainParams}

    def __init__(self) -> None:
        self.does: dict[str, Callable[..., Any]] = {}

    def check(self, job):
        return self.does["check"](job) if "check" in self.does else None

    def launch(self, job):
        return self.does["launch"](job) if "launch" in self.does else LaunchSpec(command=["python", "-m", "train"])

    def parsers(self, job):
        return self.does["parsers"](job) if "parsers" in self.does else ["auto"]

    def classify(self, fault):
        return self.does["classify"](fault) if "classify" in self.does else None


class FlakyStore(SqliteStore):
    """Appends and reads of positions fail while the test says so."""

    failing_appends = 0
    failing_positions = 0

    async def append(self, change):
        if self.failing_appends:
            self.failing_appends -= 1
            raise StoreError("the disk is full, says the test")
        return await super().append(change)

    async def position(self, job_id):
        if self.failing_positions:
            self.failing_positions -= 1
            raise StoreError("the disk is broken, says the test")
        return await super().position(job_id)


class House:
    """One server's part that runs jobs; `restart` is the next server on the same store and machine."""

    def __init__(self, folder: Path, driver: TestDriver, launcher: FakeLauncher) -> None:
        self.folder = folder
        self.driver = driver
        self.launcher = launcher
        self.limits = {"max_running": 2, "max_running_per_user": 2, "max_queued": 100, "max_queued_per_user": 100}
        self.services = {"svc": Service(driver, "plugin", "dist", "1", {})}
        self.time_limit_s: float | None = None
        self._numbers = iter(range(1, 1 << 30))
        self.parsing_timeout_s = 30.0
        self.driver_timeout_s = 30.0
        self.ms = 1_000_000
        self.budget = Budget()
        self.log_rules: Sequence[ConfiguredRule] = ()
        self.gpus = GpuReading(absence="the test has none")

    async def open(self) -> None:
        self.store = await FlakyStore.open(self.folder / "k12ai.sqlite3", new_epoch=lambda: "e", synchronous="normal")  # type: ignore[assignment]
        self.jobs = JobManager(
            store=self.store,
            runner=Runner(self.launcher, grace_s=3.0, clock_ms=self.clock, parsing_timeout_s=self.parsing_timeout_s),
            registry=Registry(self.services),
            folders=Folders(self.folder / "workspaces", self.folder / "datasets", self.folder / "pretrained"),
            queue=Queue(**self.limits),
            driver_threads=DaemonThreads("driver"),
            clock_ms=self.clock,
            new_id=lambda: f"job-{next(self._numbers)}",
            default_time_limit_s=self.time_limit_s,
            driver_timeout_s=self.driver_timeout_s,
            gpus=GpuPool(self.inventory),
            budget=self.budget,
            look_again_s=0.02,
            log_rules=self.log_rules,
        )
        await self.jobs.recover()

    async def inventory(self) -> GpuReading:
        return self.gpus

    def clock(self) -> int:
        self.ms += 1
        return self.ms

    async def close(self) -> None:
        await self.jobs.close()
        await self.store.close()

    async def restart(self) -> None:
        await self.close()
        await self.open()

    def request(self, uuid: str = "p", *, op: str = "train.start", user: str = "u", params=None, service: str = "svc"):
        return FrameworkRequest(
            op=op,
            user=user,
            service_name=service,
            service_uuid=uuid,
            service_params=params if params is not None else {},
        )

    async def start(self, uuid: str = "p", *, key: str | None = None, digest: str | None = None, **request) -> dict:
        answer = await self.jobs.start(self.request(uuid, **request), language="en", idempotency_key=key, digest=digest)
        return json.loads(answer)

    async def stop(self, uuid: str = "p", *, op: str = "train.stop", **request) -> dict:
        return json.loads(await self.jobs.stop(self.request(uuid, op=op, **request)))

    async def events(self, job_id: str, *types: str) -> list[dict]:
        wanted = EventFilter(job_id=job_id, types=frozenset(types) or EVENT_TYPES)
        page = await self.store.replay(wanted, 0, limit=10_000)
        return [json.loads(e.payload) for e in page.events]

    async def statuses(self, job_id: str) -> list[str]:
        return [e["status"]["value"] for e in await self.events(job_id, "status")]

    async def record(self, job_id: str):
        return await self.store.job(job_id)

    async def ended(self, job_id: str, patience_s: float = 10):
        """Waits for the job's end, looks whether its end is as every end must be, and gives its record."""
        await self.until_status(job_id, "finished", "failed", "stopped", "lost", patience_s=patience_s)
        events = await self.events(job_id)
        terminal = [e for e in events if e["type"] == "status" and e["status"]["value"] in ENDS]
        assert len(terminal) == 1, "exactly one terminal status"
        assert events[-1] == terminal[0], "and it is the last event"
        record = await self.record(job_id)
        assert record.status == terminal[0]["status"]["value"]
        assert record.reason == terminal[0]["status"]["reason"]
        return record

    async def until_status(self, job_id: str, *wanted: str, patience_s: float = 10) -> None:
        async with asyncio.timeout(patience_s):
            while (await self.record(job_id)).status not in wanted:  # noqa: ASYNC110 - the store is the only witness
                await asyncio.sleep(0.002)

    async def idle(self) -> None:
        """Waits until no job is active any more in this server."""
        async with asyncio.timeout(10):
            while self.jobs.active():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.002)


ENDS = {"finished", "failed", "stopped", "lost"}


@pytest.fixture
def driver() -> TestDriver:
    return TestDriver()


@pytest.fixture
async def launcher() -> FakeLauncher:
    return FakeLauncher()


@pytest.fixture
async def house(tmp_path: Path, driver: TestDriver, launcher: FakeLauncher):
    house = House(tmp_path, driver, launcher)
    await house.open()
    yield house
    await house.close()
