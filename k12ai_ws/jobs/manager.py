"""All jobs of this server: takes starts and stops, lets the queue's jobs go, and finds its jobs again at the start."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from weakref import WeakValueDictionary

from k12ai_ws.drivers.registry import Registry
from k12ai_ws.launchers.launcher import LaunchError, LaunchRequest
from k12ai_ws.store.store import LogPosition, Store, StoredEvent, StoreError
from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code, Language
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.requests import FrameworkRequest, Refusal, refuse
from k12ai_ws.wire.status import JobStatus, Reason

from .hosts import Hosts
from .life import Action, Admitted, StopRequested, status_of
from .queue import Queue, QueueFull
from .reading import encode_event
from .run import Run
from .runner import Runner
from .workspace import DRIVER_TIMEOUT_S, DriverHost, Folders

ATTEMPTS = 5
"""How often a job's log is taken up again after an unexpected fault before the job is given up."""
RETRY_S = 1.0

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
    ) -> None:
        self._store = store
        self._runner = runner
        self._hosts = Hosts(registry, folders, driver_threads, timeout_s=driver_timeout_s)
        self._queue = queue
        self._clock_ms = clock_ms
        self._new_id = new_id
        self._default_time_limit_s = default_time_limit_s
        self._active: dict[tuple[str, str], Run | None] = {}  # None: being checked, not yet stored
        self._by_id: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._key_locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._closing = False

    @property
    def registry(self) -> Registry:
        """The services that jobs can be started of."""
        return self._hosts.registry

    @property
    def launcher_name(self) -> str:
        """Where jobs run."""
        return self._runner.launcher.name

    def active(self) -> Sequence[JobRecord]:
        """The records of all jobs that have not ended, as they are now."""
        return [run.record for run in self._by_id.values()]

    async def start(
        self,
        request: FrameworkRequest,
        *,
        language: Language,
        idempotency_key: str | None = None,
        digest: str | None = None,
    ) -> bytes:
        """Takes a new job; the answer is its status event. Raises Refusal or StoreError: then nothing has changed.

        With the `idempotency_key` of an earlier start of the same user, answers with that job's status instead.
        """
        if idempotency_key is None:
            return await self._start(request, language, None, None)
        key = (request.user, idempotency_key)
        lock = self._key_locks.setdefault(key, asyncio.Lock())
        async with lock:
            made = await self._store.job_by_idempotency_key(*key)
            if made is None:
                return await self._start(request, language, idempotency_key, digest)
            if made.request_digest != digest:
                raise refuse(
                    Code.VALUE_INVALID,
                    f"Idempotency-Key {idempotency_key!r} was used for another request (job {made.job_id}): "
                    "take a new key for a new request",
                )
            live = self._by_id.get(made.job_id)
            return self._status_now(live.record if live else made)

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
        )
        host = self._hosts.of(record)
        if host is None:
            raise self._hosts.no_such_task(request)
        self._check_free(request)
        self._active[record.key] = None
        try:
            params = await host.check()
            record = JobRecord.from_json({**record.to_json(), "params": params})
            try:
                self._queue.reserve(record.job_id, record.user)
            except QueueFull as e:
                raise refuse(Code.QUEUE_FULL, str(e)) from None
            run = Run(record, self._store, self._clock_ms)
            stored = await run.create()
        except BaseException:
            self._queue.remove(record.job_id)
            del self._active[record.key]
            raise
        self._active[record.key] = run
        self._by_id[record.job_id] = run
        self._queue.add(record.job_id, record.user)
        return (await self._admit(run) or stored)[-1].payload

    async def _admit(self, run: Run | None = None) -> Sequence[StoredEvent]:
        """Lets waiting jobs go; where `run` is among them, returns the events of its going."""
        events: Sequence[StoredEvent] = ()
        mine = False
        for job_id in self._queue.admit():
            admitted = self._by_id[job_id]
            if admitted is run:
                mine = True
            else:
                self._carry(admitted)
        if run is not None and mine:  # last: the others do not wait for it
            try:
                events, _ = await run.apply(Admitted())
            except StoreError as e:
                log.error("job %s: %s", run.record.job_id, e)  # its task tries again
            self._carry(run)
        return events

    async def stop(self, request: FrameworkRequest) -> bytes:
        """Asks the active job of (user, service_uuid) to end; the answer is its status. Raises Refusal, StoreError."""
        run = self._active.get((request.user, request.service_uuid))
        if run is None:
            raise refuse(
                Code.NOT_FOUND,
                f"user {request.user!r} has no active job with service_uuid {request.service_uuid!r}",
            )
        record = run.record
        if (record.service_name, record.task) != (request.service_name, request.task):
            raise refuse(
                Code.NOT_FOUND,
                f"the active job {record.job_id} is {record.service_name} {record.task}, "
                f"not {request.service_name} {request.task}",
            )
        events, actions = await run.apply(StopRequested(request.user, self._clock_ms()))
        if Action.STOP in actions and run.record.handle is not None:
            try:
                await self._runner.stop(run.record.handle)
            except LaunchError as e:
                message = f"the stop of job {record.job_id} is stored, but not delivered: {e.message}; send it again"
                raise refuse(Code(e.code) if e.code in set(Code) else Code.ENGINE_FAILED, message) from e
        if run.record.status.terminal and record.job_id not in self._tasks:
            await self._retire(run)
        return events[0].payload if events else self._status_now(run.record)

    async def recover(self) -> None:
        """Takes up every job that an earlier server left: queued ones in their order, running ones from where their
        logs were stored. Called once, before any request.
        """
        adopted = await self._runner.launcher.adopt()  # before any launch: it clears half-made runs away
        for record in await self._store.active_jobs():
            run = Run(record, self._store, self._clock_ms)
            self._active[record.key] = run
            self._by_id[record.job_id] = run
            if record.status is JobStatus.QUEUED:
                self._queue.add(record.job_id, record.user)
            else:
                self._queue.resume(record.job_id, record.user)
                self._carry(run)
        for job_id, handle in adopted.items():
            if job_id in self._by_id:
                continue
            known = await self._store.job(job_id)
            if known is None:
                log.warning("a run of an unknown job %s is left alone", job_id)
            else:  # its end was stored, but the server died before it could say so to the launcher
                await self._runner.launcher.release(handle)
        await self._admit()

    async def close(self) -> None:
        """Stops following; the jobs go on, and the next server finds them."""
        self._closing = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- one job's task

    def _carry(self, run: Run) -> None:
        job_id = run.record.job_id
        task = asyncio.get_running_loop().create_task(self._to_its_end(run), name=f"job {job_id}")
        self._tasks[job_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job_id, None))

    async def _to_its_end(self, run: Run) -> None:
        job_id = run.record.job_id
        host = self._hosts.of(run.record)
        await run.apply_surely(Admitted())
        failed_at, attempts = -1, 0
        while not run.record.status.terminal:
            start: LogPosition | None = None
            try:
                await self._take_up(run, host)
                handle = run.record.handle
                if handle is None:
                    break
                start = await self._store.position(job_id)
                await self._runner.follow(run, handle, lambda at: self._hosts.reader(run.record, host, at), start)
            except StoreError as e:  # no fault of the job's: it waits for as long as the store needs
                log.error("job %s: %s; trying again in %g s", job_id, e, RETRY_S)
                await asyncio.sleep(RETRY_S)
            except Exception as e:
                log.exception("job %s: following it failed", job_id)
                offset = start.offset if start else 0
                attempts = attempts + 1 if offset == failed_at else 1
                failed_at = offset
                if attempts >= ATTEMPTS:
                    await self._runner.give_up(run, f"the server could not follow the job: {type(e).__name__}: {e}")
                    break
                await asyncio.sleep(RETRY_S)
        await self._retire(run)

    async def _take_up(self, run: Run, host: DriverHost | None) -> None:
        """Launches what is not launched yet; repeats a stop that an earlier server may not have delivered."""
        if run.record.handle is None:

            async def prepare() -> LaunchRequest:
                if host is None:
                    name = run.record.service_name
                    raise LaunchError(
                        Code.SERVICE_NOT_FOUND, Reason.LAUNCH_FAILED, f"the driver of service {name!r} is gone"
                    )
                return await host.request(self._default_time_limit_s)

            await self._runner.launch(run, prepare)
        elif run.record.status is JobStatus.STOPPING:
            await self._runner.stop(run.record.handle)

    async def _retire(self, run: Run) -> None:
        self._queue.remove(run.record.job_id)
        self._by_id.pop(run.record.job_id, None)
        if self._active.get(run.record.key) is run:
            del self._active[run.record.key]
        if not self._closing:
            await self._admit()

    # ---- small things

    def _check_free(self, request: FrameworkRequest) -> None:
        key = (request.user, request.service_uuid)
        if key not in self._active:
            return
        run = self._active[key]
        which = f"job {run.record.job_id} ({run.record.status.value})" if run else "a job that is being checked"
        detail: Mapping[str, str] = {"job_id": run.record.job_id} if run else {}
        raise Refusal(
            Fault(
                Code.ALREADY_RUNNING,
                f"{which} of user {request.user!r} and service_uuid {request.service_uuid!r} is active: "
                "stop it or wait for its end",
                detail=detail,
            )
        )

    def _status_now(self, record: JobRecord) -> bytes:
        return encode_event(record, status_of(record), self._clock_ms()).encoded
