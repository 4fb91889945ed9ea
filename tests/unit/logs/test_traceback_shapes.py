"""Tracebacks as packages draw them: recorded outputs, and forms that no test can run here."""

import time
from pathlib import Path
from typing import Any

import pytest

from k12ai_ws.logs.batch import parse
from k12ai_ws.wire.bodies import Fault

SHAPES = Path(__file__).parent / "fixtures" / "shapes"
HEADER = "Traceback (most recent call last):\n"
CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
TEXT = "cannot load the weights of the encoder: the file is missing, or not where the configuration says"
LOAD = ("/workspace/train/shapes.py", 9, "main", 'load("/data/missing.pt")')
OPEN = ("/workspace/train/shapes.py", 4, "load", "open(path)")


def faults(log: str) -> list[Fault]:
    return [event for event in parse(log.encode()) if isinstance(event, Fault)]


def one(log: str) -> dict[str, Any]:
    (fault,) = faults(log)
    return dict(fault.detail)


def recorded(name: str) -> dict[str, Any]:
    return one((SHAPES / f"{name}.log").read_text())


def places(detail: dict[str, Any]) -> list[tuple[str, int, str, str]]:
    return [(f["filename"], f["linenum"], f["funcname"], f["source"].split("\n")[0]) for f in detail["traceback"]]


@pytest.mark.parametrize(
    "name", ["rich", "ipython", "stackprinter", "better_exceptions", "loguru", "richlog", "jsonlog"]
)
def test_a_chain_in_the_shape_of(name: str) -> None:
    detail = recorded(name)
    assert (detail["exc_type"], detail["exc_text"]) == ("RuntimeError", TEXT)
    first, second, third = places(detail)
    assert (first[0], first[2]) == ("/workspace/train/run.py", "<module>")
    assert first[3] == "shapes.main(kind)"
    assert second == LOAD
    assert third[:3] == ("/workspace/train/shapes.py", 6, "load")
    assert third[3].startswith('raise RuntimeError("cann')  # a box cuts what is wider than it
    (link,) = detail["chain"]
    assert (link["exc_type"], link["relation"]) == ("FileNotFoundError", "cause")
    assert link["exc_text"] == "[Errno 2] No such file or directory: '/data/missing.pt'"
    assert places(link) == [OPEN]


def test_structlogs_own_form() -> None:
    detail = recorded("structlog")
    assert (detail["exc_type"], detail["exc_text"]) == ("RuntimeError", TEXT)
    assert [place[1:3] for place in places(detail)] == [(34, "<module>"), (9, "main"), (6, "load")]
    assert [(link["exc_type"], link["relation"]) for link in detail["chain"]] == [("FileNotFoundError", "cause")]


@pytest.mark.parametrize("name", ["rich-group", "loguru-group"])
def test_a_group_in_the_shape_of(name: str) -> None:
    detail = recorded(name)
    assert (detail["exc_type"], detail["exc_text"]) == ("ExceptionGroup", "two rows (2 sub-exceptions)")
    assert [(member["exc_type"], member["exc_text"]) for member in detail["group"]] == [
        ("ValueError", "negative: -2"),
        ("KeyError", "'label'"),
    ]


def test_richs_notes_and_syntax_errors() -> None:
    detail = recorded("rich-note")
    assert detail["exc_text"] == "invalid literal for int() with base 10: 'zz'"
    assert detail["notes"] == ["row 17"]
    detail = recorded("rich-syntax")
    assert (detail["exc_type"], detail["exc_text"]) == ("SyntaxError", "'(' was never closed")
    assert places(detail)[-1][:2] == ("/workspace/train/broken.py", 2)


def test_a_logged_exception_is_a_warning_and_the_record_is_still_read() -> None:
    record = (SHAPES / "jsonlog.log").read_text()
    (fault,) = faults(record)
    assert fault.severity == "warning"


def test_a_notebooks_cells() -> None:
    log = (
        "---------------------------------------------------------------------------\n"
        "ZeroDivisionError                         Traceback (most recent call last)\n"
        "Cell In[2], line 1\n----> 1 f(1)\n\nCell In[1], line 2, in f(x)\n      1 def f(x):\n----> 2     return x/0\n\n"
        "ZeroDivisionError: division by zero\n"
    )
    assert places(one(log)) == [("Cell In[2]", 1, "<module>", "f(1)"), ("Cell In[1]", 2, "f", "return x/0")]
    old = (
        "KeyError                                  Traceback (most recent call last)\n"
        "<ipython-input-3-0a1b> in <module>\n----> 1 Net().forward(2)\n\n"
        "/workspace/net.py in forward(self, x)\n      3     def forward(self, x):\n"
        "----> 4         return {}['a']\n      5 \n\n"
        "KeyError: 'a'\n"
    )
    assert [place[1:] for place in places(one(old))] == [
        (1, "<module>", "Net().forward(2)"),
        (4, "forward", "return {}['a']"),
    ]
    assert (
        one("  Cell In[4], line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n")["exc_type"]
        == "SyntaxError"
    )


def test_a_failed_notebook_is_one_error() -> None:
    log = (
        f'{HEADER}  File "/w/run.py", line 6, in <module>\n    execute(notebook)\n'
        "nbclient.exceptions.CellExecutionError: An error occurred while executing the following cell:\n"
        "------------------\nf(1)\n------------------\n\n\n---------------------------------------\n"
        "ZeroDivisionError                         Traceback (most recent call last)\n"
        "Cell In[2], line 1\n----> 1 f(1)\n\nZeroDivisionError: division by zero\n"
    )
    detail = one(log)
    assert detail["exc_type"] == "nbclient.exceptions.CellExecutionError"
    assert detail["exc_text"].endswith("ZeroDivisionError: division by zero")


def test_a_workers_traceback_is_part_of_the_text() -> None:
    worker = (
        "Caught RuntimeError in DataLoader worker process 0.\nOriginal "
        + HEADER
        + '  File "/w/prog.py", line 11, in load\n'
        "    open(p)\nFileNotFoundError: no file\n" + CAUSE + HEADER + '  File "/w/prog.py", line 13, in load\n'
        '    raise RuntimeError("cannot") from e\nRuntimeError: cannot'
    )
    detail = one(f'{HEADER}  File "/w/t.py", line 9, in <module>\n    raise exception\nRuntimeError: {worker}\n')
    assert (detail["exc_text"], detail["chain"]) == (worker, [])
    ray = (
        "ray::f() (pid=17, ip=10.0.0.2)\nFileNotFoundError: no file\n" + CAUSE + "ray::f() (pid=17, ip=10.0.0.2)\n"
        '  File "/w/prog.py", line 13, in load\n    raise ValueError("cannot") from e\nValueError: cannot\n  weights'
    )
    detail = one(
        f'{HEADER}  File "/w/t.py", line 9, in <module>\n    raise value.as_instanceof_cause()\n'
        f"ray.exceptions.RayTaskError(ValueError): {ray}\n"
    )
    assert (detail["exc_type"], detail["exc_text"]) == ("ray.exceptions.RayTaskError(ValueError)", ray)


def test_a_text_of_several_lines_that_a_library_raised() -> None:
    cuda = (
        "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported at some other"
        " API call.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1.\n"
        "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions."
    )
    log = f'{HEADER}  File "/w/t.py", line 9, in <module>\n    loss.backward()\nRuntimeError: {cuda}\n\n'
    assert one(log)["exc_text"] == cuda
    assert one(log + "wandb: Find logs at: ./wandb\n")["exc_text"] == cuda


def test_a_traceback_quoted_in_one_line() -> None:
    quoted = repr(f'{HEADER}  File "/w/t.py", line 9, in <module>\n    f()\nValueError: bad "row"\n')
    detail = one(f"{{'status': 'failed', 'error': {quoted}}}\n")
    assert (detail["exc_type"], detail["exc_text"]) == ("ValueError", 'bad "row"')


@pytest.mark.parametrize(
    ("before", "after", "severity"),
    [
        ("", "", "error"),
        ("Task exception was never retrieved\nfuture: <Task finished name='Task-2'>\n", "", "warning"),
        ("Exception in thread Thread-1 (work):\n", "", "warning"),
        ("Exception ignored in: <function A.__del__ at 0x7f00>\n", "", "warning"),
        ("", "Retrying in 5 seconds\n2024-01-01 10:00:00,000 INFO next\n", "warning"),
        ("", "wandb: Run history:\nwandb: loss 1\n", "error"),
        ("", "\nSet the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.\n", "error"),
        ("", "Exception ignored in: <function A.__del__ at 0x7f00>\n", "error"),
        ("", "Killed\n", "error"),
        ("Error executing job with overrides: []\n", "", "error"),
    ],
)
def test_what_ended_the_process(before: str, after: str, severity: str) -> None:
    log = f'{before}{HEADER}  File "/w/t.py", line 9, in <module>\n    f()\nValueError: bad row\n{after}'
    (fault,) = faults(log)
    assert (fault.severity, fault.detail["exc_text"]) == (severity, "bad row")


@pytest.mark.parametrize(
    ("filename", "own"),
    [
        ("/workspace/train.py", True),
        ("<stdin>", True),
        ("/workspace/lib/python/train.py", True),
        ("C:\\jobs\\train.py", True),
        ("/usr/lib/python3.11/json/__init__.py", False),
        ("/workspace/.venv/lib/python3.12/site-packages/torch/nn.py", False),
        ("/opt/conda/envs/a/lib/python3.9/os.py", False),
        ("C:\\Python311\\Lib\\json\\decoder.py", False),
        ("<frozen runpy>", False),
        ("<__array_function__ internals>", False),
        ("/usr/lib/python311.zip/os.py", False),
        ("pandas/_libs/index.pyx", False),
    ],
)
def test_whose_code_a_frame_is(filename: str, own: bool) -> None:
    (frame,) = one(f'{HEADER}  File "{filename}", line 9, in f\nValueError: x\n')["traceback"]
    assert frame["in_app"] is own


def fingerprint(text: str, line: int = 3, function: str = "f") -> str:
    frame = f'  File "/w/t.py", line {line}, in {function}\n    g()\n'
    return str(one(f"{HEADER}{frame}RuntimeError: {text}\n")["fingerprint"])


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("shape [3, 4] at 0x7f00", "shape [7, 9] at 0x55aa"),
        ("no file /tmp/tmpab12cd/x.pt here", "no file /tmp/pytest-7/y.pt here"),
        ("run 123e4567-e89b-12d3-a456-426614174000 died", "run 99999999-aaaa-bbbb-cccc-426614174fff died"),
        ("timed out after 3.5 s", "timed out after 12.25 s"),
    ],
)
def test_the_same_fault_in_two_runs(text: str, again: str) -> None:
    assert fingerprint(text) == fingerprint(again, line=8)
    assert fingerprint(text) != fingerprint(text, function="other")
    assert fingerprint(text) != fingerprint(text + " in another way")


def test_two_faults_of_workers_differ() -> None:
    def text(function: str) -> str:
        frame = f'  File "/w/d.py", line 3, in {function}\n    x()\n'
        return f"Caught KeyError in DataLoader worker process 0.\nOriginal {HEADER}{frame}KeyError: 1"

    assert fingerprint(text("read")) == fingerprint(text("read"))
    assert fingerprint(text("read")) != fingerprint(text("write"))


@pytest.mark.parametrize(
    "text",
    [
        "+----------+---------+\n| loss     | 0.5     |\n+----------+---------+",
        "╭──────── Configuration ────────╮\n│ traceback: on                 │\n╰───────────────────────────────╯",
        'File "config.yaml", line 3, in the second block\nuses an old key',
        '{"level": "info", "message": "no Traceback (most recent call last) seen"}',
        "The above exception was the direct cause of the following exception:\nnothing",
    ],
)
def test_what_only_looks_like_a_drawn_traceback(text: str) -> None:
    assert faults(text + "\nepoch 1\n") == []


@pytest.mark.parametrize("unit", ["-", " ", "a:1 ", "a/", "│ ", "->", "~^", "(", "C:\\conda\\", '"', "/tmp/", "="])
def test_no_line_takes_long(unit: str) -> None:
    line = (unit * 60_000)[:60_000]
    log = (
        f'{HEADER}  File "{line}", line 3, in {line}\n    {line}\nValueError: {line}\n{line}\n{line}\n'
        f"╭── Traceback (most ─╮\n│ {line} │\n╰─╯\nValueError: {line}\n{line}\n"
        f"ValueError    Traceback (most recent call last)\nFile {line}:3, in {line}\n----> {line}\nValueError: {line}\n"
    )
    began = time.process_time()
    parse(log.encode())
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "ruler", ["  +-+---------------- 1 ------", "  +-+-", "  +-+---------------- x ----------------"]
)
def test_a_groups_ruler_that_is_cut_short(ruler: str) -> None:
    log = f'  + Exception Group {HEADER}  |   File "/w/t.py", line 3, in f\n  | ExceptionGroup: two (1 sub-exception)\n'
    assert one(f"{log}{ruler}\n    | ValueError: x\n")["exc_type"] == "ExceptionGroup"
