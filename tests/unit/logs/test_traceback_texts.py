"""Tracebacks that stand in texts: an exception's own, a quotation, a string of one line."""

import json

import orjson
import pytest

from k12ai_ws.logs.batch import event_json, parse
from k12ai_ws.logs.limits import Limits
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import Fault, LogEvent

INNER = (
    'Traceback (most recent call last):\n  File "a.py", line 4, in run\n    inner()\n'
    "ZeroDivisionError: division by zero\n"
)


def faults(log: str) -> list[Fault]:
    return [event for event in parse(log.encode()) if isinstance(event, Fault)]


@pytest.mark.parametrize("words", ["", "worker failed: "])
def test_an_exceptions_text_may_begin_with_a_traceback(words: str) -> None:
    outer = 'Traceback (most recent call last):\n  File "a.py", line 9, in <module>\n    raise RuntimeError(tb)\n'
    (fault,) = faults(f"{outer}RuntimeError: {words}{INNER}\n")
    assert fault.detail["exc_type"] == "RuntimeError"
    assert fault.detail["exc_text"] == (words + INNER).rstrip()
    assert [frame["linenum"] for frame in fault.detail["traceback"]] == [9]
    assert fault.severity == "error"


@pytest.mark.parametrize("quoted", ["> ", "    ", "# "])
def test_a_quoted_traceback_killed_nobody(quoted: str) -> None:
    log = "".join(f"{quoted}{line}\n" for line in INNER.splitlines())
    (fault,) = faults(f"{log}epoch=1 loss=0.5\nall done\n")
    assert (fault.severity, fault.detail["exc_type"]) == ("warning", "ZeroDivisionError")


@pytest.mark.parametrize("margin", ["    ", "\t", " " * 29])
def test_an_indented_traceback_that_ends_the_log_is_what_the_job_died_of(margin: str) -> None:
    log = "".join(f"{margin}{line}\n" for line in INNER.splitlines())
    (fault,) = faults(f"epoch=1 loss=0.5\n{log}")
    assert (fault.severity, fault.detail["exc_type"]) == ("error", "ZeroDivisionError")


BAR = "Epoch 0:  50%|#####     | 5/10 [00:01<00:01,  4.00it/s, v_num=3]"


@pytest.mark.parametrize(("after", "severity"), [
    ("", "error"), (f"\r{BAR}", "error"), (f"{BAR}\n", "error"),
    (f"\r{BAR}\r{BAR.replace('5/10', '6/10').replace('50', '60')}", "warning"),
    ("\r" + BAR.replace("5/10", "6/10") + "ERROR:root:skip 6\n", "warning"),
    ("CRITICAL:absl:giving up\n", "error"),
])  # fmt: skip
def test_a_bar_that_is_drawn_again_as_it_was_is_no_sign_of_life(after: str, severity: str) -> None:
    (fault,) = faults(f"epoch=1 loss=0.5\n\r{BAR}{INNER}{after}")
    assert (fault.severity, fault.detail["exc_text"]) == (severity, "division by zero")


def test_a_text_of_many_lines_that_ends_the_log() -> None:
    told = "".join(f"- use option number {n}\n" for n in range(20))
    head = 'Traceback (most recent call last):\n  File "a.py", line 4, in run\n    raise DataError(text)\n'
    (fault,) = faults(f"epoch=1 loss=0.5\n{head}DataError: first\n{told}")
    assert (fault.severity, fault.detail["exc_text"]) == ("error", f"first\n{told}".rstrip())


def test_the_text_of_a_workers_exception_is_as_long_as_its_own_traceback_shows() -> None:
    worker = 'Traceback (most recent call last):\n  File "w.py", line 2, in work\n    raise ValueError(text)\n'
    told = "ValueError: bad item 2\nsecond line\n"
    (fault,) = faults(
        f'multiprocessing.pool.RemoteTraceback: \n"""\n{worker}{told}"""\n\n'
        "The above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "pool.py", line 774, in get\n    raise self._value\n'
        f"{told}"
    )
    assert (fault.detail["exc_type"], fault.detail["exc_text"]) == ("ValueError", "bad item 2\nsecond line")
    assert "notes" not in fault.detail


def test_the_text_of_a_group_goes_on_to_the_number_of_its_members() -> None:
    (fault,) = faults(
        '  + Exception Group Traceback (most recent call last):\n  |   File "t.py", line 1, in <module>\n'
        "  |     raise error\n  | ExceptionGroup: outer\n  | lines (1 sub-exception)\n"
        "  +-+---------------- 1 ----------------\n    | ValueError: a\n    +------------------------------------\n"
    )
    assert fault.detail["exc_text"] == "outer\nlines (1 sub-exception)"
    assert "notes" not in fault.detail


def test_the_first_line_alone_may_have_been_drawn_over_by_a_bar() -> None:
    lines = INNER.splitlines()
    below = "".join(f"trainer-1  | {line}\n" for line in lines[1:])
    (fault,) = faults(f"trainer-1  | \r{BAR}{lines[0]}\n{below}")
    assert (fault.detail["exc_type"], len(fault.detail["traceback"])) == ("ZeroDivisionError", 1)


def test_half_a_surrogate_in_a_string_can_be_stored() -> None:
    record = json.dumps({"exc_info": INNER.replace("division", "div\ud800ision")})
    (fault,) = faults(record + "\n")
    assert orjson.loads(orjson.dumps(event_json(fault)))["error"]["detail"]["exc_text"] == "div?ision by zero"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("code", [r"raise X('\d')", "raise X('a' if 1else 'b')", r"raise X('\777')"])
def test_code_that_python_would_warn_of_is_not_parsed(code: str) -> None:
    (fault,) = faults(f'Traceback (most recent call last):\n  File "a.py", line 4, in run\n    {code}\nX: text\n')
    assert fault.detail["exc_text"] == "text"
    assert all(fault.detail["exc_type"] != "X" for fault in faults(f"'Traceback (most recent call last):\\n {code}'\n"))


def read(log: bytes, size: int) -> list[LogEvent]:
    pipeline = Pipeline(["auto"], limits=Limits(block_lines=40))
    events = [event for at in range(0, len(log), size) for event in pipeline.feed(log[at : at + size])]
    return [event for event in events + pipeline.close(at_ms=0) if isinstance(event, Fault)]


def test_frames_taken_at_once_are_bounded_like_any() -> None:
    frames = "".join(f'  File "a.py", line {i}, in f\n    f()\n' for i in range(30))
    log = f"Traceback (most recent call last):\n{frames}ValueError: x\nepoch=1 loss=0.5\n".encode()
    assert read(log, len(log)) == read(log, 7)
    assert read(log, len(log))[0].detail["truncated"] > 0


@pytest.mark.parametrize("code", [r"assert x < 0, '{x} %s\n\na=1 again'", r"if y: raise X('{x} %s\n\na=1 again')"])
def test_a_literal_in_the_code_says_where_its_text_ends(code: str) -> None:
    head = f'Traceback (most recent call last):\n  File "a.py", line 4, in run\n    {code}\n'
    (fault,) = faults(f"{head}X: {{x}} %s\n\na=1 again\nb=2\n")
    assert fault.detail["exc_text"] == "{x} %s\n\na=1 again"
