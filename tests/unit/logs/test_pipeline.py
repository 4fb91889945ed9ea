"""The pipeline's own promises: parsers' bugs, drivers' classify and advice, languages, events as JSON."""

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest

from k12ai_ws.logs.advice import Advice, Said
from k12ai_ws.logs.batch import event_json, parse
from k12ai_ws.logs.classify import book_with
from k12ai_ws.logs.parser import Found, LogParser
from k12ai_ws.logs.pipeline import Pipeline, SignsError
from k12ai_ws.wire.bodies import Fault, LogLines, Metrics
from k12ai_ws.wire.codes import Code

CRASH = b'Traceback (most recent call last):\n  File "/w/t.py", line 2, in <module>\n    x\n%b\n'


class Broken(LogParser):
    def feed(self, line: str) -> Iterable[Found]:
        self.state["n"] = self.state.get("n", 0) + 1
        if self.state["n"] == 2:
            raise RuntimeError("a bug of the preset")
        return [Metrics({"n": self.state["n"]})]


def test_a_parser_that_raises_is_switched_off_and_the_others_go_on() -> None:
    pipeline = Pipeline([Broken(), "auto"])
    events = pipeline.feed(b"a\nb\nc\nloss=0.5 epoch=1\n") + pipeline.close(at_ms=0)
    assert [dict(e.values) for e in events if isinstance(e, Metrics)] == [{"n": 1}, {"epoch": 1, "loss": 0.5}]
    (fault,) = [e for e in events if isinstance(e, Fault)]
    assert fault.severity == "warning"
    assert "Broken" in (fault.message or "")
    assert "a bug of the preset" in (fault.message or "")


class Careless(LogParser):
    def feed(self, line: str) -> Iterable[Found]:
        return [Metrics(None if line == "none" else {"loss": float(line)})]  # type: ignore[arg-type]


def test_what_a_careless_parser_reports_does_no_harm() -> None:
    events = Pipeline([Careless()]).feed(b"none\nnan\n0.5\n")
    assert [e.values for e in events if isinstance(e, Metrics)] == [None, {"loss": None}, {"loss": 0.5}]
    assert [e.code for e in events if isinstance(e, Fault)] == [Code.LOSS_NOT_FINITE]


def test_a_parser_stays_switched_off_in_another_process() -> None:
    pipeline = Pipeline([Broken()])
    pipeline.feed(b"a\nb\n")
    other = Pipeline([Broken()])
    other.load(pipeline.dump())
    assert [e for e in other.feed(b"c\n") if not isinstance(e, LogLines)] == []


def test_a_driver_may_know_a_better_code() -> None:
    pipeline = Pipeline(["auto"], classify=lambda fault: 100212 if fault.detail["exc_type"] == "DatasetError" else None)
    events = pipeline.feed(CRASH % b"DatasetError: no rows") + pipeline.close(at_ms=0)
    assert [e.code for e in events if isinstance(e, Fault)] == [100212]


@pytest.mark.parametrize("given", [12345, Code.FINISHED, True, "100212", 100212.0, [], object()])
def test_a_classify_that_gives_no_code_of_an_error_is_switched_off(given: Any) -> None:
    pipeline = Pipeline(["auto"], classify=lambda _: given)
    crash = CRASH % b"ValueError: x"
    events = pipeline.feed(crash) + pipeline.idle(at_ms=1) + pipeline.feed(crash) + pipeline.close(at_ms=2)
    warning, *errors = [e for e in events if isinstance(e, Fault)]
    assert (warning.severity, [e.code for e in errors]) == ("warning", [Code.VALUE_ERROR] * 2)
    assert "the driver's classify" in str(warning.message)
    assert f"it gave {given!r}" in str(warning.message)


def test_a_classify_that_raises_harms_nothing() -> None:
    def classify(fault: Fault) -> int | None:
        raise LookupError("oops")

    pipeline = Pipeline(["auto"], classify=classify)
    events = pipeline.feed(CRASH % b"ValueError: x") + pipeline.close(at_ms=0)
    found = [e for e in events if isinstance(e, Fault)]
    assert [(e.code, e.severity) for e in found] == [(Code.UNKNOWN, "warning"), (Code.VALUE_ERROR, "error")]


class Clumsy(Advice):
    def match(self, said: Said) -> re.Match[str] | None:
        raise LookupError("oops")


def test_advice_that_raises_is_left_for_the_built_in_and_that_is_said_once() -> None:
    pipeline = Pipeline(["auto"], book=book_with([Clumsy("x", "a", "b")]))
    crash = CRASH % b"KeyError: 'x'"
    events = pipeline.feed(crash) + pipeline.idle(at_ms=1) + pipeline.feed(crash) + pipeline.close(at_ms=2)
    warning, *errors = [e for e in events if isinstance(e, Fault)]
    assert warning.severity == "warning"
    assert "the driver's advice" in (warning.message or "")
    assert "oops" in (warning.message or "")
    assert [e.code for e in errors] == [Code.KEY_ERROR] * 2
    assert all("'x'" in (e.message or "") for e in errors)


class Says(LogParser):
    exclusive = True

    def __init__(self, values: dict[str, float | None]) -> None:
        self._values = values

    def feed(self, line: str) -> Iterable[Found]:
        return [Metrics(self._values)]


def test_metrics_of_nothing_are_none() -> None:
    events = Pipeline([Says({}), Says({"a": 1})]).feed(b"x\n")
    assert [e.values for e in events if isinstance(e, Metrics)] == [{"a": 1}]


@pytest.mark.parametrize("value", [0.5, None])
def test_long_names_are_cut_and_that_is_seen(value: float | None) -> None:
    events = Pipeline([Says({"n" * 200: 1, "m" * 10_000: value})]).feed(b"x\n")
    assert [e.values for e in events if isinstance(e, Metrics)] == [{"n" * 200: 1, "m" * 199 + "…": value}]


class Lap(LogParser):
    signs = "lap 0"

    def feed(self, line: str) -> Iterable[Found] | None:
        return [Metrics({"lap": float(line[4:])})] if line.startswith("lap ") else None

    def close(self) -> Iterable[Found] | None:
        return None


def test_nothing_is_what_none_says() -> None:
    events = Pipeline([Lap()]).feed(b"overlap 0\nlap 7\n")
    assert [e.values for e in events if not isinstance(e, LogLines)] == [{"lap": 7}]


@pytest.mark.parametrize(
    ("signs", "why"),
    [
        ("lap (", "no pattern of RE2: missing ): lap ("),
        ("a)|(b", "no pattern of RE2: unexpected ): a)|(b"),
        (b"lap 0", "must be a text or None, not b'lap 0'"),
        (0, "must be a text or None, not 0"),
        ("step 5", "have a 5 that no line has"),
        (r"lap [1-9]", "have a 1 that no line has"),
        (r"\x1b\[31m", "have a 3 that no line has"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_signs_that_cannot_work_are_refused_by_their_parsers_name(signs: object, why: str) -> None:
    parser = Lap()
    parser.signs = signs  # type: ignore[assignment]
    with pytest.raises(SignsError, match=f"of the log parser Lap .*{re.escape(why)}"):
        Pipeline(["auto", parser])


@pytest.mark.parametrize(
    "signs",
    [
        "lap 0",
        r"^lap [0-9]{1,3}$",
        r"lap [[:alpha:]0-9]",
        r"[^5] 0",
        r"lap (?P<a1>0)",
        r"\x6cap",
        r"\154ap",
        r"\x{6c}ap",
        "",
    ],
)
def test_signs_that_work(signs: str) -> None:
    parser = Lap()
    parser.signs = signs
    assert Metrics({"lap": 7}) in Pipeline([parser]).feed(b"lap 7\n")


class Ends(LogParser):
    def feed(self, line: str) -> Iterable[Found]:
        return ()

    def close(self) -> Iterable[Found]:
        return [Metrics({"end": 1})]


def test_the_end_is_told_to_every_parser_where_there_was_a_line() -> None:
    pipeline = Pipeline([Ends()])
    assert pipeline.close(at_ms=0) == []
    pipeline = Pipeline([Ends()])
    pipeline.feed(b"\n")
    assert pipeline.close(at_ms=0) == [Metrics({"end": 1})]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ModuleNotFoundError: No module named 'torchvission'", Code.MODULE_NOT_FOUND),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/d/x.csv'", Code.FILE_NOT_FOUND),
        ("TypeError: unsupported operand type(s) for +: 'int' and 'str'", Code.OPERAND_TYPE),
        ("TypeError: f() missing 1 required positional argument", Code.TYPE_ERROR),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", Code.GPU_OUT_OF_MEMORY),
        ("RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0)", Code.GPU_OUT_OF_MEMORY),
        ("numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7 GiB", Code.OUT_OF_MEMORY),
        ("IndentationError: unexpected indent", Code.INDENTATION_ERROR),
        ("ZeroDivisionError: division by zero", Code.ZERO_DIVISION),
        ("json.decoder.JSONDecodeError: Expecting value: line 1", Code.VALUE_ERROR),
        ("my.own.Problem: x", Code.UNKNOWN),
    ],
)
def test_codes(line: str, code: Code) -> None:
    (fault,) = parse(CRASH % line.encode())
    assert isinstance(fault, Fault)
    assert fault.code == code


def test_messages_teach_in_both_languages() -> None:
    log = CRASH % b"RuntimeError: mat1 and mat2 shapes cannot be multiplied (3x8 and 4x2)"
    (english,), (chinese,) = parse(log), parse(log, language="zh")
    assert isinstance(english, Fault)
    assert isinstance(chinese, Fault)
    assert "3x8" in (english.message or "")
    assert "in_features" in (english.message or "")
    assert "线性层" in (chinese.message or "")


@pytest.mark.parametrize(
    "unit",
    [
        b"Traceback (most recent call last):\n",
        b'  File "/w/a.py", line 1, in f\n',
        b"    " + b"x" * 60_000 + b"\n",
        b"RuntimeError: x:\n",
        b"\t" + b"y" * 60_000 + b"\n",
        b"  | z" + b"z" * 60_000 + b"\n",
        b"\r",
        b"\x1b[",
        b"\x1b]0;",
        b"q" * 50_000,
        b" 5%|# | 5/10 [\r",
    ],
)
@pytest.mark.parametrize(
    "start",
    [
        b"",
        b'Traceback (most recent call last):\nValueError: \n"""\n',
        b"  + Exception Group Traceback (most recent call last):\n",
    ],
)
def test_the_state_stays_small_whatever_comes(start: bytes, unit: bytes) -> None:
    pipeline = Pipeline(["auto"])
    pipeline.feed(start)
    for _ in range(20):
        pipeline.feed(unit * (2_000_000 // len(unit) // 20 + 1))
        assert len(json.dumps(pipeline.dump())) < 8_000_000
    faults = [e for e in pipeline.close(at_ms=1) if isinstance(e, Fault)]
    assert all(len(json.dumps(dict(f.detail))) < 4_000_000 for f in faults)


def test_too_many_metrics_in_one_line_are_cut_and_it_is_said_once() -> None:
    line = json.dumps({f"loss{i}": 0.5 for i in range(600)}).encode() + b"\n"
    events = parse(line * 2)
    assert [len(e.values) for e in events if isinstance(e, Metrics)] == [500, 500]
    (fault,) = [e for e in events if isinstance(e, Fault)]
    assert "more than 500 metrics" in (fault.message or "")


def test_events_as_json() -> None:
    (event,) = parse(b"epoch=1 loss=0.5\n")
    assert event_json(event) == {"type": "metrics", "metrics": {"epoch": 1, "loss": 0.5}}
    (crash,) = parse(CRASH % b"ValueError: x")
    body = event_json(crash)
    assert body["type"] == "error"
    assert body["error"]["detail"]["exc_type"] == "ValueError"


def test_in_app_follows_the_roots_where_they_are_known() -> None:
    pipeline = Pipeline(["auto"], app_roots=["/w"])
    log = (
        b'Traceback (most recent call last):\n  File "/w/t.py", line 2, in <module>\n  File "/opt/x.py", line 3, in f\n'
        b'  File "/w/venv/lib/python3.11/site-packages/a.py", line 3, in g\nValueError: x\n'
    )
    events = pipeline.feed(log) + pipeline.close(at_ms=0)
    (fault,) = [e for e in events if isinstance(e, Fault)]
    assert [f["in_app"] for f in fault.detail["traceback"]] == [True, False, False]
