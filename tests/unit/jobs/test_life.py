"""The job's life: every state with every signal, and any sequence of signals."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.jobs.life import (
    Action,
    Admitted,
    Ended,
    Launched,
    LaunchFailed,
    StopRequested,
    Withdrawn,
    status_of,
    step,
)
from k12ai_ws.wire.bodies import Fault, Status
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit, JobRecord
from k12ai_ws.wire.status import TERMINAL, JobStatus, Reason

BASE = JobRecord("j", "u", "p", "s", "train", {}, 1, code=int(Code.QUEUED))
STARTING = replace(BASE, status=JobStatus.STARTING, code=int(Code.STARTING))
RUNNING = replace(STARTING, status=JobStatus.RUNNING, handle={"pid": 1}, launcher="fake", started_ms=5)
STOP = {"status": JobStatus.STOPPING, "requested_by": "u", "stop_requested_ms": 7}
STATES = {
    "queued": BASE,
    "starting": STARTING,
    "running": RUNNING,
    "stopping": replace(RUNNING, **STOP),
    "stopping, not launched": replace(STARTING, **STOP),
} | {s.value: replace(RUNNING, status=s, ended_ms=8) for s in JobStatus if s in TERMINAL}

SIGNALS = {
    "admitted": Admitted(),
    "launched": Launched({"pid": 2}, "fake", 10),
    "launch failed": LaunchFailed(Fault(Code.START_FAILED, "why"), Reason.LAUNCH_FAILED, 10),
    "withdrawn": Withdrawn(10),
    "stop": StopRequested("me", 10),
    "ended well": Ended(Exit(exit_code=0, started_ms=6, ended_ms=9), 10),
    "ended badly": Ended(Exit(exit_code=3), 10, ("last line",)),
    "ended by stop": Ended(Exit(signal=15, stop_delivered=True), 10),
    "lost": Ended(Exit(lost=True), 10),
}

NOTHING = (None, [], [])
# state -> signal -> (the next status or None for an unchanged record, the events, the actions)
RUNNING_ENDS = {
    "ended well": ("finished", ["finished"], []),
    "ended badly": ("failed", ["error", "failed"], []),
    "ended by stop": ("failed", ["error", "failed"], []),  # nobody asked for a stop
    "lost": ("lost", ["error", "lost"], []),
}
TABLE = {
    "queued": {
        "admitted": ("starting", ["starting"], [Action.LAUNCH]),
        "launched": NOTHING,
        "launch failed": NOTHING,
        "withdrawn": NOTHING,
        "stop": ("stopped", ["stopping", "stopped"], []),
        **RUNNING_ENDS,
    },
    "starting": {
        "admitted": NOTHING,
        "launched": ("running", ["running"], []),
        "launch failed": ("failed", ["error", "failed"], []),
        "withdrawn": NOTHING,
        "stop": ("stopping", ["stopping"], []),
        **RUNNING_ENDS,
    },
    "running": {
        "admitted": NOTHING,
        "launched": NOTHING,
        "launch failed": NOTHING,
        "withdrawn": NOTHING,
        "stop": ("stopping", ["stopping"], [Action.STOP]),
        **RUNNING_ENDS,
    },
    "stopping": {
        "admitted": NOTHING,
        "launched": NOTHING,
        "launch failed": NOTHING,
        "withdrawn": NOTHING,
        "stop": (None, [], [Action.STOP]),
        **RUNNING_ENDS,
        "ended by stop": ("stopped", ["stopped"], []),
    },
    "stopping, not launched": {
        "admitted": NOTHING,
        "launched": ("stopping", [], [Action.STOP]),
        "launch failed": ("failed", ["error", "failed"], []),
        "withdrawn": ("stopped", ["stopped"], []),
        "stop": NOTHING,
        **RUNNING_ENDS,
        "ended by stop": ("stopped", ["stopped"], []),
    },
} | {s.value: dict.fromkeys(SIGNALS, NOTHING) for s in TERMINAL}


def names(events) -> list[str]:
    return [e.value.value if isinstance(e, Status) else e.type for e in events]


@pytest.mark.parametrize(("state", "signal"), [(a, b) for a in STATES for b in SIGNALS])
def test_every_state_with_every_signal(state: str, signal: str) -> None:
    record = STATES[state]
    done = step(record, SIGNALS[signal])
    status, events, actions = TABLE[state][signal]
    assert (names(done.events), list(done.actions)) == (events, actions)
    if status is None:
        assert done.record is record
    else:
        assert done.record.status == status
    if done.events and isinstance(done.events[-1], Status):
        assert done.events[-1] == status_of(done.record)


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(STATES)
    assert all(set(row) == set(SIGNALS) for row in TABLE.values())


@given(
    st.sampled_from(list(STATES)[:5]),
    st.lists(st.sampled_from(list(SIGNALS)), max_size=12),
    st.none() | st.builds(dict, timestamp=st.integers(0, 12), code=st.sampled_from([100919, 42, 100901])),
)
def test_any_sequence_of_signals(state: str, sequence: list[str], error) -> None:
    """Terminal at most once, nothing after it, and it is the last event; what happened is never taken back."""
    record = replace(STATES[state], last_error=error)
    events: list = []
    for name in sequence:
        before = record
        done = step(record, SIGNALS[name])
        record = done.record
        events += done.events
        if before.status.terminal:
            assert (done.record, list(done.events), list(done.actions)) == (before, [], [])
        if before.stop_requested_ms is not None:
            assert record.stop_requested_ms == before.stop_requested_ms, "the first stop is the one that counts"
            assert record.requested_by == before.requested_by
        if before.handle is not None:
            assert record.handle == before.handle
        if Action.STOP in done.actions:
            assert record.handle is not None
        assert (record.job_id, record.key, record.created_ms) == (before.job_id, before.key, before.created_ms)
    ends = [i for i, e in enumerate(events) if isinstance(e, Status) and e.value in TERMINAL]
    assert len(ends) == (1 if record.status.terminal else 0)
    if ends:
        assert ends == [len(events) - 1]
        assert events[-1].value is record.status
        assert record.reason is not None
        assert record.ended_ms is not None


def test_the_times_and_the_end_are_the_launchers() -> None:
    record = step(RUNNING, SIGNALS["ended well"]).record
    assert (record.started_ms, record.ended_ms, record.exit_code, record.code) == (6, 9, 0, Code.FINISHED)
    record = step(RUNNING, SIGNALS["ended badly"]).record
    assert (record.started_ms, record.ended_ms, record.exit_code) == (5, 10, 3)


def test_a_stop_in_the_queue_says_who_and_when() -> None:
    record = step(BASE, StopRequested("me", 10)).record
    assert (record.requested_by, record.stop_requested_ms, record.ended_ms, record.reason) == (
        "me", 10, 10, Reason.STOPPED_BY_USER
    )  # fmt: skip


def test_a_fault_of_the_end_is_the_jobs_last_error() -> None:
    record = step(replace(RUNNING, language="zh"), SIGNALS["ended badly"]).record
    assert record.last_error["timestamp"] == 10
    assert record.last_error["descr"] == "未知错误"
    assert "last line" in record.last_error["message"]


@pytest.mark.parametrize(
    ("state", "signal", "kept"),
    [("running", "ended well", False), ("running", "ended badly", True), ("stopping", "ended by stop", False)],
)
def test_an_error_that_the_job_did_not_die_of_is_none_of_its_own(state: str, signal: str, kept: bool) -> None:
    error = {"timestamp": 1, "code": int(Code.VALUE_ERROR)}
    record = step(replace(STATES[state], last_error=error), SIGNALS[signal]).record
    assert record.status.terminal
    assert record.last_error == (error if kept else None)


def test_the_leased_gpus_are_stored_with_the_admission() -> None:
    record = step(replace(BASE, resources={"gpus": 2}, message="waits for 2 GPUs"), Admitted(["GPU-a", "GPU-b"])).record
    assert record.resources == {"gpus": 2, "gpu_ids": ["GPU-a", "GPU-b"]}
    assert record.message is None, "why it waited is over"


def test_why_a_job_waited_is_not_said_of_its_end() -> None:
    waiting = replace(BASE, message="waits for 2 GPUs")
    done = step(waiting, StopRequested("me", 10))
    assert [e.message for e in done.events] == [None, None]


def test_a_suspect_exception_becomes_the_jobs_last_error() -> None:
    suspect = Fault(Code.VALUE_ERROR, "ValueError: x", detail={"exc_type": "ValueError"})
    done = step(RUNNING, Ended(Exit(exit_code=1), 10, suspect=suspect))
    assert done.events[0] == suspect
    assert (done.record.last_error["message"], done.record.code) == ("ValueError: x", Code.VALUE_ERROR)
