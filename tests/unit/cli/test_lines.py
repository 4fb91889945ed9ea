"""Events as lines."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.cli.lines import event_lines, number, own_frame, printable
from k12ai_ws.cli.words import WORDS, Words

EN = Words("en")

FRAMES = [
    {"filename": "/app/train.py", "linenum": 3, "funcname": "<module>", "source": "main()", "in_app": True},
    {"filename": "/app/data.py", "linenum": 8, "funcname": "main", "source": "load()", "in_app": True},
    {"filename": "/lib/np.py", "linenum": 99, "funcname": "load", "source": "raise", "in_app": False},
]


@pytest.mark.parametrize(
    ("kind", "body", "line"),
    [
        (
            "metrics",
            {"epoch": 3, "loss": 0.123456, "bad": None, "n": 12.0},
            "metrics  epoch=3  loss=0.1235  bad=nan  n=12",
        ),
        ("progress", {"value": 0.456, "current": None, "total": None}, "progress   46 %"),
        (
            "progress",
            {"value": 1.0, "current": 20, "total": 20, "unit": "it", "desc": "Epoch", "eta_s": 0.4},
            "progress  100 %  20/20 it  Epoch  0 s left",
        ),
        (
            "progress",
            {"value": 0.25, "current": 5, "total": 20, "unit": "it", "rate": 2.5, "eta_s": 6.0},
            "progress   25 %  5/20 it  2.5 it/s  6 s left",
        ),
        (
            "progress",
            {"value": 0.0, "current": 22, "total": None, "unit": "it", "desc": "unknown", "rate": 102.5},
            "progress  22 it  unknown  102.5 it/s",
        ),
        ("status", {"value": "finished", "reason": "completed", "exit_code": 0}, "status  finished"),
        ("status", {"value": "failed", "reason": "signal", "signal": 9}, "status  failed (signal, signal 9)"),
        ("log", {"stream": "stderr", "lines": ["a\tb"]}, "stderr| a\tb"),
    ],
)
def test_one_line(kind: str, body: dict[str, Any], line: str) -> None:
    assert event_lines(kind, body, EN) == [line]


def test_an_error_shows_the_users_own_frames_and_counts_the_others() -> None:
    detail = {"exc_type": "ValueError", "exc_text": "no", "traceback": FRAMES, "chain": [], "notes": ["a note"]}
    body = {"code": 100919, "descr": "wrong value", "message": "advice", "severity": "error", "detail": detail}
    assert event_lines("error", body, EN) == [
        "error 100919  wrong value",
        "  advice",
        "  ValueError: no",
        "    /app/train.py:3 <module>",
        "        main()",
        "    /app/data.py:8 main",
        "        load()",
        "    (1 more frames in libraries)",
        "  a note",
    ]


def test_of_several_processes_the_rank_is_named() -> None:
    body = {"severity": "error", "code": 100912, "descr": "name", "detail": {"rank": 3, "exc_type": "NameError"}}
    assert event_lines("error", body, EN)[0] == "error 100912  name [rank 3]"


def test_an_errors_causes_come_before_it() -> None:
    cause = {"exc_type": "KeyError", "exc_text": "'x'", "traceback": FRAMES[:1], "relation": "cause"}
    detail = {"exc_type": "ValueError", "exc_text": "no", "traceback": [], "chain": [cause]}
    lines = event_lines("error", {"code": 1, "descr": "d", "detail": detail}, EN)
    assert lines.index("  KeyError: 'x'") < lines.index("  -- caused by (1)") < lines.index("  ValueError: no")


def test_fields_at_fault_are_named_once() -> None:
    fields = [{"loc": "a", "msg": "bad"}, {"loc": "b", "msg": "worse"}]
    body = {"code": 1, "descr": "d", "message": "a: bad", "detail": {"fields": fields}}
    assert event_lines("error", body, EN) == ["error 1  d", "  a: bad", "  b: worse"]


@pytest.mark.parametrize(("frames", "line"), [(FRAMES, 8), (FRAMES[2:], 99), ([{"linenum": 1}, {"linenum": 2}], 2)])
def test_the_frame_to_look_at(frames: list[dict[str, Any]], line: int) -> None:
    frame = own_frame(frames)
    assert frame is not None
    assert frame["linenum"] == line


def test_without_frames_there_is_none() -> None:
    assert own_frame([]) is None


@given(st.text())
def test_nothing_that_steers_a_terminal_gets_through(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if (ord(c) < 32 and c != "\t") or 127 <= ord(c) < 160 or c in "\u202e\u2066"]


@pytest.mark.parametrize(
    ("value", "text"), [(3, "3"), (1e-9, "1e-09"), (123456.0, "123456"), (None, "nan"), (0.5, "0.5"), (True, "True")]
)
def test_numbers_are_short(value: object, text: str) -> None:
    assert number(value) == text


def test_every_word_takes_the_same_values_in_both_languages() -> None:
    import string

    for key, pair in WORDS.items():
        names = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in pair]
        assert names[0] == names[1], key
        assert all(pair), key
