"""The same bytes give the same events however they come, and a dumped state goes on as if nothing had happened."""

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logfuzz import grammar
from logfuzz.oracles import Case, examine
from logfuzz.script import Op, Reader, play, split

from k12ai_ws.logs.parser import Found, LogParser
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import LogEvent, LogLines

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.log"))
assert len(FIXTURES) >= 10


def split_off(events: list[LogEvent]) -> tuple[list[str], int, list[LogEvent]]:
    """The lines, the bytes cut, and the other events."""
    logs = [event for event in events if isinstance(event, LogLines)]
    return (
        [line for event in logs for line in event.lines],
        sum(event.truncated for event in logs),
        [event for event in events if not isinstance(event, LogLines)],
    )


def read(*chunks: bytes, through_dump: bool = False) -> tuple[list[str], int, list[LogEvent]]:
    pipeline, events = Pipeline(["auto"]), []
    for chunk in chunks:
        events += pipeline.feed(chunk)
        if through_dump:
            state = json.loads(json.dumps(pipeline.dump()))
            pipeline = Pipeline(["auto"])
            pipeline.load(state)
    events += pipeline.close(at_ms=0)
    return split_off(events)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_a_fixture_split_anywhere(path: Path) -> None:
    data = path.read_bytes()
    whole = read(data)
    assert whole[2], "a fixture without events proves nothing"
    for at in range(1, len(data), 1 + len(data) // 800):
        assert read(data[:at], data[at:]) == whole, f"split at byte {at}"
    assert read(*(data[i : i + 1] for i in range(len(data)))) == whole


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_a_dump_at_any_byte_changes_nothing(path: Path) -> None:
    data = path.read_bytes()
    whole = read(data)
    for at in range(0, len(data), 7 + len(data) // 300):
        assert read(data[:at], data[at:], through_dump=True) == whole, f"dumped at byte {at}"
    assert read(*(data[i : i + 3] for i in range(0, len(data), 3)), through_dump=True) == whole


PIECES = st.sampled_from(
    [
        *(b"\n", b"\r", b"\r\n", b"\x08", b"\x08\x08\x08", b"\x1b[A", b"\x1b[31m", b"\x1b", b"[", b"\x1b]0;t\x07"),
        *(b"\x1b]0;", b"\x00", b"\xff", "数".encode(), b" 50%|##  | 5/10 [00:01<00:01, 7.9it/s]", b"epoch 1 loss: 0.5"),
        *(b"Traceback (most recent call last):\n", b'  File "a.py", line 3, in f\n    x\n', b"ValueError: bad\n"),
        *(b"note\n", b"\nDuring handling of the above exception, another exception occurred:\n\n", b"[rank1]: "),
        *(b"  + Exception Group Traceback (most recent call last):\n", b"  | ExceptionGroup: g (1 sub-exception)\n"),
        *(b"  +-+---------------- 1 ----------------\n", b"    | KeyError: 'k'\n", b"    +-----------------\n"),
        *(b"  indented\n", b"epoch,loss\n1,0.5\n", b"{'loss': nan, 'epoch': 2}\n", b"Fatal Python error: Aborted\n"),
        *(b'"""\n', b"=" * 12 + b"\n", b"RuntimeError: x:\n"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25), st.data())
def test_any_bytes_in_any_split(pieces: list[bytes], data: st.DataObject) -> None:
    log = b"".join(pieces)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(log)), max_size=6)))
    edges = [0, *cuts, len(log)]
    chunks = [log[a:b] for a, b in pairwise(edges)]
    whole = read(log)
    assert read(*chunks) == whole
    assert read(*chunks, through_dump=True) == whole


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_log_of_anything_however_it_comes(rng: Random) -> None:
    """Made of what real programs print; in chunks, bytes, two streams, over some time, with restarts in between."""
    examine(Case(grammar.log(rng)[:1_500], rng.randrange(1 << 30)))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
@pytest.mark.parametrize("step_ms", [0, 40, 300])
def test_a_fixture_over_time_and_between_another_streams_lines(path: Path, step_ms: int) -> None:
    data, rng, script = path.read_bytes(), Random(path.stem), []
    for index, at in enumerate(range(0, len(data), 97)):
        script.append(Op("feed", index * step_ms, data[at : at + 97]))
        script.append(Op("feed", index * step_ms, b"half a li" if index % 2 else b"ne\n", "stderr"))
    whole = play(script, Reader())
    for restarts, single in ((False, False), (True, False), (True, True)):
        assert whole.same(play(split(script, rng, restarts=restarts, single=single), Reader())) is None
    assert whole.lines["stdout"] == play([Op("feed", 0, data)], Reader()).lines["stdout"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_it_raise(log: bytes) -> None:
    pipeline = Pipeline(["auto"])
    pipeline.feed(log, stream="stderr")
    pipeline.idle(at_ms=5)
    pipeline.feed(log)
    json.dumps(pipeline.dump())
    pipeline.close(at_ms=9)


class Deaf(LogParser):
    def feed(self, line: str) -> list[Found]:
        return []


def test_a_state_of_another_version_is_refused() -> None:
    state = Pipeline(["auto"]).dump()
    with pytest.raises(ValueError, match="version 0, expected"):
        Pipeline(["auto"]).load({**state, "version": 0})
    with pytest.raises(ValueError, match="not of this reader"):
        Pipeline(["auto", Deaf()]).load(state)
    with pytest.raises(ValueError, match="not of this reader"):
        Pipeline(["auto"]).load(None)
