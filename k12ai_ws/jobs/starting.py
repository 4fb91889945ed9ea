"""A start that is under way: its job is being checked or stored, and can be stopped before it is taken; and what to say
of a (user, service_uuid) that is taken.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from k12ai_ws.wire.bodies import Fault, Status
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.requests import FrameworkRequest, Refusal, refuse
from k12ai_ws.wire.status import JobStatus, Reason

T = TypeVar("T")


class Starting:
    """Holds (user, service_uuid) for a job that is not stored yet."""

    def __init__(self, record: JobRecord) -> None:
        self.record = record
        self.over = asyncio.Event()
        """Set once the job is taken, or will never be."""
        self._check: asyncio.Task[Any] | None = None
        self._stopped_by: str | None = None

    async def check(self, work: Coroutine[Any, Any, T]) -> T:
        """Does `work`, and what it raises; a stop meanwhile ends it. Raises Refusal (100004) then."""
        task: asyncio.Task[T] = asyncio.get_running_loop().create_task(work, name=f"check {self.record.job_id}")
        self._check = task
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if self._stopped_by is None or (caller is not None and caller.cancelling()):
                task.cancel()
                raise
            raise refuse(
                Code.STOPPED,
                f"{self._stopped_by!r} stopped the job before it was taken: nothing was stored, and nothing runs",
            ) from None
        finally:
            self._check = None

    def stop(self, by: str) -> Status | None:
        """Ends the check, and says so; None where the job is being stored already: wait until it is `over`."""
        if self._check is None or (self._check.done() and self._stopped_by is None):
            return None
        self._stopped_by = self._stopped_by or by
        self._check.cancel()
        return Status(
            JobStatus.STOPPED,
            Code.STOPPED,
            reason=Reason.STOPPED_BY_USER,
            requested_by=self._stopped_by,
            message="the job was being checked: it was not taken, and nothing was stored",
        )


def occupied(request: FrameworkRequest, record: JobRecord | None) -> Refusal:
    """The refusal of a start whose pair is held by the job of `record`; None: by a job that is not stored yet."""
    which = f"job {record.job_id} ({record.status.value})" if record else "a job that is being checked"
    return Refusal(
        Fault(
            Code.ALREADY_RUNNING,
            f"{which} of user {request.user!r} and service_uuid {request.service_uuid!r} is active: "
            "stop it or wait for its end",
            detail={"job_id": record.job_id} if record else {},
        )
    )


def require_same(record: JobRecord, request: FrameworkRequest) -> None:
    """Raises Refusal (100205) where the request names another service or task than the pair's job has."""
    if (record.service_name, record.task) != (request.service_name, request.task):
        raise refuse(
            Code.NOT_FOUND,
            f"the active job {record.job_id} is {record.service_name} {record.task}, "
            f"not {request.service_name} {request.task}",
        )
