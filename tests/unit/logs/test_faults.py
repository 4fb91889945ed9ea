"""Tracebacks and crashes in one log: one failure is one error, and each line is read once."""

import pytest

from k12ai_ws.logs.batch import parse
from k12ai_ws.logs.ranks import prefix_end, rank_of
from k12ai_ws.wire.bodies import Fault

STACK = """Fatal Python error: {}

Current thread 0x00007f34f1224b80 (most recent call first):
  File "/w/train.py", line 8 in kernel
  File "/w/train.py", line 12 in <module>
"""
TERMINATE = "terminate called after throwing an instance of 'std::runtime_error'\n  what():  boom\n"
ERROR = 'Traceback (most recent call last):\n  File "x.py", line 3, in <module>\n    f()\nValueError: bad\n'
TORCHRUN = """Traceback (most recent call last):
  File "run.py", line 197, in __call__
    raise ChildFailedError(
torch.distributed.elastic.multiprocessing.errors.ChildFailedError: 
============================================================
train.py FAILED
------------------------------------------------------------
Failures:
[1]:
  time      : 2026-11-23_07:58:15
  host      : train-0
  rank      : 0 (local_rank: 0)
  exitcode  : -15 (pid: 15564)  (SIGTERM)
  error_file: <N/A>
  traceback : Signal 15 (SIGTERM) received by PID 15564
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-11-23_07:58:15
  host      : train-0
  rank      : 1 (local_rank: 1)
  exitcode  : {code} (pid: 15565) 
  error_file: <N/A>
  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html
============================================================
"""  # noqa: W291 - so it is printed


def faults(log: str) -> list[Fault]:
    return [event for event in parse(log.encode()) if isinstance(event, Fault)]


def test_a_crash_and_its_python_stack_are_one_error() -> None:
    (fault,) = faults("epoch 1\n" + TERMINATE + STACK.format("Aborted") + "Aborted (core dumped)\n")
    assert fault.detail["exc_type"] == "std::runtime_error"
    assert fault.detail["exc_text"] == "boom\nFatal Python error: Aborted"
    assert [frame["funcname"] for frame in fault.detail["traceback"]] == ["<module>", "kernel"]
    assert "terminate called" in fault.detail["raw"]
    assert "most recent call first" in fault.detail["raw"]


def test_a_shells_word_on_it_adds_nothing() -> None:
    for word in ("Segmentation fault (core dumped)", "t.sh: line 3: 12 Segmentation fault      python train.py"):
        (fault,) = faults("epoch 1\n" + STACK.format("Segmentation fault") + word + "\n")
        assert fault.detail["exc_type"] == "Segmentation fault"
        assert [frame["funcname"] for frame in fault.detail["traceback"]] == ["<module>", "kernel"]


def test_a_crash_before_an_exception_is_a_warning_where_it_left_the_program_alive() -> None:
    first, second = faults("sh: 1: foo: not found\n" + ERROR)
    assert (first.severity, first.detail["exc_type"]) == ("warning", "CommandNotFound")
    assert (second.severity, second.detail["exc_type"]) == ("error", "ValueError")


def test_a_panic_that_python_sees_is_told_as_both() -> None:
    panic = "thread '<unnamed>' panicked at src/lib.rs:2:5:\nbad\nnote: run with `RUST_BACKTRACE=1`\n"
    first, second = faults(panic + ERROR.replace("ValueError", "pyo3_runtime.PanicException"))
    assert (first.severity, second.severity) == ("warning", "error")


def test_a_traceback_within_another_languages_lines_is_whole() -> None:
    found = faults("Error: giving up\n" + ERROR + "Error: giving up\n")
    assert [fault.detail["exc_type"] for fault in found] == ["ValueError"]


@pytest.mark.parametrize("code", [1, -9])
def test_torchruns_summary_names_the_first_rank_that_failed(code: int) -> None:
    (fault,) = faults(TORCHRUN.format(code=code))
    assert fault.detail["exc_type"].endswith("ChildFailedError")
    assert (fault.detail["rank"], fault.detail["exit_code"]) == (1, code)


@pytest.mark.parametrize(
    ("prefix", "rank"),
    [
        ("[rank3]: ", 3),
        ("[rank3]:", 3),
        ("[default3]:", 3),
        ("[3]: ", 3),
        ("rank 3: ", 3),
        ("RANK=3 ", 3),
        ("3: ", 3),
        (" 3: ", 3),
        ("[1,3]<stderr>:", 3),
        ("[1,3]<stdout>:", 3),
        ("(train_fn pid=12) ", None),
        ("(pid=12, ip=10.0.0.3) [rank3]:", 3),
        ("worker-3  | ", None),
        ("2024-05-06T10:00:00.123456789Z ", None),
        ("2024-05-06T10:00:00.123456789Z stderr F [rank3]: ", 3),
        ("", None),
    ],
)
def test_the_rank_that_a_prefix_names(prefix: str, rank: int | None) -> None:
    assert rank_of(prefix) == rank
    if prefix and not prefix.startswith("RANK"):
        assert prefix_end(prefix + "Killed") == len(prefix)


@pytest.mark.parametrize("line", ["epoch 1: loss 0.3", "loss: 3", "12:30:00 start", "[1/3] step", "(a) text", "a | b"])
def test_what_is_no_prefix(line: str) -> None:
    assert rank_of(line[: prefix_end(line)]) is None
