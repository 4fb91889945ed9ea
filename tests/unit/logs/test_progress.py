"""Progress bars: what they show, and how often that becomes an event."""

from pathlib import Path

import pytest

from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.logs.bars import read_progress
from k12ai_ws.wire.bodies import Progress

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("Epoch 3/20: 45%|####      | 9/20 [00:01<00:02, 7.9it/s]", Progress(0.45, 9, 20, "it", "Epoch 3/20", 2.0)),
        (" 12%|█▏   | 1.5k/12.5k [01:00<1:02:03, 2.0s/batch]", Progress(0.12, 1500, 12500, "batch", None, 3723.0)),
        ("  0%|          | 0/24 [00:00<?, ?it/s]", Progress(0.0, 0, 24, "it")),
        ("10/40 [=====>........] - ETA: 12s - loss: 0.5", Progress(0.25, 10, 40, None, None, 12.0)),
        (" 1/10 ━━━━━━━━━━ 3s 16ms/step - loss: 0.8", Progress(0.1, 1, 10, None, None, 3.0)),
        ("Epoch 3/10", Progress(0.2, 2, 10, "epoch")),
        ("Downloading ━━━━━━━╸        40%", Progress(0.4, 40.0, 100, "%", "Downloading")),
    ],
)
def test_a_bar(line: str, progress: Progress) -> None:
    assert read_progress(line) == progress


@pytest.mark.parametrize(
    "line",
    [
        "312 (31.2%) images removed",
        "cpu=3.0%",
        "|  17%  Default |",
        "a/b 3/4",
        "Epoch 4/3",
        "5%| x",
        "loss 50% | 3/0",
        "40% done",
    ],
)
def test_no_bar(line: str) -> None:
    assert read_progress(line) is None


def bar(i: int, total: int = 100, desc: str = "fit") -> bytes:
    return f"\r{desc}: {100 * i // total:3d}%|##  | {i}/{total} [00:01<00:01, 7.9it/s]".encode()


def shown(events: list[object]) -> list[float | None]:
    return [e.current for e in events if isinstance(e, Progress)]


def test_at_most_four_a_second_and_the_last_one_always() -> None:
    pipeline = Pipeline(["auto"])
    sent: list[float | None] = []
    for i in range(100):
        sent += shown(pipeline.feed(bar(i), at_ms=1000 + 20 * i))
    assert 7 <= len(sent) <= 9
    sent += shown(pipeline.feed(bar(100) + b"\n", at_ms=2990))
    assert shown(pipeline.idle(at_ms=3500)) == [100]
    assert shown(pipeline.close(at_ms=4000)) == []


def test_what_waits_goes_out_when_its_time_has_come() -> None:
    pipeline = Pipeline(["auto"])
    assert shown(pipeline.feed(bar(0) + bar(1) + bar(2) + bar(3) + b"\n", at_ms=0)) == [0]
    assert shown(pipeline.feed(b"words\n", at_ms=100)) == []
    assert shown(pipeline.feed(b"words\n", at_ms=250)) == [3]


def test_many_short_bars_are_no_flood() -> None:
    pipeline = Pipeline(["auto"])
    data = b"".join(bar(1, 1, f"file {i}") + b"\n" for i in range(5000))
    assert len(shown(pipeline.feed(data, at_ms=0))) <= 8
    assert len(shown(pipeline.close(at_ms=1))) <= 16


def test_two_bars_are_throttled_apart() -> None:
    pipeline = Pipeline(["auto"])
    assert shown(pipeline.feed(bar(5, desc="a") + b"\n" + bar(7, desc="b") + b"\n", at_ms=0)) == [5, 7]


def test_the_bars_of_a_trainer() -> None:
    pipeline = Pipeline(["auto"])
    events = pipeline.feed((FIXTURES / "bars.log").read_bytes(), at_ms=0) + pipeline.close(at_ms=1)
    last = {e.desc: e.current for e in events if isinstance(e, Progress)}
    assert last == {"Epoch 1/3": 20, "Epoch 2/3": 20, "Epoch 3/3": 20}
