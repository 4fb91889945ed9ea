"""The pipeline's own promises: parsers' bugs, drivers' classify, languages, events as JSON."""

import json
from collections.abc import Iterable

import pytest

from k12ai_ws.logs.batch import event_json, parse
from k12ai_ws.logs.parser import Found, LogParser
from k12ai_ws.logs.pipeline import Pipeline
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


def test_a_classify_that_raises_harms_nothing() -> None:
    def classify(fault: Fault) -> int | None:
        raise LookupError("oops")

    pipeline = Pipeline(["auto"], classify=classify)
    events = pipeline.feed(CRASH % b"ValueError: x") + pipeline.close(at_ms=0)
    found = [e for e in events if isinstance(e, Fault)]
    assert [(e.code, e.severity) for e in found] == [(Code.UNKNOWN, "warning"), (Code.VALUE_ERROR, "error")]


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
