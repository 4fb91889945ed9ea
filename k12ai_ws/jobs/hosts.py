"""The drivers as the jobs see them: who serves a job, who reads its log, and what to say where nobody does."""

import asyncio
import logging
from concurrent.futures import Executor

from k12ai_ws.drivers.registry import Registry
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.store.store import LogPosition
from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.requests import FrameworkRequest, Refusal, refuse

from .reading import LogReader
from .workspace import DRIVER_TURNS, DriverHost, Folders

log = logging.getLogger(__name__)


class Hosts:
    """Makes a job's driver host. `executor` runs the drivers' code, each driver's `DRIVER_TURNS` at one time."""

    def __init__(self, registry: Registry, folders: Folders, executor: Executor, *, timeout_s: float) -> None:
        self.registry = registry
        self._folders = folders
        self._executor = executor
        self._timeout_s = timeout_s
        self._turns = {name: asyncio.Semaphore(DRIVER_TURNS) for name in registry.services}

    def of(self, record: JobRecord) -> DriverHost | None:
        """The host of the job's driver; None where no driver serves its task (any more)."""
        service = self.registry.services.get(record.service_name)
        if service is None or record.task not in service.driver.tasks:
            return None
        turns = self._turns[record.service_name]
        return DriverHost(service.driver, record, self._folders, self._executor, turns=turns, timeout_s=self._timeout_s)

    async def reader(self, record: JobRecord, host: DriverHost | None, start: LogPosition | None) -> LogReader:
        """The reader of a job's log. A driver that fails here costs only its own parsers."""

        def default() -> Pipeline:
            return Pipeline(["auto"], language=record.language)

        if host is None:
            return LogReader(record, default, start)
        try:
            parsers = await host.parsers()
            return LogReader(record, lambda: Pipeline(parsers, classify=host.classify, language=record.language), start)
        except Exception as e:
            log.exception("the driver of %s failed in parsers; reading with the preset auto", record.service_name)
            text = f"{host.blame('parsers', e)}; the log is read with the preset auto"
            return LogReader(record, default, start, notice=Fault(Code.WARNING, text, severity="warning"))

    def no_such_task(self, request: FrameworkRequest) -> Refusal:
        """The refusal of a request that no driver serves."""
        services = self.registry.services
        service = services.get(request.service_name)
        if service is None:
            broken = [b.error for b in self.registry.broken if request.service_name in (b.plugin, b.distribution)]
            return refuse(
                Code.SERVICE_NOT_FOUND,
                f"there is no service {request.service_name!r}; there are: {', '.join(sorted(services)) or 'none'}"
                + (f". Its plugin failed to load: {broken[0]}" if broken else ""),
                fields=[{"loc": "service_name", "msg": "unknown service", "type": "unknown_service"}],
            )
        return refuse(
            Code.VALUE_INVALID,
            f"service {request.service_name!r} has no task {request.task!r}; it has: "
            + ", ".join(service.driver.tasks),
            fields=[{"loc": "op", "msg": "unknown task", "type": "unknown_task"}],
        )
