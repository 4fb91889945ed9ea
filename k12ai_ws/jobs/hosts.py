"""The drivers as the jobs see them: who serves a job, who reads its log, and what to say where nobody does."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor

from k12ai_ws.drivers.registry import Registry
from k12ai_ws.logs.advice import BOOK, AdviceBook
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.logs.rules import ConfiguredRule
from k12ai_ws.serverlog import note
from k12ai_ws.store.store import LogPosition
from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.requests import FrameworkRequest, Refusal, refuse

from .pipelines import auto_pipeline, parsers_of
from .reading import LogReader, is_whole
from .workspace import DRIVER_TURNS, DriverHost, Folders

log = logging.getLogger(__name__)


class Hosts:
    """Makes a job's driver host. `executor` runs the drivers' code, each driver's `DRIVER_TURNS` at one time."""

    def __init__(
        self,
        registry: Registry,
        folders: Folders,
        executor: Executor,
        *,
        timeout_s: float,
        rules: Sequence[ConfiguredRule] = (),
    ) -> None:
        """`rules` are the operator's: they read the logs of jobs that are started from now on."""
        self.registry = registry
        self._rules = rules
        self._folders = folders
        self._executor = executor
        self._timeout_s = timeout_s
        self._turns = {name: asyncio.Semaphore(DRIVER_TURNS) for name in registry.services}
        self._books: dict[str, AdviceBook] = {}

    def of(self, record: JobRecord) -> DriverHost | None:
        """The host of the job's driver; None where no driver serves its task (any more)."""
        service = self.registry.services.get(record.service_name)
        if service is None or record.task not in service.driver.tasks:
            return None
        turns = self._turns[record.service_name]
        return DriverHost(
            service.driver,
            record,
            self._folders,
            self._executor,
            turns=turns,
            books=self._books,
            timeout_s=self._timeout_s,
            rules=self._rules,
        )

    def to_start(self, record: JobRecord, request: FrameworkRequest) -> DriverHost:
        """The host of the driver that serves a request. Raises Refusal where none does."""
        note(job_id=record.job_id)
        host = self.of(record)
        if host is None:
            raise self._no_such_task(request)
        return host

    async def reader(self, record: JobRecord, host: DriverHost | None, start: LogPosition | None) -> LogReader:
        """The reader of a job's log. A driver that fails here costs only its own parsers."""

        def default() -> Pipeline:
            return auto_pipeline(record, whole=is_whole(start))

        if host is None:
            return LogReader(record, default, start)
        book = await self._book(record, host)
        try:
            parsers = await host.parsers()

            def pipeline() -> Pipeline:
                made = parsers_of(record, parsers, whole=is_whole(start))
                return Pipeline(made, classify=host.classify, book=book, language=record.language)

            return LogReader(record, pipeline, start)
        except Exception as e:
            log.exception("the driver of %s failed in parsers; reading with the preset auto", record.service_name)
            text = f"{host.blame('parsers', e)}; the log is read with the preset auto"
            return LogReader(record, default, start, notice=Fault(Code.WARNING, text, severity="warning"))

    @staticmethod
    async def _book(record: JobRecord, host: DriverHost) -> AdviceBook:
        """The advice for the job's errors. A driver that fails here costs only its own."""
        try:
            return await host.book()
        except Exception:
            log.exception("the driver of %s failed in advice; the built-in is used alone", record.service_name)
            return BOOK

    def _no_such_task(self, request: FrameworkRequest) -> Refusal:
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
