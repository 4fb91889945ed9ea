"""Tracebacks that stand in texts: an exception's own, a quotation, a string of one line."""

import json

import orjson
import pytest

from k12ai_ws.logs.batch import event_json, parse
from k12ai_ws.logs.limits import Limits
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import Fault, LogEvent, Metrics

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


def test_what_is_printed_behind_a_workers_exception_is_no_text_of_it() -> None:
    worker = 'Traceback (most recent call last):\n  File "w.py", line 2, in work\n    raise ValueError(text)\n'
    log = (
        f'multiprocessing.pool.RemoteTraceback: \n"""\nValueError: bad\n{worker}ValueError: bad\n"""\n\n'
        "The above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "pool.py", line 774, in get\n    raise self._value\n'
        "ValueError: bad\nepoch=1 loss=0.1\nepoch=2 loss=0.2\n"
    )
    (fault,) = faults(log)
    assert (fault.severity, fault.detail["exc_text"]) == ("warning", "bad")
    assert [e.values["epoch"] for e in parse(log.encode()) if isinstance(e, Metrics)] == [1, 2]


@pytest.mark.parametrize(
    "after",
    ["no CRITICAL problem, going on\n", "2024-01-01 10:00:00 CRITICAL: once more\n", "FATAL errors so far: 0\n"],
)
def test_metrics_behind_a_record_of_the_highest_level_say_that_it_went_on(after: str) -> None:
    (fault,) = faults(f"epoch=1 loss=0.5\n{INNER}{after}epoch=2 loss=0.4\n")
    assert fault.severity == "warning"


def test_a_stack_that_a_timer_dumped_is_no_death_while_the_job_goes_on() -> None:
    dump = 'Timeout (0:00:05)!\nThread 0x00007f3b (most recent call first):\n  File "a.py", line 3 in f\n'
    pipeline = Pipeline(["auto"])
    events = [*pipeline.feed(dump.encode()), *pipeline.idle(at_ms=0), *pipeline.feed(b"epoch=1 loss=0.3\n")]
    assert [e.severity for e in [*events, *pipeline.close(at_ms=1)] if isinstance(e, Fault)] == ["warning"]
    assert [fault.severity for fault in faults(dump)] == ["error"]


def test_a_code_line_of_blanks_costs_what_any_line_costs() -> None:
    head = "╭─── Traceback (most recent call last) ───╮\n│ /a/b.py:3 in f │\n"
    events = parse(f"{head}│ ❱ 3 x{' ' * 60_000}y │\n".encode())
    assert len([event for event in events if isinstance(event, Fault)]) <= 1


def test_the_box_of_variables_beside_the_code_is_none_of_it() -> None:
    log = (
        "╭──────────────── Traceback (most recent call last) ────────────────╮\n"
        "│ /a/b.py:3 in f                                                    │\n"
        "│                                                                   │\n"
        "│   2 def f(data):                        ╭── locals ──╮            │\n"
        "│ ❱ 3     return data['b']                │ data = {}  │            │\n"
        "╰───────────────────────────────────────────────────────────────────╯\n"
        "KeyError: 'b'\n"
    )
    (fault,) = faults(log)
    assert [frame["source"] for frame in fault.detail["traceback"]] == ["return data['b']"]


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
