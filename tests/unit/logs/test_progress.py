"""Progress bars: how often what they show becomes an event."""

from pathlib import Path

from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import Progress

FIXTURES = Path(__file__).parent / "fixtures"


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


def test_the_event_says_the_rate_and_leaves_out_what_is_unknown() -> None:
    (event, *_) = [
        e for e in Pipeline(["auto"]).feed(b"a: 50%|##  | 1/2 [00:01<00:02,  2.50s/it]\n") if isinstance(e, Progress)
    ]
    assert event.body() == {
        "value": 0.5, "current": 1, "total": 2, "unit": "it", "desc": "a", "eta_s": 2.0, "rate": 0.4
    }  # fmt: skip
    assert Progress(0.5).body() == {"value": 0.5, "current": None, "total": None}
