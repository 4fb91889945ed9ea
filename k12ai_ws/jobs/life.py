r"""The job's life as a pure function: (record, signal) -> (record, events, actions).

    queued -> starting -> running -> finished | failed | stopped | lost
       \__________\__________\____> stopping _/

No clock, no I/O: everything about races can be tested by calling `step`. A signal that a state does not expect (a
stop for a job that has ended, a second stop) changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from k12ai_ws.launchers.launcher import Handle
from k12ai_ws.wire.bodies import Fault, Status
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit, JobRecord
from k12ai_ws.wire.status import JobStatus, Reason

from .cause import Verdict, verdict

STOPPED = Verdict(JobStatus.STOPPED, Reason.STOPPED_BY_USER, Code.STOPPED)
"""The end of a job that was stopped before anything ran."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The queue let the job go; `gpus` are leased to it, by UUID."""

    gpus: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Launched:
    """The launcher has started it, and this is how to find it."""

    handle: Handle
    launcher: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class LaunchFailed:
    """Nothing was started."""

    fault: Fault
    reason: Reason
    at_ms: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A stop came before the launch: nothing was started, and nothing will be."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody wants the job to end."""

    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over and its log was read to the end; `tail` are its last lines, `suspect` is an exception near
    the end of the log that looked handled.
    """

    exit: Exit
    at_ms: int
    tail: Sequence[str] = ()
    suspect: Fault | None = None


Signal = Admitted | Launched | LaunchFailed | Withdrawn | StopRequested | Ended


class Action(Enum):
    """What the outside has to do after a step was stored."""

    LAUNCH = auto()
    STOP = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of one signal. An unchanged record with no events and actions: nothing to do."""

    record: JobRecord
    events: Sequence[Status | Fault] = ()
    actions: Sequence[Action] = ()


def step(record: JobRecord, signal: Signal) -> Step:
    """What `signal` does to the job."""
    if record.status.terminal:
        return Step(record)
    match signal:
        case Admitted(gpus):
            return _admitted(record, gpus)
        case Launched():
            return _launched(record, signal)
        case LaunchFailed(fault, reason, at_ms):
            if not _is_launching(record):
                return Step(record)
            return _end(record, Verdict(JobStatus.FAILED, reason, fault.code, fault), None, at_ms)
        case Withdrawn(at_ms):
            if not (_is_launching(record) and record.status is JobStatus.STOPPING):
                return Step(record)
            return _end(record, STOPPED, None, at_ms)
        case StopRequested():
            return _stop(record, signal)
        case Ended(end, at_ms, tail, suspect):
            return _end(record, verdict(record, end, tail, suspect), end, end.ended_ms or at_ms)


def status_of(record: JobRecord) -> Status:
    """The status body that describes the record as it is."""
    return Status(
        record.status,
        record.code,
        exit_code=record.exit_code,
        signal=record.signal,
        oom_killed=record.oom_killed,
        reason=record.reason,
        requested_by=record.requested_by,
        message=record.message,
    )


def _to(record: JobRecord, status: JobStatus, code: Code) -> JobRecord:
    return replace(record, status=status, code=int(code), message=None)  # a message is about the state before


def _admitted(record: JobRecord, gpus: Sequence[str]) -> Step:
    if record.status is not JobStatus.QUEUED:
        return Step(record)
    record = _to(record, JobStatus.STARTING, Code.STARTING)
    if gpus:
        record = replace(record, resources={**record.resources, "gpu_ids": list(gpus)})
    return Step(record, (status_of(record),), (Action.LAUNCH,))


def _is_launching(record: JobRecord) -> bool:
    return record.handle is None and record.status in (JobStatus.STARTING, JobStatus.STOPPING)


def _launched(record: JobRecord, signal: Launched) -> Step:
    if not _is_launching(record):
        return Step(record)
    record = replace(record, handle=signal.handle, launcher=signal.launcher, started_ms=signal.at_ms)
    if record.status is JobStatus.STOPPING:  # the stop came while it was being launched
        return Step(record, (), (Action.STOP,))
    record = _to(record, JobStatus.RUNNING, Code.RUNNING)
    return Step(record, (status_of(record),))


def _stop(record: JobRecord, signal: StopRequested) -> Step:
    if record.status is JobStatus.STOPPING:
        return Step(record, (), (Action.STOP,) if record.handle is not None else ())
    queued = record.status is JobStatus.QUEUED
    record = replace(
        _to(record, JobStatus.STOPPING, Code.STOPPING), requested_by=signal.by, stop_requested_ms=signal.at_ms
    )
    stopping = status_of(record)
    if queued:  # nothing runs yet: it is over
        ended = _end(record, STOPPED, None, signal.at_ms)
        return Step(ended.record, (stopping, *ended.events))
    return Step(record, (stopping,), (Action.STOP,) if record.handle is not None else ())


def _end(record: JobRecord, found: Verdict, end: Exit | None, at_ms: int) -> Step:
    record = replace(
        record,
        status=found.status,
        code=int(found.code),
        message=None,
        reason=found.reason,
        ended_ms=at_ms,
        exit_code=end.exit_code if end else None,
        signal=end.signal if end else None,
        oom_killed=(end.oom_killed or None) if end else None,
        started_ms=(end.started_ms if end else None) or record.started_ms,
    )
    if found.fault is not None:
        record = replace(record, last_error={"timestamp": at_ms, **found.fault.body(record.language)})
    elif found.status is not JobStatus.FAILED:  # it did not die of what its log told; the events still tell it
        record = replace(record, last_error=None)
    faults = (found.fault,) if found.fault is not None else ()
    return Step(record, (*faults, status_of(record)))
