"""Of the errors of several processes, the job's own is that of the first one that failed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from k12ai_ws.jobs.cause import verdict
from k12ai_ws.jobs.culprit import Culprit
from k12ai_ws.jobs.reading import LogReader
from k12ai_ws.launchers.launcher import Chunk
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.store.store import LogPosition
from k12ai_ws.wire.envelope import encode
from k12ai_ws.wire.job import Exit, JobRecord
from k12ai_ws.wire.status import Reason

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
GLOO = "[../third_party/gloo/gloo/transport/tcp/pair.cc:525] Connection closed by peer [127.0.0.1]:2345"
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
        ([error(1, "ValueError"), error(500, "BrokenPipeError")], ("BrokenPipeError", None)),
        ([error(1, "ValueError"), error(30_000, "EOFError", "Ran out of input")], ("EOFError", None)),
        ([error(1, "ValueError"), error(50_000, "OSError", "[Errno 111] Connection refused")], ("OSError", None)),
        ([error(1, "ValueError", rank=0), error(500, "EOFError", rank=0)], ("EOFError", 0)),
        ([error(1, "ValueError", rank=1), error(500, "EOFError", rank=0)], ("ValueError", 1)),
        ([error(1, "ValueError", rank=1), error(500, "EOFError")], ("ValueError", 1)),
        ([error(1, "ValueError"), error(500, "RuntimeError", GLOO)], ("ValueError", None)),
        ([error(1, "ValueError"), error(500, "a.DistBackendError", WATCHDOG)], ("ValueError", None)),
        ([error(1, "ValueError"), error(2 * MINUTE, "RuntimeError", GLOO)], ("RuntimeError", None)),
        ([error(1, "ValueError", rank=1), error(9, "a.ChildFailedError", rank=1, exit_code=1)], ("ValueError", 1)),
        ([error(1, "ValueError"), error(9, "a.ChildFailedError", rank=1, exit_code=1)], ("ValueError", None)),
        ([error(1, "ValueError"), error(9, "a.ChildFailedError", rank=1, exit_code=-9)], ("a.ChildFailedError", 1)),
        (
            [error(1, "std::bad_alloc", language="cpp"), error(9, "a.ChildFailedError", rank=1, exit_code=-6)],
            ("std::bad_alloc", None),
        ),
        ([error(1, "ValueError"), error(11 * MINUTE, "a.ChildFailedError", rank=1)], ("a.ChildFailedError", 1)),
        (
            [
                error(1, "ValueError", rank=1),
                error(30 * MINUTE, "DistBackendError", WATCHDOG, 0),
                error(31 * MINUTE, "ProcessFailed", "Exited with exit code 134", 0, language="slurm"),
                error(40 * MINUTE, "a.ChildFailedError", rank=1, exit_code=1),
            ],
            ("ValueError", 1),
        ),
        (
            [
                error(1, "ValueError", rank=1),
                error(30 * MINUTE, "DistBackendError", WATCHDOG, 0),
                error(41 * MINUTE, "a.ChildFailedError", rank=1, exit_code=1),
            ],
            ("a.ChildFailedError", 1),
        ),
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


def test_long_errors_of_other_ranks_are_kept_short_and_the_cut_is_said() -> None:
    culprit = Culprit()
    for rank in range(6):
        culprit.takes(error(rank, "ValueError", "x", rank, raw="line\n" * 20_000, traceback=[{"linenum": 1}]))
    assert len(json.dumps(culprit.state)) < 40_000
    named = culprit.takes(error(9, "a.ChildFailedError", rank=1, exit_code=1))
    assert named is not None
    assert (named["detail"]["rank"], named["detail"]["traceback"]) == (1, [{"linenum": 1}])
    assert "92000 characters left out" in named["detail"]["raw"]


def test_an_error_too_long_to_be_kept_leaves_the_one_that_is_known() -> None:
    frames = [{"filename": "f.py", "linenum": number} for number in range(10_000)]
    errors = [error(1, "KeyError", rank=0), error(2, "ValueError", rank=1, traceback=frames)]
    assert own(*errors, error(9, "a.ChildFailedError", rank=1, exit_code=1)) == ("KeyError", 0)


def test_what_was_kept_for_a_launchers_word_is_forgotten_when_that_cannot_come_any_more() -> None:
    reader = LogReader(RECORD, lambda: Pipeline(["auto"]), None)
    log = "".join(LOG.splitlines(keepends=True)[4:8])
    reader.read([Chunk((log + log.replace("rank1", "rank2")).encode(), "stdout", 1, 9)])
    reader.idle(2)
    soon = reader.read([Chunk(b"and on\n", "stdout", 9 * MINUTE, 16)])
    late = reader.read([Chunk(b"and on\n", "stdout", 11 * MINUTE, 23)])
    assert soon.position is not None
    assert late.position is not None
    assert [len(r.position.state["culprit"]["ranks"]) for r in (soon, late)] == [1, 0]


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


def traceback(text: str) -> str:
    return f'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    f()\n{text}\n'


NOT_FOUND = "sh: 1: nvidia-smi: not found\n"
GOING_ON = "epoch 1 loss: 0.5\n" * 60
REFUSED = "ConnectionError: Connection refused by the server"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ([NOT_FOUND], "CommandNotFound"),
        ([NOT_FOUND, GOING_ON], None),
        ([NOT_FOUND, GOING_ON, traceback(REFUSED)], "ConnectionError"),
        ([traceback("ValueError: printed, and tried again"), GOING_ON, traceback(REFUSED)], "ConnectionError"),
        ([traceback("ValueError: printed, and tried again"), GOING_ON, traceback("EOFError")], "EOFError"),
    ],
)
@pytest.mark.parametrize("other", [False, True])
def test_what_a_job_dies_of_that_was_silent_now_and_then(said: list[str], cause: str | None, other: bool) -> None:
    """Half a second of silence after each; with `other` what goes on does so in another stream."""
    reader, last, at, record = LogReader(RECORD, lambda: Pipeline(["auto"]), None), None, 0, RECORD
    for number, text in enumerate(said):
        at += len(text)
        stream = "stdout" if other and text == GOING_ON else "stderr"
        last = reader.read([Chunk(text.encode(), stream, 20_000 * number, at)]).last_error or last
        last = reader.idle(20_000 * number + 500).last_error or last
    last = reader.close(60_000).last_error or last
    found = verdict(replace(record, last_error=last), Exit(exit_code=1), reader.tail, reader.suspect)
    assert (last and last["detail"]["exc_type"]) == cause
    assert found.reason == (Reason.EXCEPTION if cause else Reason.EXIT_CODE)


@pytest.mark.parametrize(("lines", "died"), [(0, True), (50, True), (51, False), (600, False)])
@pytest.mark.parametrize("size", [64, 100_000])
def test_how_many_lines_below_an_exception_say_that_the_job_survived_it(lines: int, died: bool, size: int) -> None:
    log = (traceback("ValueError: x") + GOING_ON[:18] * lines).encode()
    reader, last = LogReader(RECORD, lambda: Pipeline(["auto"]), None), None
    for at in range(0, len(log), size):
        last = reader.read([Chunk(log[at : at + size], "stdout", 5, min(len(log), at + size))]).last_error or last
    last = reader.close(9).last_error or last
    found = verdict(replace(RECORD, last_error=last), Exit(exit_code=1), reader.tail, reader.suspect)
    assert (found.reason == Reason.EXCEPTION) == died
