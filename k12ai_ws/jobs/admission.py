"""Admission: the queue against what the machine has now, and the GPUs that go with a place to run."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from k12ai_ws.launchers.launcher import Capacity, LaunchError
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.requests import refuse

from .gpus import GpuPool
from .needs import Need, Room, excess
from .queue import Place, Queue, QueueFull

CAPACITY_TIMEOUT_S = 5.0
"""The place where jobs run must say within so many seconds what it has; nothing starts before."""
FRESH_S = 5.0
"""So long its answer holds: an engine that has gone since is noticed before more jobs are sent to it."""
ASK_AGAIN_S = 5.0
"""After a failure it is not asked again sooner: no start waits for the same silence twice."""
LOOK_AGAIN_S = 10.0
"""While jobs wait for what the machine has (GPUs, an engine that answers), it is looked at again after so long."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Budget:
    """What the operator gives all jobs together, instead of what the machine has; None: what it has."""

    cpus: float | None = None
    memory: int | None = None


class Admission:
    """Knows who may run. Lives on the event loop; decides without waiting, on what `refresh` saw last."""

    def __init__(
        self,
        queue: Queue,
        gpus: GpuPool,
        capacity: Callable[[], Awaitable[Capacity]],
        budget: Budget,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._gpus = gpus
        self._capacity = capacity
        self._now = now
        self._budget = budget
        self._found: Capacity | None = None
        self._found_at = 0.0
        self._unknown: str | None = None
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    @property
    def room(self) -> Room:
        """What there is, as it was seen last."""
        found = self._found or Capacity(0.0, 0)
        return Room(
            cpus=found.cpus if self._budget.cpus is None else self._budget.cpus,
            memory=found.memory if self._budget.memory is None else self._budget.memory,
            gpus=self._gpus.known,
            free_gpus=len(self._gpus.free),
            unknown=None if self._found else self._unknown or "what this machine has is not known yet",
            gpus_unknown=self._gpus.unknown,
            gpus_answering=self._gpus.answering,
        )

    @property
    def _is_fresh(self) -> bool:
        return self._found is not None and self._now() < self._found_at + FRESH_S

    @property
    def waits_for_the_machine(self) -> bool:
        """Whether waiting jobs may become startable without any other job's end: then look again after a while."""
        return len(self._queue) > 0 and (self._found is None or self._queue.wants_gpus)

    async def refresh(self, *, gpus: bool = False) -> None:
        """Looks what there is, where that is not known for sure; at the GPUs, where a job that asks for some waits or
        comes.
        """
        if not self._is_fresh:
            async with self._asking:
                await self._ask()
        if gpus or self._queue.wants_gpus:
            await self._gpus.refresh()

    async def _ask(self) -> None:
        if self._is_fresh or (self._asked_at is not None and self._now() < self._asked_at + ASK_AGAIN_S):
            return
        try:
            async with asyncio.timeout(CAPACITY_TIMEOUT_S):
                found = await self._capacity()
        except Exception as e:  # whatever it was, jobs wait and say so; it is asked again
            timed_out = isinstance(e, TimeoutError) and not str(e)
            self._unknown = "the place where jobs run does not say what it has: " + (
                f"no answer within {CAPACITY_TIMEOUT_S:g} s" if timed_out else str(e) or type(e).__name__
            )
            self._asked_at, self._found = self._now(), None
            expected = isinstance(e, LaunchError | OSError)
            log.warning("%s; jobs wait until it does", self._unknown, exc_info=None if expected else e)
            return
        known, self._found, self._found_at, self._asked_at = self._found, found, self._now(), None
        if found != known:
            log.info("jobs share %g CPUs and %d bytes of memory", self.room.cpus, self.room.memory)

    def doubt(self) -> None:
        """The place where jobs run has failed: it is asked before the next job is sent there."""
        self._found_at = self._now() - FRESH_S

    async def require_possible(self, need: Need) -> None:
        """Raises Refusal (100903) where the job asks for more than there is in all."""
        await self.refresh(gpus=need.gpus > 0)
        room = self.room
        name = room.beyond(need)
        if name is None:
            return
        text = f"the job {excess(name, need, room)}"
        if name == "gpus":
            text += f" ({self._gpus.absence})" if not room.gpus else ""
        available = getattr(room, name)
        raise refuse(
            Code.CONFIGURATION,
            f"{text}: ask for less",
            fields=[{"loc": "service_params", "msg": f"the job {excess(name, need, room)}", "type": "too_large"}],
            resource=name,
            asked=getattr(need, name),
            available=available,
        )

    def reserve(self, record: JobRecord) -> str | None:
        """A place for a job that is about to be stored; why it has to wait, or None. Raises Refusal (100210)."""
        try:
            return self._queue.reserve(record.job_id, record.user, Need.of(record.resources), self.room)
        except QueueFull as e:
            raise refuse(Code.QUEUE_FULL, str(e)) from None

    def add(self, record: JobRecord) -> None:
        """The stored job waits."""
        self._queue.add(record.job_id, record.user, Need.of(record.resources))

    def resume(self, record: JobRecord) -> None:
        """The job runs since before the restart, and holds what its record says."""
        self._queue.resume(record.job_id, record.user, Need.of(record.resources))
        self._gpus.resume(record.job_id, [str(gpu) for gpu in record.resources.get("gpu_ids") or ()])

    def remove(self, job_id: str) -> None:
        """The job neither waits nor runs: what it held is free."""
        self._queue.remove(job_id)
        self._gpus.release(job_id)

    def admit(self) -> Mapping[str, tuple[str, ...]]:
        """The jobs that start now, in order, each with the GPUs that are its own."""
        started = self._queue.admit(self.room)
        return {job_id: self._gpus.lease(job_id, need.gpus) for job_id, need in started.items()}

    def places(self) -> Mapping[str, Place]:
        """Where every waiting job stands, and why it waits."""
        return self._queue.places(self.room)


class Lookout:
    """Admits again and again while jobs wait for something that no job's end brings."""

    def __init__(self, admission: Admission, admit: Callable[[], Awaitable[object]], pause_s: float) -> None:
        self._admission = admission
        self._admit = admit
        self._pause_s = pause_s
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Starts to look, where that is needed and not done already; it ends by itself."""
        if self._task is None and self._admission.waits_for_the_machine:
            self._task = asyncio.get_running_loop().create_task(self._look(), name="look at the machine again")

    async def _look(self) -> None:
        try:
            while self._admission.waits_for_the_machine:
                await asyncio.sleep(self._pause_s)
                try:
                    await self._admit()
                except Exception:  # the next time may go well, and nobody else looks
                    log.exception("admitting waiting jobs failed")
        finally:
            self._task = None

    async def close(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
