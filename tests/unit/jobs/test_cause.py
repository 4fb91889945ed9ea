"""The cause of death, case by case."""

import signal
from dataclasses import replace

import pytest

from k12ai_ws.jobs.cause import verdict
from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit, JobRecord
from k12ai_ws.wire.status import JobStatus, Reason

RUNNING = JobRecord("j", "u", "p", "s", "train", {}, 1, status=JobStatus.RUNNING, handle={})
STOPPING = replace(RUNNING, status=JobStatus.STOPPING, stop_requested_ms=100, requested_by="u")
BEFORE = {"timestamp": 50, "code": int(Code.VALUE_ERROR)}
AFTER = {"timestamp": 150, "code": int(Code.VALUE_ERROR)}
AT = {"timestamp": 100, "code": int(Code.VALUE_ERROR)}
CRASH = {"timestamp": 50, "code": int(Code.KILLED_BY_SIGNAL)}
DELIVERED = {"stop_delivered": True}

FINISHED = (JobStatus.FINISHED, Reason.COMPLETED, Code.FINISHED)
STOPPED = (JobStatus.STOPPED, Reason.STOPPED_BY_USER, Code.STOPPED)
EXCEPTION = (JobStatus.FAILED, Reason.EXCEPTION, Code.VALUE_ERROR)
EXIT = (JobStatus.FAILED, Reason.EXIT_CODE, Code.UNKNOWN)
SIGNAL = (JobStatus.FAILED, Reason.SIGNAL, Code.KILLED_BY_SIGNAL)
MEMORY = (JobStatus.FAILED, Reason.OUT_OF_MEMORY, Code.OUT_OF_MEMORY)
TIME = (JobStatus.FAILED, Reason.TIME_LIMIT, Code.TIME_LIMIT)
LOST = (JobStatus.LOST, Reason.HOST_LOST, Code.LOST)
ENGINE = (JobStatus.FAILED, Reason.ENGINE_FAILED, Code.ENGINE_FAILED)
COMMAND = (JobStatus.FAILED, Reason.COMMAND_NOT_FOUND, Code.COMMAND_FAILED)


def with_error(record: JobRecord, error) -> JobRecord:
    return replace(record, last_error=error)


CASES = {
    "a good end": (RUNNING, Exit(exit_code=0), FINISHED),
    "a good end after an exception that was handled": (with_error(RUNNING, BEFORE), Exit(exit_code=0), FINISHED),
    "an exit code": (RUNNING, Exit(exit_code=3), EXIT),
    "an exception": (with_error(RUNNING, BEFORE), Exit(exit_code=1), EXCEPTION),
    "a signal": (RUNNING, Exit(signal=signal.SIGSEGV), SIGNAL),
    "a signal after an exception that was handled": (with_error(RUNNING, BEFORE), Exit(signal=signal.SIGKILL), SIGNAL),
    "an abort with its exception": (with_error(RUNNING, BEFORE), Exit(signal=signal.SIGABRT), EXCEPTION),
    "an abort without": (RUNNING, Exit(signal=signal.SIGABRT), SIGNAL),
    "a shell's abort with its exception": (with_error(RUNNING, BEFORE), Exit(exit_code=134), EXCEPTION),
    "a shell's word on a crash, and its log's": (with_error(RUNNING, CRASH), Exit(exit_code=139), SIGNAL),
    "137 is no proof of too little memory": (RUNNING, Exit(exit_code=137), EXIT),
    "137 after an exception that was handled": (with_error(RUNNING, BEFORE), Exit(exit_code=137), EXIT),
    "SIGKILL by somebody": (RUNNING, Exit(signal=signal.SIGKILL), SIGNAL),
    "SIGTERM by somebody": (RUNNING, Exit(signal=signal.SIGTERM, stop_delivered=True), SIGNAL),
    "the kernel killed it": (RUNNING, Exit(signal=signal.SIGKILL, oom_killed=True), MEMORY),
    "the kernel killed it, as a shell says": (RUNNING, Exit(exit_code=137, oom_killed=True), MEMORY),
    "memory or the grace's end during a stop": (STOPPING, Exit(signal=9, oom_killed=True, **DELIVERED), STOPPED),
    "a child killed for memory long before the stop": (
        STOPPING, Exit(signal=15, oom_killed=True, **DELIVERED), STOPPED
    ),
    "the same, the stop taken with an exit code": (STOPPING, Exit(exit_code=1, oom_killed=True, **DELIVERED), STOPPED),
    "the same, the stop as a shell says it": (STOPPING, Exit(exit_code=143, oom_killed=True, **DELIVERED), STOPPED),
    "a child killed for memory, its exception, then a stop": (
        with_error(STOPPING, BEFORE), Exit(exit_code=1, oom_killed=True, **DELIVERED), MEMORY
    ),
    "a child killed for memory, and a crash during the stop": (
        STOPPING, Exit(signal=signal.SIGSEGV, oom_killed=True, **DELIVERED), MEMORY
    ),
    "memory, and a stop that came too late": (STOPPING, Exit(signal=9, oom_killed=True), MEMORY),
    "memory, and a stop that nobody asked for": (RUNNING, Exit(signal=9, oom_killed=True, **DELIVERED), MEMORY),
    "a child killed for memory long before the time limit": (
        RUNNING, Exit(signal=15, oom_killed=True, timed_out=True), TIME
    ),
    "the same, killed after the grace": (RUNNING, Exit(signal=9, oom_killed=True, timed_out=True), TIME),
    "a child killed for memory, and a crash at the time limit": (
        RUNNING, Exit(signal=signal.SIGSEGV, oom_killed=True, timed_out=True), MEMORY
    ),
    "the kernel killed a child of it, and it went well": (RUNNING, Exit(exit_code=0, oom_killed=True), FINISHED),
    "the time limit": (RUNNING, Exit(signal=signal.SIGTERM, timed_out=True), TIME),
    "the time limit, taken gracefully": (RUNNING, Exit(exit_code=0, timed_out=True), TIME),
    "no such command": (RUNNING, Exit(command_not_found=True), COMMAND),
    "lost": (RUNNING, Exit(lost=True), LOST),
    "the engine failed": (RUNNING, Exit(engine_failed=True), ENGINE),
    "the engine failed during a stop": (STOPPING, Exit(signal=9, engine_failed=True, **DELIVERED), ENGINE),
    "the same after an exception": (with_error(RUNNING, BEFORE), Exit(exit_code=1, engine_failed=True), ENGINE),
    "lost during a stop": (STOPPING, Exit(lost=True, stop_delivered=True), LOST),
    "stop by SIGTERM": (STOPPING, Exit(signal=signal.SIGTERM, **DELIVERED), STOPPED),
    "stop by SIGKILL": (STOPPING, Exit(signal=signal.SIGKILL, **DELIVERED), STOPPED),
    "stop, taken as KeyboardInterrupt": (STOPPING, Exit(signal=signal.SIGINT, **DELIVERED), STOPPED),
    "stop, gracefully": (STOPPING, Exit(exit_code=0, **DELIVERED), STOPPED),
    "stop, with an exit code": (STOPPING, Exit(exit_code=1, **DELIVERED), STOPPED),
    "stop, as a shell says it": (STOPPING, Exit(exit_code=143, **DELIVERED), STOPPED),
    "stop by SIGKILL, as a shell says it": (STOPPING, Exit(exit_code=137, **DELIVERED), STOPPED),
    "stop, 255": (STOPPING, Exit(exit_code=255, **DELIVERED), STOPPED),
    "stop that raises in the job": (with_error(STOPPING, AFTER), Exit(exit_code=1, **DELIVERED), STOPPED),
    "stop in the same millisecond as an exception": (with_error(STOPPING, AT), Exit(exit_code=1, **DELIVERED), STOPPED),
    "an exception before the stop": (with_error(STOPPING, BEFORE), Exit(exit_code=1, **DELIVERED), EXCEPTION),
    "an exception handled long before the stop": (with_error(STOPPING, BEFORE), Exit(signal=15, **DELIVERED), STOPPED),
    "the same, killed": (with_error(STOPPING, BEFORE), Exit(signal=9, **DELIVERED), STOPPED),
    "the same, as a shell says it": (with_error(STOPPING, BEFORE), Exit(exit_code=143, **DELIVERED), STOPPED),
    "the same, gracefully": (with_error(STOPPING, BEFORE), Exit(exit_code=0, **DELIVERED), STOPPED),
    "a crash during the stop": (STOPPING, Exit(signal=signal.SIGSEGV, **DELIVERED), SIGNAL),
    "a crash during the stop, as a shell says it": (STOPPING, Exit(exit_code=139, **DELIVERED), EXIT),
    "a stop that came too late": (STOPPING, Exit(exit_code=0), FINISHED),
    "a stop that came too late for a failure": (STOPPING, Exit(exit_code=2), EXIT),
    "a stop that came too late for an exception": (with_error(STOPPING, BEFORE), Exit(exit_code=1), EXCEPTION),
    "nobody knows how": (RUNNING, Exit(), EXIT),
    "an error without a code of ours": (
        with_error(RUNNING, {"timestamp": 1, "code": 42}), Exit(exit_code=1), (JobStatus.FAILED, Reason.EXCEPTION, 42)
    ),
    "GPU memory": (
        with_error(RUNNING, {"timestamp": 1, "code": 100906}), Exit(exit_code=1),
        (JobStatus.FAILED, Reason.GPU_OUT_OF_MEMORY, Code.GPU_OUT_OF_MEMORY),
    ),
    "MemoryError": (with_error(RUNNING, {"timestamp": 1, "code": 100901}), Exit(exit_code=1), MEMORY),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_cause(name: str) -> None:
    record, end, expected = CASES[name]
    found = verdict(record, end)
    assert (found.status, found.reason, found.code) == expected


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_added_exactly_where_the_log_did_not_tell_the_cause(name: str) -> None:
    record, end, (status, _, code) = CASES[name]
    found = verdict(record, end)
    told = status in (JobStatus.FINISHED, JobStatus.STOPPED) or (
        record.last_error is not None and code == record.last_error["code"]
    )
    assert (found.fault is None) == told
    if found.fault is not None:
        assert found.fault.code == code
        assert found.fault.message
        assert found.fault.severity == "error"


@pytest.mark.parametrize("number", [*range(1, 65), 0, -1, 65, 1000])
@pytest.mark.parametrize("as_shell", [False, True])
@pytest.mark.parametrize("record", [RUNNING, STOPPING], ids=["running", "stopping"])
def test_any_number_of_a_signal_has_a_verdict(record: JobRecord, number: int, as_shell: bool) -> None:
    end = Exit(exit_code=128 + number, stop_delivered=True) if as_shell else Exit(signal=number, stop_delivered=True)
    found = verdict(record, end)
    assert found.status.terminal
    if record is RUNNING:
        assert found.status is JobStatus.FAILED
        assert str(end.exit_code if as_shell else number) in found.fault.message or "SIG" in found.fault.message


def test_the_last_lines_are_shown_where_nothing_else_tells() -> None:
    text = verdict(RUNNING, Exit(exit_code=3), ("one", "two")).fault.message
    assert text == "the job exited with code 3 and printed no exception; its last lines were:\none\ntwo"


def crash(name: str, text: str = "", at_ms: int = 50, **detail) -> dict:
    detail |= {"exc_type": name, "exc_text": text}
    return {"timestamp": at_ms, "code": int(Code.KILLED_BY_SIGNAL), "detail": detail}


@pytest.mark.parametrize(
    ("error", "exit_code", "tells"),
    [
        (crash("KeyboardInterrupt"), 130, True),
        (crash("KeyboardInterrupt"), 143, False),
        (crash("Segmentation fault"), 139, True),
        (crash("Segmentation fault"), 137, False),
        (crash("Segmentation fault", "Fatal Python error: Segmentation fault\n\n<no Python frame>"), 139, True),
        (crash("a.ChildFailedError", exit_code=-9), 137, True),
        (crash("a.ChildFailedError", exit_code=-9), 139, False),
        (crash("BrokenProcessPool"), 137, True),
        (crash("Killed", at_ms=-600_000), 137, False),
    ],
)
def test_an_error_tells_the_cause_only_of_its_own_signal_and_near_the_end(error, exit_code: int, tells: bool) -> None:
    found = verdict(with_error(RUNNING, error), Exit(exit_code=exit_code, ended_ms=100), ("the last line",))
    assert (found.reason, found.fault is None) == ((Reason.SIGNAL, True) if tells else (Reason.EXIT_CODE, False))
    if found.fault is not None:
        assert found.fault.message.endswith("its last lines were:\nthe last line")


def test_what_a_shell_says_is_explained() -> None:
    text = verdict(RUNNING, Exit(exit_code=137)).fault.message
    assert "137" in text
    assert "SIGKILL" in text
    assert "no proof of too little memory" in text


def test_the_launchers_own_words_are_kept() -> None:
    for end in (
        Exit(lost=True, message="m"),
        Exit(command_not_found=True, message="m"),
        Exit(timed_out=True, message="m"),
        Exit(engine_failed=True, message="m"),
        Exit(exit_code=137, oom_killed=True, message="m"),
    ):
        assert verdict(RUNNING, end).fault.message == "m"


def test_what_the_launcher_says_of_memory_is_not_said_of_the_time_limit() -> None:
    end = Exit(signal=9, oom_killed=True, timed_out=True, message="limit 1.0 GiB")
    assert verdict(RUNNING, end).fault.message == "the job ran longer than its time limit and was ended"


SUSPECT = Fault(Code.GPU_OUT_OF_MEMORY, "OutOfMemoryError: x")


@pytest.mark.parametrize(
    ("record", "end", "expected", "fault"),
    [
        (RUNNING, Exit(exit_code=1), (JobStatus.FAILED, Reason.GPU_OUT_OF_MEMORY, Code.GPU_OUT_OF_MEMORY), SUSPECT),
        (with_error(RUNNING, BEFORE), Exit(exit_code=1), EXCEPTION, None),
        (RUNNING, Exit(exit_code=0), FINISHED, None),
        (STOPPING, Exit(exit_code=1, **DELIVERED), STOPPED, None),
    ],
    ids=["it is the cause", "the log told another", "it was handled", "it came of the stop"],
)
def test_an_exception_that_looked_handled(record: JobRecord, end: Exit, expected, fault) -> None:
    found = verdict(record, end, suspect=SUSPECT)
    assert (found.status, found.reason, found.code) == expected
    assert found.fault is fault
