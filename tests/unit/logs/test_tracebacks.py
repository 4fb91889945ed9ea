"""Tracebacks of real programs and of every shape that Python prints."""

import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k12ai_ws.logs.batch import parse
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import Fault, Metrics
from k12ai_ws.wire.codes import Code

FIXTURES = Path(__file__).parent / "fixtures"


def faults(data: bytes | str) -> list[Fault]:
    data = data.encode() if isinstance(data, str) else data
    return [e for e in parse(data) if isinstance(e, Fault)]


def one(name: str) -> dict[str, Any]:
    (fault,) = faults((FIXTURES / f"{name}.log").read_bytes())
    assert fault.severity == "error"
    return dict(fault.detail)


def names(detail: dict[str, Any]) -> tuple[str, str]:
    return detail["exc_type"], detail["exc_text"]


def test_a_chain_is_told_oldest_first() -> None:
    detail = one("chain")
    assert names(detail) == ("KeyError", "'fallback'")
    assert [(names(link), link["relation"]) for link in detail["chain"]] == [
        (("FileNotFoundError", "[Errno 2] No such file or directory: 'missing.yaml'"), "cause"),
        (("RuntimeError", "cannot read missing.yaml"), "context"),
    ]
    frame = detail["traceback"][-1]
    assert (frame["linenum"], frame["funcname"], frame["source"], frame["in_app"]) == (
        10,
        "main",
        '{}["fallback"]',
        True,
    )
    assert [f["funcname"] for f in detail["traceback"]] == ["<module>", "main"]


def test_a_group_is_a_tree() -> None:
    detail = one("group")
    assert names(detail) == ("ExceptionGroup", "invalid rows (3 sub-exceptions)")
    assert [link["exc_type"] for link in detail["chain"]] == ["KeyError"]
    first, second, inner = detail["group"]
    assert names(first) == ("ValueError", "negative: -2\nsecond line")
    assert [f["funcname"] for f in first["traceback"]] == ["<module>", "check"]
    assert second["exc_text"].startswith("negative: -3")
    assert names(inner) == ("ExceptionGroup", "inner (1 sub-exception)")
    assert [names(member) for member in inner["group"]] == [("KeyError", "'k'")]


def test_a_group_that_ends_with_a_group_closes_both_and_a_chain_goes_on() -> None:
    log = (
        '  + Exception Group Traceback (most recent call last):\n  |   File "/w/t.py", line 3, in <module>\n'
        "  | ExceptionGroup: outer (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n"
        "    | ValueError: first\n\nafter a blank line\n    +---------------- 2 ----------------\n"
        "    | ExceptionGroup: inner (1 sub-exception)\n    +-+---------------- 1 ----------------\n"
        "      | KeyError: 'k'\n      +------------------------------------\n"
        "\nThe above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "/w/t.py", line 9, in <module>\nRuntimeError: last\n'
    )
    (fault,) = faults(log)
    assert names(dict(fault.detail)) == ("RuntimeError", "last")
    (link,) = fault.detail["chain"]
    assert (link["relation"], link["exc_type"]) == ("cause", "ExceptionGroup")
    assert [names(member) for member in link["group"]] == [
        ("ValueError", "first\n\nafter a blank line"),
        ("ExceptionGroup", "inner (1 sub-exception)"),
    ]
    assert [names(member) for member in link["group"][1]["group"]] == [("KeyError", "'k'")]


def test_two_groups_back_to_back() -> None:
    log = (FIXTURES / "group.log").read_text()
    group = log[log.index("  + Exception") :]
    assert [f.detail["exc_text"] for f in faults(group + group)] == ["invalid rows (3 sub-exceptions)"] * 2


def test_a_cause_without_a_traceback_whose_text_looks_like_an_exception() -> None:
    log = (
        "data.Outer.Inner: ValueError: x\n\nThe above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "/w/t.py", line 9, in <module>\nRuntimeError: last\n'
    )
    (fault,) = faults(log)
    assert [names(link) for link in fault.detail["chain"]] == [("data.Outer.Inner", "ValueError: x")]


def test_repeated_frames() -> None:
    detail = one("recursion")
    assert names(detail) == ("RecursionError", "maximum recursion depth exceeded")
    assert detail["traceback"][-1]["repeated"] > 15
    assert len(detail["chain"][0]["traceback"]) > 15  # two functions in turn: Python does not shorten these


def test_notes() -> None:
    detail = one("notes")
    assert names(detail) == ("ValueError", "invalid literal for int() with base 10: 'x'")
    assert detail["notes"] == ["while reading row 17", "column: age"]


def test_a_syntax_error_with_no_header() -> None:
    (fault,) = faults((FIXTURES / "broken.log").read_bytes())
    assert fault.code == Code.SYNTAX_ERROR
    assert fault.detail["traceback"][-1]["linenum"] == 1
    assert fault.detail["traceback"][-1]["source"].startswith("def f(:")


def test_what_killed_the_job_and_what_did_not() -> None:
    found = faults((FIXTURES / "several.log").read_bytes())
    assert [(f.detail["exc_type"], f.severity) for f in found] == [
        ("RuntimeError", "warning"),  # in a thread
        ("RuntimeError", "warning"),  # in __del__
        ("IndexError", "warning"),  # printed and handled: the program goes on
        ("ValueError", "error"),
    ]
    assert found[-1].detail["exc_text"].splitlines()[-1] == "\tsize mismatch for conv1"


def test_logged_exceptions_and_their_prefixes() -> None:
    handled, last = faults((FIXTURES / "logged.log").read_bytes())
    assert (handled.detail["exc_type"], handled.severity) == ("OSError", "warning")
    assert (last.detail["exc_type"], last.severity) == ("KeyError", "error")
    assert last.detail["traceback"][0]["source"] == '{"loss": 1}["acc"]'


def test_ranks_are_read_apart() -> None:
    events = parse((FIXTURES / "ranks.log").read_bytes())
    (fault,) = [e for e in events if isinstance(e, Fault)]
    assert fault.detail["rank"] == 1
    assert [f["linenum"] for f in fault.detail["traceback"]] == [18]
    values = [dict(e.values) for e in events if isinstance(e, Metrics)]
    assert [v["loss"] for v in values if "loss" in v] == [0.5466, 0.4466, 0.3466]
    assert [(v["rank"], v["train_loss"]) for v in values if "train_loss" in v] == [(0, 0.5465), (1, 0.5033)]


def test_a_traceback_cut_off_by_a_kill() -> None:
    (fault,) = faults('step 1\nTraceback (most recent call last):\n  File "/w/t.py", line 2, in <module>\n')
    assert fault.detail["incomplete"]
    assert fault.detail["traceback"][0]["filename"] == "/w/t.py"


def test_faulthandler() -> None:
    (fault,) = faults(
        "Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007f (most recent call first):\n"
        '  File "/usr/lib/python3.11/ctypes/x.py", line 5 in string_at\n  File "/w/train.py", line 8 in kernel\n'
    )
    assert (fault.code, fault.detail["exc_type"]) == (Code.KILLED_BY_SIGNAL, "Segmentation fault")
    assert [f["funcname"] for f in fault.detail["traceback"]] == ["kernel", "string_at"]
    assert [f["in_app"] for f in fault.detail["traceback"]] == [True, False]


def test_a_traceback_inside_a_text_is_part_of_the_text() -> None:
    inner = 'Traceback (most recent call last):\n  File "/w/a.py", line 1, in f\n    x()\nKeyError: 1'
    outer = 'Traceback (most recent call last):\n  File "/w/b.py", line 9, in <module>\n    g()\n'
    log = f"{outer}RuntimeError: worker failed:\n{inner}\n"
    (fault,) = faults(log)
    assert names(dict(fault.detail)) == ("RuntimeError", f"worker failed:\n{inner}")
    cause = "The above exception was the direct cause of the following exception:"
    remote = f'multiprocessing.pool.RemoteTraceback: \n"""\n{inner}\n"""\n\n{cause}\n\n{inner}\n'
    (fault,) = faults(remote)
    assert fault.detail["chain"][0]["exc_type"] == "multiprocessing.pool.RemoteTraceback"


def test_a_shutdown_message_does_not_make_a_death_harmless() -> None:
    log = 'Traceback (most recent call last):\n  File "/w/b.py", line 9, in <module>\nValueError: x\n'
    log += "Exception ignored in: <f>\n"
    assert [f.severity for f in faults(log)] == ["error"]


@pytest.mark.parametrize(
    "text",
    [
        "Traceback saved. Training finished",
        "Error rate was fine",
        "ERROR: the learning rate is high",
        "/w/train.py:3: UserWarning: lr_scheduler.step() called first\n  warnings.warn('x')",
        "ValueError: printed by the user, and no traceback\nstep 2",
        "0 errors, 0 failures",
        "Traceback (most recent call last):\nTraceback (most recent call last):\n2024-01-01 10:00:00 INFO went on",
    ],
)
def test_what_is_no_error(text: str) -> None:
    assert faults(text + "\n") == []


def test_lines_of_a_traceback_never_reach_the_metrics() -> None:
    log = 'Traceback (most recent call last):\n  File "/w/b.py", line 9, in f\n    loss = 0.5\nValueError: loss=0.25\n'
    assert not [e for e in parse(log.encode()) if isinstance(e, Metrics)]


def test_held_until_it_is_known_whether_it_goes_on() -> None:
    pipeline = Pipeline(["auto"])
    first = b'Traceback (most recent call last):\n  File "/w/b.py", line 9, in f\nValueError: x\n'
    assert [e for e in pipeline.feed(first) if isinstance(e, Fault)] == []
    (fault,) = [e for e in pipeline.idle(at_ms=1) if isinstance(e, Fault)]
    assert fault.severity == "error"
    assert pipeline.close(at_ms=2) == []


def test_bounds_are_kept_and_said() -> None:
    frames = "".join(f'  File "/w/a{i}.py", line {i + 1}, in f{i}\n    call({i})\n' for i in range(5000))
    (fault,) = faults(f"Traceback (most recent call last):\n{frames}ValueError: {'x' * 100_000}\n")
    assert fault.detail["truncated"] > 0
    assert len(fault.detail["traceback"]) <= 1200
    assert len(fault.detail["raw"]) < 40_000
    assert fault.detail["traceback"][0]["funcname"] == "f0"
    assert fault.detail["traceback"][-1]["funcname"] == "f4999"


def test_the_fingerprint_survives_drift_and_tells_faults_apart() -> None:
    def of(line: int, number: str, library: int, name: str = "f") -> str:
        (fault,) = faults(
            f'Traceback (most recent call last):\n  File "/w/b.py", line {line}, in {name}\n    net(x)\n'
            f'  File "/usr/lib/python3/site-packages/torch/m.py", line {library}, in call\n    go()\n'
            f"RuntimeError: bad size {number} at 0x7f{library:04x}\n"
        )
        return str(fault.detail["fingerprint"])

    assert of(1, "12", 5) == of(2, "13", 77)
    assert of(1, "12", 5) != of(1, "12", 5, name="g")


TEXTS = st.one_of(
    st.sampled_from(
        ["", "x", "a: b", 'see:\n  File "y", line 3\n    z', "two\nlines", "naïve 数据", "tail \n\n  more", "{} %s \\n"]
    ),
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), max_size=30),
)


def _raise(texts: list[str], how: list[str], depth: int) -> None:
    if depth:
        return _raise(texts, how, depth - 1)
    error: Exception | None = None
    for text, link in zip(texts, how, strict=False):
        new = (RuntimeError if link == "from" else ValueError)(text)
        if error is not None and link == "from":
            new.__cause__ = error
        elif error is not None:
            new.__context__ = error
        try:
            raise new
        except (RuntimeError, ValueError) as caught:
            error = caught
    assert error is not None
    raise error


@settings(max_examples=150, deadline=None)
@given(
    st.lists(TEXTS.filter(lambda t: "\n" not in t), min_size=1, max_size=4),
    st.lists(st.sampled_from(["from", "in"]), min_size=4),
    st.integers(0, 6),
)
def test_what_python_prints_of_any_chain(texts: list[str], how: list[str], depth: int) -> None:
    try:
        _raise(texts, how, depth)
    except (RuntimeError, ValueError) as error:
        printed = "".join(traceback.format_exception(error))
        links: list[BaseException] = [error]
        while (before := links[0].__cause__ or links[0].__context__) is not None:
            links.insert(0, before)
    (fault,) = faults(printed)
    found = [*fault.detail["chain"], fault.detail]
    assert [(d["exc_type"], d["exc_text"].rstrip()) for d in found] == [
        (type(e).__name__, str(e).rstrip()) for e in links
    ]
    assert [[f["linenum"] for f in d["traceback"] if "repeated" not in f][:2] for d in found] == [
        [f.lineno for f in traceback.extract_tb(e.__traceback__)][:2] for e in links
    ]


@pytest.mark.parametrize("text", ["two\nlines", "a\n\nb", "list:\n  - x\n  - y", "ends with newline\n"])
def test_the_source_says_where_a_text_of_several_lines_ends(tmp_path: Path, text: str) -> None:
    script = tmp_path / "train.py"
    after = "except RuntimeError:\n    import traceback; traceback.print_exc()\nprint('next')\n"
    script.write_text(f"def f():\n    raise RuntimeError({text!r})\ntry:\n    f()\n{after}")
    done = subprocess.run([sys.executable, script], capture_output=True, check=True)
    (fault,) = faults(done.stderr + done.stdout)
    assert fault.detail["exc_text"].rstrip("\n") == text.rstrip("\n")
