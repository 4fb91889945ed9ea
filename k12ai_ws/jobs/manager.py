"""All jobs of this server: takes starts and stops, lets the queue's jobs go, and finds its jobs again at the start."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from k12ai_ws.access.redaction import Redaction
from k12ai_ws.drivers.registry import Registry
from k12ai_ws.launchers.launcher import Handle, LaunchError
from k12ai_ws.logs.rules import ConfiguredRule
from k12ai_ws.store.store import Store, StoredEvent, StoreError
from k12ai_ws.wire.bodies import Fault, Status
from k12ai_ws.wire.codes import Code, Language
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.requests import FrameworkRequest, Refusal, refuse
from k12ai_ws.wire.status import JobStatus, Reason

from .admission import LOOK_AGAIN_S, Admission, Budget, Lookout
from .carrier import Carrier
from .gpus import GpuPool
from .hosts import Hosts
from .life import Action, Admitted, StopRequested, status_of
from .needs import Need
from .queue import Place, Queue
from .reading import encode_event
from .repeats import Repeats
from .run import Run
from .runner import Runner
from .secrets import guarded
from .starting import Starting, occupied, require_same
from .workspace import DRIVER_TIMEOUT_S, DriverHost, Folders

log = logging.getLogger(__name__)


class JobManager:
    """The one place that knows which jobs are active. Lives on the event loop."""

    def __init__(
        self,
        *,
        store: Store,
        runner: Runner,
        registry: Registry,
        folders: Folders,
        queue: Queue,
        driver_threads: Executor,
        clock_ms: Callable[[], int],
        new_id: Callable[[], str],
        default_time_limit_s: float | None = None,
        driver_timeout_s: float = DRIVER_TIMEOUT_S,
        gpus: GpuPool | None = None,
        budget: Budget = Budget(),  # noqa: B008 - frozen
        look_again_s: float = LOOK_AGAIN_S,
        log_rules: Sequence[ConfiguredRule] = (),
        redaction: Redaction | None = None,
    ) -> None:
        """`gpus` is the pool that jobs lease from (None: there is no GPU); `budget` is what jobs may hold together."""
        self._store = store
        self._runner = runner
        self._hosts = Hosts(registry, folders, driver_threads, timeout_s=driver_timeout_s, rules=log_rules)
        self._carrier = Carrier(
            store=store,
            runner=runner,
            hosts=self._hosts,
            clock_ms=clock_ms,
            default_time_limit_s=default_time_limit_s,
        )
        self._admission = Admission(queue, gpus or GpuPool(), runner.launcher.capacity, budget)
        self._redaction = redaction or Redaction(())
        self._clock_ms = clock_ms
        self._new_id = new_id
        self._default_time_limit_s = default_time_limit_s
        self._lookout = Lookout(self._admission, self._admit, look_again_s)
        self._repeats = Repeats(store)
        self._active: dict[tuple[str, str], Run | Starting] = {}
        self._by_id: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closing = False

    @property
    def registry(self) -> Registry:
        """The services that jobs can be started of."""
        return self._hosts.registry

    def active(self) -> Sequence[JobRecord]:
        """The records of all jobs that have not ended, as they are now."""
        return [run.record for run in self._by_id.values()]

    def places(self) -> Mapping[str, Place]:
        """job_id -> where that job stands in the queue, and why it waits; of all jobs that wait."""
        return self._admission.places()

    async def start(
        self,
        request: FrameworkRequest,
        *,
        language: Language,
        idempotency_key: str | None = None,
        digest: str | None = None,
    ) -> bytes:
        """Takes a new job; the answer is its status event. Raises Refusal or StoreError: then nothing has changed.

        With the `idempotency_key` of an earlier start of the same user, answers with that job's last status instead.
        """
        if idempotency_key is None:
            return await self._start(request, language, None, None)
        async with self._repeats.lock(request.user, idempotency_key):
            made = await self._repeats.job(request.user, idempotency_key, digest)
            if made is None:
                return await self._start(request, language, idempotency_key, digest)
            live = self._by_id.get(made.job_id)
            last = (live and live.last_status) or await self._repeats.last_status(made.job_id)
            if last is not None:
                return last.payload
            made = live.record if live else made
            return self._encoded(made, status_of(made))

    async def _start(
        self, request: FrameworkRequest, language: Language, idempotency_key: str | None, digest: str | None
    ) -> bytes:
        record = JobRecord(
            job_id=self._new_id(),
            user=request.user,
            service_uuid=request.service_uuid,
            service_name=request.service_name,
            task=request.task,
            params=request.service_params,
            created_ms=self._clock_ms(),
            language=language,
            code=int(Code.QUEUED),
            idempotency_key=idempotency_key,
            request_digest=digest,
            log_rules=request.log_rules,
        )
        host = self._hosts.to_start(record, request)
        self._check_free(request)
        starting = self._active[record.key] = Starting(record)
        try:
            record = await starting.check(self._examine(host, record))
            record = replace(record, message=self._admission.reserve(record))
            run = Run(record, self._store, self._clock_ms)
            stored = await run.create()
            self._active[record.key] = self._by_id[record.job_id] = run
            self._admission.add(record)
        except BaseException:
            self._admission.remove(record.job_id)
            del self._active[record.key]
            raise
        finally:
            starting.over.set()
        return (await self._admit(run) or stored)[-1].payload

    async def _examine(self, host: DriverHost, record: JobRecord) -> JobRecord:
        """The record with the params, rules and resources that the job would have. Raises Refusal."""
        checked = await host.check()
        try:
            spec = await host.plan(self._default_time_limit_s)
            resources = await self._runner.launcher.check(spec)
        except LaunchError as e:
            raise Refusal(Fault(e.code, e.message)) from e
        asked = resources.model_dump(mode="json", exclude_none=True)
        await self._admission.require_possible(Need.of(asked))
        return await guarded(replace(record, resources=asked, **checked), self._redaction)

    async def _admit(self, run: Run | None = None) -> Sequence[StoredEvent]:
        """Lets waiting jobs go; where `run` is among them, returns the events of its going."""
        await self._admission.refresh()
        started = {} if self._closing else self._admission.admit()  # the next server lets them go
        for job_id, gpus in started.items():
            if run is None or job_id != run.record.job_id:
                self._carry(self._by_id[job_id], gpus)
        if not self._closing:
            self._lookout.begin()
        if run is None or run.record.job_id not in started:
            return ()
        events: Sequence[StoredEvent] = ()
        try:
            events, _ = await run.apply(Admitted(started[run.record.job_id]))  # last: the others do not wait for it
        except StoreError as e:
            log.error("job %s: %s", run.record.job_id, e)  # its task tries again
        self._carry(run, started[run.record.job_id])
        return events

    async def stop(self, request: FrameworkRequest) -> bytes:
        """Asks the active job of (user, service_uuid) to end; the answer is its status. Raises Refusal, StoreError.

        A job that is still being checked is never taken: its start is refused, and the answer's status is `stopped`.
        """
        key = (request.user, request.service_uuid)
        while isinstance(active := self._active.get(key), Starting):
            require_same(active.record, request)
            status = active.stop(request.user)
            if status is not None:
                return self._encoded(active.record, status)
            await active.over.wait()  # it is being stored, which is not undone half way
        if active is None:
            raise refuse(
                Code.NOT_FOUND,
                f"user {request.user!r} has no active job with service_uuid {request.service_uuid!r}",
            )
        run, record = active, active.record
        require_same(record, request)
        events, actions = await run.apply(StopRequested(request.user, self._clock_ms()))
        if Action.STOP in actions and run.record.handle is not None:
            try:
                await self._runner.stop(run.record.handle)
            except LaunchError as e:
                message = f"the stop of job {record.job_id} is stored, but not delivered: {e.message}; send it again"
                raise refuse(Code(e.code) if e.code in set(Code) else Code.ENGINE_FAILED, message) from e
        if run.record.status.terminal and record.job_id not in self._tasks:
            await self._retire(run)
        return events[0].payload if events else self._encoded(run.record, status_of(run.record))

    async def recover(self) -> None:
        """Takes up every job that an earlier server left: queued ones in their order, running ones from where their
        logs were stored. Called once, before any request.
        """
        launcher = self._runner.launcher
        adopted = await launcher.adopt()  # before any launch: it clears half-made runs away
        for record in [await guarded(stored, self._redaction) for stored in await self._store.active_jobs()]:
            run = Run(record, self._store, self._clock_ms)
            self._active[record.key] = self._by_id[record.job_id] = run
            if record.status is JobStatus.QUEUED:
                self._admission.add(record)
            else:
                self._admission.resume(record)
                self._carry(run, found=adopted.get(record.job_id))
        for job_id, handle in adopted.items():
            if job_id in self._by_id:
                continue
            if await self._store.job(job_id) is None:
                log.warning("the run of job %s, which this server's store does not know, is ended", job_id)
                self._keep(job_id, self._carrier.bury(job_id, handle))
                continue
            try:  # its end was stored, but the server died before it could say so to the launcher
                await launcher.release(handle)
            except (LaunchError, OSError) as e:
                log.error("job %s: it has ended, and what its run holds cannot be freed now: %s", job_id, e)
        await self._admit()

    async def close(self) -> None:
        """Stops following; the jobs go on, and the next server finds them."""
        self._closing = True
        await self._lookout.close()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- the tasks

    def _carry(self, run: Run, gpus: Sequence[str] = (), found: Handle | None = None) -> None:
        async def carry() -> None:
            outlived, dead = (lambda: self._forget(run)), (lambda: self._free(run))
            await self._carrier.carry(run, gpus, found, outlived=outlived, dead=dead)
            await self._retire(run)

        self._keep(run.record.job_id, carry())

    def _keep(self, job_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[job_id] = asyncio.get_running_loop().create_task(work, name=f"job {job_id}")

        def over(_: asyncio.Task[None]) -> None:
            self._tasks.pop(job_id, None)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("job %s: its task failed", job_id, exc_info=error)

        task.add_done_callback(over)

    def _forget(self, run: Run) -> None:  # its place, and what it was given, stay its own until `_retire`
        self._by_id.pop(run.record.job_id, None)
        if self._active.get(run.record.key) is run:
            del self._active[run.record.key]

    async def _retire(self, run: Run) -> None:
        self._forget(run)
        if run.record.reason is Reason.ENGINE_FAILED:
            self._admission.doubt()
        await self._free(run)

    async def _free(self, run: Run) -> None:
        self._admission.remove(run.record.job_id)
        if not self._closing:
            await self._admit()

    # ---- small things

    def _check_free(self, request: FrameworkRequest) -> None:
        active = self._active.get((request.user, request.service_uuid))
        if active is None or (isinstance(active, Run) and active.is_over):
            return
        raise occupied(request, active.record if isinstance(active, Run) else None)

    def _encoded(self, record: JobRecord, status: Status) -> bytes:
        return encode_event(record, status, self._clock_ms()).encoded
