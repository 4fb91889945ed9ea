"""A log read in pieces and across restarts gives the same events as at once; a driver's rubbish costs only itself."""

import json

import pytest

from k12ai_ws.drivers import Fault, LogParser, Metrics
from k12ai_ws.jobs.reading import TAIL_CHARS, TAIL_LINES, LogReader, auto_reader, forgetting, reads_auto
from k12ai_ws.launchers.launcher import Chunk
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.store.store import LogPosition
from k12ai_ws.wire.envelope import encode
from k12ai_ws.wire.job import JobRecord

RECORD = JobRecord("j", "u", "p", "s", "train", {}, 1)
LOG = b"""starting
epoch=1 loss=0.5
 10%|#         | 1/10 [00:01<00:09,  1.00it/s]
epoch=2 loss=nan
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    main()
ValueError: \xe4\xb8\xad\xe6\x96\x87
after
"""


def pipeline(*parsers):
    return lambda: Pipeline(list(parsers) or ["auto"])


def chunks(log: bytes, size: int) -> list[Chunk]:
    pieces = [log[i : i + size] for i in range(0, len(log), size)]
    return [Chunk(p, "stdout", 1000, (i + 1) * size) for i, p in enumerate(pieces)]


def events_of(*readings) -> list[dict]:
    return [json.loads(e.encoded) for reading in readings for e in reading.events]


def stored(reading) -> LogPosition:
    """The reading's position as the store gives it back."""
    return LogPosition(reading.position.offset, json.loads(encode(reading.position.state)))


def without_lines(events: list[dict]) -> list[dict]:
    return [e for e in events if e["type"] != "log"]


def lines_of(events: list[dict]) -> list[str]:
    return [line for e in events if e["type"] == "log" for line in e["log"]["lines"]]


def at_once() -> list[dict]:
    reader = LogReader(RECORD, pipeline(), None)
    return events_of(reader.read(chunks(LOG, len(LOG))), reader.close(1000))


def test_events_are_enveloped_with_the_time_of_their_bytes() -> None:
    first = next(e for e in at_once() if e["type"] == "metrics")
    assert first["metrics"] == {"epoch": 1, "loss": 0.5}
    assert (first["timestamp"], first["op"], first["job_id"], first["service_name"]) == (1000, "train.start", "j", "s")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_read_in_pieces_it_is_the_same(size: int) -> None:
    reader = LogReader(RECORD, pipeline(), None)
    events = events_of(*[reader.read([c]) for c in chunks(LOG, size)], reader.close(1000))
    assert without_lines(events) == without_lines(at_once())
    assert lines_of(events) == lines_of(at_once())


@pytest.mark.parametrize("size", [1, 5, 17, 40])
def test_taken_up_from_any_stored_position_nothing_is_lost_or_repeated(size: int) -> None:
    """After every piece the server dies; the next one goes on from what was stored last."""
    stored: LogPosition | None = None
    events: list[dict] = []
    pieces = chunks(LOG, size)
    died = 0
    while True:
        reader = LogReader(RECORD, pipeline(), stored)
        rest = [c for c in pieces if c.position > reader.offset]
        for chunk in rest:
            reading = reader.read([chunk])
            if reading.position is not None:
                events += events_of(reading)
                stored = LogPosition(reading.position.offset, json.loads(encode(reading.position.state)))
                died += 1
                break
        else:
            events += events_of(reader.close(1000))
            break
    assert died >= 3
    assert without_lines(events) == without_lines(at_once())
    assert lines_of(events) == lines_of(at_once())


def test_the_last_of_each_kind_is_for_the_record() -> None:
    reader = LogReader(RECORD, pipeline(), None)
    readings = [reader.read(chunks(LOG, len(LOG))), reader.close(1000)]
    metrics = next(r.last_metrics for r in reversed(readings) if r.last_metrics)
    error = next(r.last_error for r in reversed(readings) if r.last_error)
    assert metrics["loss"] is None
    assert error["detail"]["exc_type"] == "ValueError"
    assert error["timestamp"] == 1000


def test_a_warning_is_not_the_jobs_last_error() -> None:
    class Warns(LogParser):
        def feed(self, line):
            return [Fault(100009, line, "warning")]

    reading = LogReader(RECORD, pipeline(Warns()), None).read(chunks(b"x\n", 2))
    assert reading.last_error is None
    assert "error" in [e["type"] for e in events_of(reading)]


def test_the_tail_is_bounded() -> None:
    reader = LogReader(RECORD, pipeline(), None)
    log = b"".join(b"%d %s\n" % (i, b"x" * 1000) for i in range(100))
    reader.read(chunks(log, 997))
    reader.close(0)
    assert len(reader.tail) == TAIL_LINES
    assert all(len(line) <= TAIL_CHARS for line in reader.tail)
    assert reader.tail[-1].startswith("99 x")


def test_an_empty_log_gives_nothing() -> None:
    reader = LogReader(RECORD, pipeline(), None)
    assert not reader.idle(1).events
    assert reader.idle(1).position is None
    assert not reader.close(2).events


def test_a_notice_comes_before_the_first_event_and_once() -> None:
    notice = Fault(100009, "the driver is broken", "warning")
    reader = LogReader(RECORD, pipeline(), None, notice=notice)
    events = events_of(reader.read(chunks(b"a\n", 2)), reader.read(chunks(b"b\n", 2)), reader.close(5))
    assert [e["error"]["message"] for e in events if e["type"] == "error"] == ["the driver is broken"]
    assert events[0]["type"] == "error"
    first = LogReader(RECORD, pipeline(), None, notice=notice).read(chunks(b"a\n", 2))
    resumed = LogReader(RECORD, pipeline(), stored(first), notice=notice)
    assert [e["type"] for e in events_of(resumed.read(chunks(b"b\n", 2)))] == ["log"], "the server before has said it"


def test_a_notice_comes_also_for_a_job_that_printed_nothing() -> None:
    reader = LogReader(RECORD, pipeline(), None, notice=Fault(100009, "broken", "warning"))
    assert [e["error"]["message"] for e in events_of(reader.close(5))] == ["broken"]


@pytest.mark.parametrize(
    "state", [None, {}, {"pipeline": None}, {"pipeline": {"version": -1}}, {"pipeline": [], "tail": []}, [], "x", 7]
)
def test_a_state_of_another_version_costs_only_what_was_half_read(state) -> None:
    reader = LogReader(RECORD, pipeline(), LogPosition(3, state))
    assert reader.offset == 3
    assert [
        e["metrics"] for e in events_of(reader.read([Chunk(b"loss=0.5\n", "stdout", 1, 12)])) if e["type"] == "metrics"
    ]


class Rubbish(LogParser):
    """Gives one piece of rubbish, and on the next line something good."""

    rubbish: object = None

    def feed(self, line: str):
        return [Metrics({"good": 1.0})] if line == "good" else [self.rubbish]  # type: ignore[list-item]


@pytest.mark.parametrize(
    "rubbish",
    [None, "text", 7, {}, Metrics, Metrics(None), Metrics({"a": "b"}), Metrics({1: 2.0}), Metrics({"a": object()}),
     Metrics({"a": True}), Fault("x"), Fault(100999, "m", "error", {"a": object()}), Fault(None)],
    ids=lambda r: ascii(r)[:30],
)  # fmt: skip
def test_rubbish_of_a_drivers_parser_becomes_one_warning_and_the_rest_goes_on(rubbish) -> None:
    parser = Rubbish()
    parser.rubbish = rubbish
    reader = LogReader(RECORD, pipeline(parser), None)
    reading = reader.read(chunks(b"bad\nbad\ngood\n", 13))
    events = without_lines(events_of(reading))
    assert [e["type"] for e in events] == ["error", "metrics"]
    assert events[0]["error"]["severity"] == "warning"
    assert reading.last_metrics == {"timestamp": 1000, "good": 1.0}
    assert reading.last_error is None
    encode({"metrics": reading.last_metrics, "state": reading.position.state})


@pytest.mark.parametrize("state", [{"a": {1, 2}}, {"a": object()}, object(), {1: 2}])
def test_a_parser_that_remembers_what_cannot_be_stored_is_told_once(state) -> None:
    class Remembers(LogParser):
        def feed(self, line: str):
            self.state = state
            return [Metrics({"good": 1.0})]

    reader = LogReader(RECORD, pipeline(Remembers()), None)
    readings = [reader.read([Chunk(b"x\n", "stdout", 1, i)]) for i in (2, 4)]
    events = without_lines(events_of(*readings))
    assert [e["type"] for e in events] == ["metrics", "error", "metrics"]
    for reading in readings:
        encode(reading.position.state)
    again = LogReader(RECORD, pipeline(Remembers()), stored(readings[-1])).read([Chunk(b"x\n", "stdout", 1, 6)])
    (lost,) = warnings_of(again)
    assert "lost" in lost, "the one warning is of the loss; that the state cannot be stored was said before the restart"


def warnings_of(*readings) -> list[str]:
    return [e["error"]["message"] for e in events_of(*readings) if e["type"] == "error"]


def test_what_was_warned_of_is_not_said_again_after_a_restart() -> None:
    class Gives(LogParser):
        def feed(self, line: str):
            return ["rubbish"]

    first = LogReader(RECORD, pipeline(Gives()), None).read(chunks(b"a\n", 2))
    assert len(warnings_of(first)) == 1
    second = LogReader(RECORD, pipeline(Gives()), stored(first)).read([Chunk(b"b\n", "stdout", 1, 4)])
    assert warnings_of(second) == []


class Counts(LogParser):
    """Counts its lines; its state of `breaking` lines cannot be loaded, and leaves it half loaded."""

    breaking = -1

    @property
    def state(self):
        return {"lines": self.lines}

    @state.setter
    def state(self, state):
        self.lines = state.get("lines", 0)
        if self.lines == self.breaking:
            raise RuntimeError("says the parser")

    def feed(self, line: str):
        self.lines += 1
        return [Metrics({"lines": self.lines})]


def test_parsers_that_cannot_go_on_are_made_anew_and_the_loss_is_said() -> None:
    class Breaks(Counts):
        breaking = 1

    first = LogReader(RECORD, pipeline(Breaks()), None).read(chunks(b"a\n", 2))
    half = LogReader(RECORD, pipeline(Breaks()), stored(first))
    assert half.stale == "RuntimeError: says the parser"
    anew = LogReader(RECORD, pipeline(Breaks()), forgetting(stored(first), half.stale))
    assert (anew.stale, anew.offset) == (None, 2)
    reading = anew.read([Chunk(b"b\n", "stdout", 1, 4)])
    assert reading.last_metrics["lines"] == 1, "it knows nothing of before"
    (lost,) = warnings_of(reading)
    assert "is lost" in lost
    assert "RuntimeError: says the parser" in lost
    after = LogReader(RECORD, pipeline(Counts()), stored(reading)).read([Chunk(b"c\n", "stdout", 1, 6)])
    assert (after.last_metrics["lines"], warnings_of(after)) == (2, [])


def test_auto_takes_over_from_any_parsers_without_losing_what_is_half_read() -> None:
    class Silent(LogParser):
        def feed(self, line: str):
            return ()

    first = LogReader(RECORD, pipeline(Silent(), Counts()), None).read(chunks(b"a\nloss=0.", 9))
    notice = Fault(100009, "taken over", "warning")
    reader = auto_reader(RECORD, stored(first), notice=notice)
    reading = reader.read([Chunk(b"25\n", "stdout", 1, 12)])
    assert reading.last_metrics == {"timestamp": 1, "loss": 0.25}
    assert warnings_of(reading) == ["taken over"]
    assert not reads_auto(stored(first))
    assert reads_auto(stored(reading))
    after = auto_reader(RECORD, stored(reading), notice=notice).read([Chunk(b"loss=1\n", "stdout", 1, 19)])
    assert warnings_of(after) == []
