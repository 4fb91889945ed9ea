"""Bytes to lines: ends, redraws, colours, broken UTF-8, bounds."""

import time
import tracemalloc

import pytest

from k12ai_ws.logs.limits import Limits
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import LogLines


def lines_of(data: bytes, limits: Limits | None = None) -> tuple[list[str], int]:
    pipeline = Pipeline([], limits=limits or Limits())
    logs = [e for e in pipeline.feed(data) + pipeline.close(at_ms=0) if isinstance(e, LogLines)]
    return [line for e in logs for line in e.lines], sum(e.truncated for e in logs)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\nb\r\nc\r\r\nd", ["a", "b", "c", "d"]),
        (b"\n\n", ["", ""]),
        (b"", []),
        (b" 10%\r 20%\r 30%\n", [" 30%"]),
        (b" 30%\r    \r\n", [" 30%"]),
        (b" 30%\r      \rdone\n", ["done"]),
        (b"50%\x08\x08\x0860%\n", ["60%"]),
        (b"ab\x08c\n", ["ac"]),
        (b"\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\n", ["red link"]),
        (b"outer 1\n\rinner 1\x1b[A\n\rinner 2\x1b[A\r       \router 2\n", ["outer 1", "outer 2"]),
        (b"a\x00b\x07\x0bc\n", ["abc"]),
        ("数据".encode() + b"\xff\n", ["数据\ufffd"]),
        (b"\x1b]never ends\nnext\n", ["never ends", "next"]),
    ],
)
def test_lines(data: bytes, lines: list[str]) -> None:
    assert lines_of(data)[0] == lines


def test_a_bar_redrawn_a_thousand_times_is_one_line() -> None:
    data = b"".join(b"\r%3d%%|##  | %d/1000" % (i // 10, i) for i in range(1000)) + b"\n"
    assert lines_of(data)[0] == [" 99%|##  | 999/1000"]


def test_a_cut_line_says_how_many_bytes_are_missing() -> None:
    lines, cut = lines_of("数".encode() * 30 + b"\nnext\n", Limits(line_chars=10))
    assert lines == ["数" * 10, "next"]
    assert cut == 60
    lines, cut = lines_of(b"ok\n" + b"x" * 15 + b"\n" + b"y" * 12 + b"\n", Limits(line_chars=10))
    assert (lines, cut) == (["ok", "x" * 10, "y" * 10], 7)


def test_a_hundred_megabytes_on_one_line_cost_little() -> None:
    pipeline, chunk, events = Pipeline(["auto"]), b"epoch=1 loss=0.5 " * 4096, []
    rounds = 100_000_000 // len(chunk)
    tracemalloc.start()
    began = time.process_time()
    for _ in range(rounds):
        events += pipeline.feed(chunk)
    events += pipeline.feed(b"\n")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000
    assert time.process_time() - began < 20
    logs = [e for e in events if isinstance(e, LogLines)]
    assert [len(e.lines[0]) for e in logs] == [Limits().line_chars]
    assert logs[0].truncated == rounds * len(chunk) - Limits().line_chars


def test_many_lines_come_in_events_of_bounded_size() -> None:
    pipeline = Pipeline([])
    events = [e for e in pipeline.feed(b"x\n" * 1000) if isinstance(e, LogLines)]
    assert [len(e.lines) for e in events] == [400, 400, 200]


def test_streams_are_split_apart() -> None:
    pipeline = Pipeline([])
    events = (
        pipeline.feed(b"half ", stream="stdout") + pipeline.feed(b"err\n", stream="stderr") + pipeline.feed(b"line\n")
    )
    assert [(e.stream, list(e.lines)) for e in events if isinstance(e, LogLines)] == [
        ("stderr", ["err"]),
        ("stdout", ["half line"]),
    ]
