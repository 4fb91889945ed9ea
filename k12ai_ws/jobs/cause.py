"""The cause of death: what a job's end means, from what its launcher, its log and its user did. Pure."""

import signal as signals
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit, JobRecord
from k12ai_ws.wire.status import JobStatus, Reason

STOPPING_SIGNALS = frozenset({signals.SIGTERM, signals.SIGKILL, signals.SIGINT})
SHELL_SIGNAL = 128
"""A shell reports a child's death by signal n as exit code 128 + n."""
CRASH_MS = 600_000
"""An error longer before the job's end tells nothing of the signal that ended it."""
_SIGNAL_WORDS: Mapping[str, signals.Signals] = {
    "Segmentation fault": signals.SIGSEGV,
    "Bus error": signals.SIGBUS,
    "Illegal instruction": signals.SIGILL,
    "Floating point exception": signals.SIGFPE,
    "Trace/breakpoint trap": signals.SIGTRAP,
    "Bad system call": signals.SIGSYS,
    "Killed": signals.SIGKILL,
    "Aborted": signals.SIGABRT,
    "Terminated": signals.SIGTERM,
    "KeyboardInterrupt": signals.SIGINT,
}
"""What a log calls the death by a signal."""

EXCEPTION_REASONS: Mapping[int, Reason] = {
    Code.GPU_OUT_OF_MEMORY: Reason.GPU_OUT_OF_MEMORY,
    Code.OUT_OF_MEMORY: Reason.OUT_OF_MEMORY,
}
"""Exceptions whose code is a reason of its own."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a job ended. `fault` is an error event to add where the log itself did not tell the cause."""

    status: JobStatus
    reason: Reason
    code: int
    fault: Fault | None = None


def verdict(record: JobRecord, end: Exit, tail: Sequence[str] = (), suspect: Fault | None = None) -> Verdict:
    """What the end of `record`'s run means; `tail` are the last lines that it printed, `suspect` is an exception near
    them that looked handled: it is the cause where nothing else explains a failure.

    A stop that was asked for never hides that the job died of something else: it counts only where it reached the
    living job. A signal that no stop sends is the true cause, and so is an exception printed before the stop where the
    job then ended with an exit code, as an exception's way is; one that the stop's own signal had to end, or that
    ended well, had survived its exception. So it is with memory: a job that our own signal ended, or that took it, had
    survived the kernel's killing of a child of it; and where the kernel killed the job itself between our SIGTERM and
    our SIGKILL, nobody can tell the two, and it was to end anyway.
    """
    if end.lost:
        text = end.message or "the run vanished: its supervisor or its machine died, and nobody saw how the job ended"
        return Verdict(JobStatus.LOST, Reason.HOST_LOST, Code.LOST, Fault(Code.LOST, text))
    if end.engine_failed:
        text = end.message or "the engine that ran the job failed, and the job ended with it"
        return _failed(Reason.ENGINE_FAILED, Code.ENGINE_FAILED, text)
    stopped = _is_stopped(record, end)
    ordered = stopped or (end.timed_out and _is_stop(end))
    if end.oom_killed and end.exit_code != 0 and not ordered:  # a job may succeed without a child that was killed
        return _failed(
            Reason.OUT_OF_MEMORY, Code.OUT_OF_MEMORY, end.message or "the kernel killed the job: out of memory"
        )
    if end.command_not_found:
        return _failed(Reason.COMMAND_NOT_FOUND, Code.COMMAND_FAILED, end.message or "the job's command was not found")
    if end.timed_out:
        said = None if end.oom_killed else end.message  # of an end for memory, which this one is not
        return _failed(
            Reason.TIME_LIMIT, Code.TIME_LIMIT, said or "the job ran longer than its time limit and was ended"
        )
    if stopped:
        return Verdict(JobStatus.STOPPED, Reason.STOPPED_BY_USER, Code.STOPPED)
    if end.exit_code == 0:
        return Verdict(JobStatus.FINISHED, Reason.COMPLETED, Code.FINISHED)
    return _own_death(_exception(record, suspect), end, tail, tells_signal=_tells_signal(record, suspect, end))


def _is_stopped(record: JobRecord, end: Exit) -> bool:
    """Whether a stop that was asked for is what ended the job."""
    delivered = record.stop_requested_ms is not None and end.stop_delivered
    return delivered and _is_stop(end) and not (_is_own_exit(end) and _failed_before_stop(record))


def _failed_before_stop(record: JobRecord) -> bool:
    error, stop = record.last_error, record.stop_requested_ms
    return error is not None and stop is not None and int(error["timestamp"]) < stop


def _signal_of(end: Exit) -> int | None:
    """The signal that ended the job, or that a shell says ended its child."""
    if end.signal is not None:
        return end.signal
    number = (end.exit_code or 0) - SHELL_SIGNAL
    return number if number in signals.valid_signals() else None


def _is_stop(end: Exit) -> bool:
    """Whether this end is one that a delivered stop explains: any exit, but no signal of the job's own making."""
    number = _signal_of(end)
    return number is None or number in STOPPING_SIGNALS


def _is_own_exit(end: Exit) -> bool:
    return _signal_of(end) is None and end.exit_code != 0


def _exception(record: JobRecord, suspect: Fault | None) -> Verdict | None:
    """What the job's last exception means as a cause: the one that its log told, or else the suspect one, which is then
    still to be told. None where there is neither.
    """
    if record.last_error is None and suspect is None:
        return None
    told = record.last_error is not None
    error = record.last_error or (suspect.body() if suspect else {})
    code = int(error["code"])
    return Verdict(JobStatus.FAILED, EXCEPTION_REASONS.get(code, Reason.EXCEPTION), code, None if told else suspect)


def _tells_signal(record: JobRecord, suspect: Fault | None, end: Exit) -> bool:
    """Whether the job's last exception is that of the signal that a shell says it ended by."""
    told = record.last_error
    error = told or (suspect.body() if suspect else {})
    if told is not None and end.ended_ms is not None and end.ended_ms - int(told["timestamp"]) > CRASH_MS:
        return False
    detail = error.get("detail") or {}
    text, code = str(detail.get("exc_text") or ""), detail.get("exit_code")
    said = text.partition("\n")[0] if text.startswith("Fatal Python error") else str(detail.get("exc_type") or "")
    of_it = next((number for word, number in _SIGNAL_WORDS.items() if word in said), None)
    if isinstance(code, int) and code < 0:
        of_it = signals.Signals(-code) if -code in set(signals.Signals) else None
    return of_it is None or of_it == _signal_of(end)


def _own_death(exception: Verdict | None, end: Exit, tail: Sequence[str], *, tells_signal: bool) -> Verdict:
    if exception is not None and _signal_of(end) in (None, signals.SIGABRT):
        return exception
    if exception is not None and exception.code == Code.KILLED_BY_SIGNAL and end.signal is None and tells_signal:
        return Verdict(JobStatus.FAILED, Reason.SIGNAL, Code.KILLED_BY_SIGNAL, exception.fault)  # the log says so too
    if end.signal is not None:
        return _failed(Reason.SIGNAL, Code.KILLED_BY_SIGNAL, _about_signal(end.signal))
    number = _signal_of(end)
    if number is not None:
        text = f"the job exited with code {end.exit_code}: as a shell says it, {_about_signal(number)}"
    elif end.exit_code is None:
        text = "the job ended, and neither an exit code nor a signal is known"
    else:
        text = f"the job exited with code {end.exit_code} and printed no exception"
    if tail:
        text += "; its last lines were:\n" + "\n".join(tail)
    return _failed(Reason.EXIT_CODE, Code.UNKNOWN, text)


def _about_signal(number: int) -> str:
    known = number in set(signals.Signals)  # not valid_signals(): the real-time ones have numbers, but no names
    name = signals.Signals(number).name if known else f"signal {number}"
    hints = {
        signals.SIGKILL: "somebody or the kernel killed it; that alone is no proof of too little memory, so look at "
        "the machine's kernel log (dmesg) for the out-of-memory killer",
        signals.SIGSEGV: "a crash in native code: run with PYTHONFAULTHANDLER=1 to see the Python line it came from",
        signals.SIGABRT: "native code gave up (abort); its reason usually stands in the last lines of the log",
        signals.SIGBUS: "often shared memory or disk that ran out under a memory-mapped file",
        signals.SIGTERM: "somebody asked the process to end, but not through this server",
    }
    hint = hints.get(signals.Signals(number)) if known else None
    return f"the job was killed by {name}" + (f": {hint}" if hint else "")


def _failed(reason: Reason, code: Code, message: str) -> Verdict:
    return Verdict(JobStatus.FAILED, reason, code, Fault(code, message))
