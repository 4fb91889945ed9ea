"""The job's record survives its way through JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.wire.envelope import encode
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import TERMINAL, JobStatus, Reason

NUMBERS = st.none() | st.integers(0, 2**53)
OBJECTS = st.none() | st.dictionaries(st.text(), st.text() | st.integers(0, 9), max_size=2)
RECORDS = st.builds(
    JobRecord,
    job_id=st.text(),
    user=st.text(),
    service_uuid=st.text(),
    service_name=st.text(),
    task=st.text(),
    params=st.dictionaries(st.text(), st.text(), max_size=2),
    created_ms=st.integers(0, 2**53),
    language=st.sampled_from(["en", "zh"]),
    status=st.sampled_from(JobStatus),
    code=st.integers(0, 10**6),
    reason=st.none() | st.sampled_from(Reason),
    started_ms=NUMBERS,
    ended_ms=NUMBERS,
    exit_code=NUMBERS,
    signal=NUMBERS,
    oom_killed=st.none() | st.booleans(),
    requested_by=st.none() | st.text(),
    handle=OBJECTS,
    last_metrics=OBJECTS,
    last_error=OBJECTS,
    idempotency_key=st.none() | st.text(),
)


@given(RECORDS)
def test_from_json_is_the_inverse_of_to_json(record: JobRecord) -> None:
    assert JobRecord.from_json(json.loads(encode(record.to_json()))) == record


def test_a_record_of_a_newer_version_is_read() -> None:
    record = JobRecord("j", "u", "p", "s", "train", {}, 1)
    assert JobRecord.from_json(record.to_json() | {"of_the_future": 1}) == record


def test_a_record_of_an_older_version_is_read() -> None:
    old = {"job_id": "j", "user": "u", "service_uuid": "p", "service_name": "s", "task": "train", "params": {}}
    assert JobRecord.from_json(old | {"created_ms": 1, "status": "failed"}).status is JobStatus.FAILED


def test_four_states_are_terminal() -> None:
    assert {s.value for s in TERMINAL} == {"finished", "failed", "stopped", "lost"}
    assert {s for s in JobStatus if s.terminal} == TERMINAL
