"""Of the errors of several processes, the job's own is that of the first one that failed."""

import json
from typing import Any

import pytest

from k12ai_ws.jobs.culprit import Culprit
from k12ai_ws.jobs.reading import LogReader
from k12ai_ws.launchers.launcher import Chunk
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.store.store import LogPosition
from k12ai_ws.wire.envelope import encode
from k12ai_ws.wire.job import JobRecord

RECORD = JobRecord("j", "u", "p", "s", "train", {}, 1)
MINUTE = 60_000


def error(at_ms: int, name: str, text: str = "", rank: int | None = None, **detail: Any) -> dict[str, Any]:
    detail |= {"exc_type": name, "exc_text": text} | ({} if rank is None else {"rank": rank})
    return {"timestamp": at_ms, "code": 1, "detail": detail}


def own(*errors: dict[str, Any]) -> tuple[str, int | None]:
    """Type and rank of the job's own error, the state stored and taken up after each."""
    last: Any = None
    culprit = Culprit()
    for item in errors:
        last = culprit.takes(item) or last
        culprit = Culprit(json.loads(json.dumps(culprit.state)))
    return last["detail"]["exc_type"], last["detail"].get("rank")


CLOSED = "Connection closed by peer [127.0.0.1]:2345"
WATCHDOG = "[Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1)"


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([error(1, "ValueError")], ("ValueError", None)),
        ([error(1, "ValueError"), error(2, "KeyError")], ("KeyError", None)),
        ([error(1, "ValueError", rank=1), error(2, "KeyError", rank=0)], ("ValueError", 1)),
        ([error(1, "ValueError", rank=1), error(2, "KeyError", rank=1)], ("KeyError", 1)),
        ([error(1, "ValueError", rank=1), error(2 + MINUTE, "KeyError", rank=0)], ("KeyError", 0)),
        ([error(1, "ValueError", rank=1), error(2, "RuntimeError", CLOSED, 0)], ("ValueError", 1)),
        ([error(1, "RuntimeError", CLOSED, 0), error(2, "ValueError", rank=1)], ("ValueError", 1)),
        ([error(1, "RuntimeError", CLOSED, 0), error(2, "RuntimeError", CLOSED, 3)], ("RuntimeError", 0)),
        ([error(1, "ValueError", rank=1), error(30 * MINUTE, "DistBackendError", WATCHDOG, 0)], ("ValueError", 1)),
        ([error(1, "ValueError"), error(30 * MINUTE, "ConnectionResetError")], ("ConnectionResetError", None)),
        ([error(1, "ValueError"), error(500, "BrokenPipeError")], ("ValueError", None)),
        ([error(1, "ValueError", rank=1), error(9, "a.ChildFailedError", rank=1, exit_code=1)], ("ValueError", 1)),
        ([error(1, "ValueError"), error(9, "a.ChildFailedError", rank=1, exit_code=1)], ("ValueError", None)),
        ([error(1, "ValueError"), error(9, "a.ChildFailedError", rank=1, exit_code=-9)], ("a.ChildFailedError", 1)),
        (
            [error(1, "std::bad_alloc", language="cpp"), error(9, "a.ChildFailedError", rank=1, exit_code=-6)],
            ("std::bad_alloc", None),
        ),
        ([error(1, "ValueError"), error(11 * MINUTE, "a.ChildFailedError", rank=1)], ("a.ChildFailedError", 1)),
        ([error(1, "a.ChildFailedError", rank=1), error(2, "a.ChildFailedError", rank=1)], ("a.ChildFailedError", 1)),
        (
            [
                error(1, "KeyError", rank=0),
                error(2, "ValueError", rank=1),
                error(9, "a.ChildFailedError", rank=1, exit_code=1),
            ],
            ("ValueError", 1),
        ),
    ],
)
def test_the_jobs_own_error(errors: list[dict[str, Any]], expected: tuple[str, int | None]) -> None:
    assert own(*errors) == expected


def test_what_is_kept_is_bounded() -> None:
    culprit = Culprit()
    for rank in range(1000):
        culprit.takes(error(rank, "ValueError", "x" * 1000, rank))
    assert len(json.dumps(culprit.state)) < 10_000


def test_any_error_of_a_driver_is_taken() -> None:
    for detail in ({}, {"rank": "first"}, {"exit_code": "1", "exc_type": None, "exc_text": 3}, {"rank": [1]}):
        assert Culprit().takes({"timestamp": 1, "code": 1, "detail": detail}) is not None


LOG = """[rank0]: Traceback (most recent call last):
[rank0]:   File "t.py", line 1, in <module>
[rank0]:     f()
[rank0]: RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:525] Connection closed by peer
[rank1]: Traceback (most recent call last):
[rank1]:   File "t.py", line 1, in <module>
[rank1]:     f()
[rank1]: ValueError: bad row
[rank2]: Traceback (most recent call last):
[rank2]:   File "t.py", line 1, in <module>
[rank2]:     f()
[rank2]: RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:525] Connection closed by peer
Traceback (most recent call last):
  File "run.py", line 197, in __call__
    raise ChildFailedError(
torch.distributed.elastic.multiprocessing.errors.ChildFailedError: train.py FAILED
"""


@pytest.mark.parametrize("size", [7, 100, 10_000])
def test_a_job_of_many_processes_dies_of_the_first_that_failed(size: int) -> None:
    """Read in pieces, each by a reader that takes up where the one before stored."""
    pieces = [LOG.encode()[at : at + size] for at in range(0, len(LOG), size)]
    stored: LogPosition | None = None
    last: Any = None
    events: list[str] = []
    reader = LogReader(RECORD, lambda: Pipeline(["auto"]), stored)
    for number, piece in enumerate(pieces):
        reading = reader.read([Chunk(piece, "stdout", 1000 + number, min(len(LOG), (number + 1) * size))])
        last = reading.last_error or last
        events += [event.type for event in reading.events]
        if reading.position is not None:
            stored = LogPosition(reading.position.offset, json.loads(encode(reading.position.state)))
            reader = LogReader(RECORD, lambda: Pipeline(["auto"]), stored)
    reading = reader.close(5000)
    last = reading.last_error or last
    events += [event.type for event in reading.events]
    assert (last["detail"]["exc_type"], last["detail"]["rank"]) == ("ValueError", 1)
    assert events.count("error") == 4
