"""What a followed job looks like."""

import io
import json
import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from k12ai_ws.cli.curve import BARS, sparkline
from k12ai_ws.cli.live import NAMES, POINTS, LiveView
from k12ai_ws.cli.output import Output
from k12ai_ws.cli.view import JsonView, PlainView, make_view
from k12ai_ws.cli.words import Words
from k12ai_ws.client import Message


def message(kind: str, body: dict[str, Any]) -> Message:
    named = {"user": "ann", "service_uuid": "p1", "service_name": "k12cv", "job_id": "j1"}
    return Message({"type": kind, "tag": "framework", "op": "train.start", "timestamp": 1, kind: body, **named})


def progress(value: float) -> Message:
    return message("progress", {"value": value, "current": None, "total": None})


def output(*, terminal: bool = False, json_: bool = False) -> tuple[Output, io.StringIO]:
    out = io.StringIO()
    return Output(Words("en"), json=json_, out=out, terminal=terminal), out


def test_the_view_fits_where_it_is_seen() -> None:
    assert isinstance(make_view(output()[0]), PlainView)
    assert isinstance(make_view(output(terminal=True)[0]), LiveView)
    assert isinstance(make_view(output(terminal=True, json_=True)[0]), JsonView)


def test_json_is_the_event_as_it_came() -> None:
    to, out = output(json_=True)
    JsonView(to).show(progress(0.5))
    assert json.loads(out.getvalue()) == progress(0.5).data


def test_plain_lines_show_every_tenth_of_the_progress_and_its_end() -> None:
    to, out = output()
    view = PlainView(to)
    for step in range(101):
        view.show(progress(step / 100))
    assert [line.split()[1] for line in out.getvalue().splitlines()] == [str(n) for n in range(0, 101, 10)]


def test_a_new_bar_is_shown_from_its_beginning() -> None:
    to, out = output()
    view = PlainView(to)
    for value in (0.0, 1.0, 1.0, 0.0, 0.05, 1.0):
        view.show(progress(value))
    assert [line.split()[1] for line in out.getvalue().splitlines()] == ["0", "100", "0", "100"]


def test_the_live_view_shows_state_curve_and_errors() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    view = LiveView(console, Words("en"))
    with view.open():
        view.show(message("status", {"value": "running"}))
        for epoch in range(1, 5):
            view.show(message("metrics", {"epoch": epoch, "loss": 1 / epoch}))
        view.show(progress(0.5))
        view.show(message("error", {"code": 100919, "descr": "wrong value", "severity": "error", "detail": {}}))
        view.show(message("status", {"value": "failed", "reason": "exception"}))
    last = out.getvalue().rpartition("error 100919")[2]
    assert "k12cv train" in last
    assert "failed (exception)" in last
    assert "50 %" in last
    assert "0.25" in last
    assert "█" in last
    assert "epoch" in last


def test_the_live_view_is_bounded() -> None:
    view = LiveView(Console(file=io.StringIO(), width=100), Words("en"))
    for n in range(3 * NAMES):
        view.show(message("metrics", {f"m{n}": n}))
    for n in range(2 * POINTS):
        view.show(message("metrics", {"m0": n}))
    with (console := Console(file=io.StringIO(), width=100)).capture() as shown:
        console.print(view.render())
    assert f"m{NAMES - 1}" in shown.get()
    assert f"m{NAMES} " not in shown.get()
    assert f"+ {2 * NAMES}" in shown.get()


def test_drawing_while_events_come() -> None:
    """rich draws in another thread."""
    view = LiveView(Console(file=io.StringIO(), width=100), Words("en"))
    stop = threading.Event()
    broken: list[Exception] = []

    def draw() -> None:
        try:
            while not stop.is_set():
                view.render()
        except Exception as e:  # noqa: BLE001 - told to the test
            broken.append(e)

    thread = threading.Thread(target=draw)
    thread.start()
    for n in range(3000):
        view.show(message("metrics", {f"m{n % NAMES}": n, "loss": n}))
    stop.set()
    thread.join()
    assert not broken


@given(st.lists(st.floats(-1e300, 1e300)), st.integers(-1, 50))
def test_a_curve_is_never_wider_than_it_may_be(values: list[float], width: int) -> None:
    curve = sparkline(values, width)
    assert len(curve) == max(0, min(len(values), width))
    assert set(curve) <= set(BARS)


def test_a_curve_shows_rise_and_fall() -> None:
    assert sparkline([0, 7, 0], 10) == "▁█▁"
    assert sparkline([3, 3, 3], 10) == "▁▁▁"


def test_tables_line_up_for_chinese_too() -> None:
    to, out = output()
    to.table(["任务", "x"], [["ab", 1], ["中文字", 2]])
    assert out.getvalue() == "任务    x\nab      1\n中文字  2\n"


def test_cells_stay_on_their_line() -> None:
    for terminal in (False, True):
        to, out = output(terminal=terminal)
        to.table(["a"], [["x\ny\x1b[31m[bold]"]])
        assert len(out.getvalue().splitlines()) == 2
        assert "[bold]" in out.getvalue()
        assert "\x1b[31m" not in out.getvalue()
