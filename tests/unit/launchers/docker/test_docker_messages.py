"""The engine's streams, cut anywhere, and those that are none."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.launchers.docker.messages import Demultiplexer, Garbled, Message, MessageReader, nanoseconds

BASE = "2026-11-23T11:52:40"
BASE_MS = 1_795_434_760_000
FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=12)


def frame(stream, payload):
    return struct.pack(">BxxxI", stream, len(payload)) + payload


def stamp(ms):
    """The engine's time, `ms` after BASE (a minute at most)."""
    return f"{BASE[:-2]}{40 + ms // 1000:02d}.{ms % 1000:03d}505878Z".encode()


def message(stream, ms, payload):
    return frame(stream, stamp(ms) + b" " + payload)


def pieces(whole, cuts):
    at = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    return [whole[a:b] for a, b in itertools.pairwise(at)]


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 2000), max_size=8), torn=st.binary(max_size=7))
def test_frames_come_whole_however_they_are_cut(frames, cuts, torn):
    whole = b"".join(frame(*each) for each in frames) + frame(1, b"x" * 20)[: len(torn)]
    reader = Demultiplexer()
    assert [each for piece in pieces(whole, cuts) for each in reader.feed(piece)] == frames


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 2000), max_size=8))
def test_messages_come_whole_however_they_are_cut(frames, cuts):
    lines = [(stream, 7 * i, payload.replace(b"\n", b"") + b"\n") for i, (stream, payload) in enumerate(frames)]
    whole = b"".join(message(*line) for line in lines)
    reader = MessageReader()
    found = [each for piece in pieces(whole, cuts) for each in reader.feed(piece)]
    assert found == [Message(stream, BASE_MS + ms, payload) for stream, ms, payload in lines]


def test_a_line_end_that_the_engine_left_out_is_put_back():
    """Engine 20.10, driver `local`: a long line in pieces lacks its end. The other stream has nothing to do with it."""
    log = [(1, 0, b"long "), (1, 0, b"line"), (2, 1, b"err\n"), (1, 2, b"next\n"), (1, 3, b"half")]
    reader = MessageReader()
    found = [each for line in log for each in reader.feed(message(*line))]
    assert [(each.stream, each.ms - BASE_MS, each.payload) for each in found] == [
        (1, 0, b"long "), (1, 0, b"line"), (2, 1, b"err\n"), (1, 0, b"\n"), (1, 2, b"next\n"), (1, 3, b"half"),
    ]  # fmt: skip


def test_a_line_end_that_is_there_is_not_put_in_twice():
    log = [(1, 0, b"long "), (1, 0, b"line\n"), (1, 1, b"next\n")]
    reader = MessageReader()
    assert b"".join(each.payload for line in log for each in reader.feed(message(*line))) == b"long line\nnext\n"


def test_the_seconds_go_on():
    reader = MessageReader()
    found = reader.feed(b"".join(message(1, ms, b"\n") for ms in (999, 1000, 0, 19_999)))
    assert [each.ms - BASE_MS for each in found] == [999, 1000, 0, 19_999]


@pytest.mark.parametrize("stream", [0, 4, 255])
def test_a_stream_that_is_not_known_is_garbled(stream):
    reader = Demultiplexer()
    assert reader.feed(frame(1, b"x") + frame(stream, b"x" * 8)[:4]) == [(1, b"x")]
    with pytest.raises(Garbled, match=f"stream {stream} and 8 bytes"):
        reader.feed(frame(stream, b"x" * 8)[4:])


def test_an_error_of_the_engine_is_told_in_its_words():
    said = frame(3, b"error from daemon in stream: Error grabbing logs: EOF\n" + b"x" * 1000)
    reader = Demultiplexer()
    assert reader.feed(said[:100]) == []
    with pytest.raises(Garbled, match="the engine says, in place of its log: error from daemon") as caught:
        reader.feed(said[100:])
    assert len(str(caught.value)) < 400


def test_a_length_beyond_all_measure_is_not_waited_for():
    """What is no frame at all would else be gathered in memory, up to 4 GiB of it."""
    with pytest.raises(Garbled, match="stream 1 and 4294967295 bytes"):
        Demultiplexer().feed(b"\1\0\0\0\xff\xff\xff\xff")
    assert Demultiplexer().feed(struct.pack(">BxxxI", 1, 16 << 20)) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"x", b"no timestamp at all, and long enough", b"2026-11-23T11:52:40.146505878", stamp(0), stamp(0)[:25],
        stamp(0) + b"x", b"2026-11-23T11:52:40.146505878+01:00 x", b"2026-13-23T11:52:40.146505878Z x",
        b"2026-11-23T11:52:40.xxx505878Z x", b"\xff" * 29 + b"Z x", b" " * 29 + b"Z ",
    ],
)  # fmt: skip
def test_a_message_without_its_time_is_garbled(raw):
    with pytest.raises(Garbled, match="no timestamp"):
        MessageReader().feed(frame(1, raw))


@given(st.binary(min_size=1, max_size=200))
def test_rubbish_is_garbled_or_waited_for(rubbish):
    said = ""
    try:
        assert sum(len(each.payload) for each in MessageReader().feed(rubbish)) < len(rubbish)
    except Garbled as e:
        said = str(e)
    assert len(said) < 500


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("2026-11-23T11:52:40.146505878Z", BASE_MS * 1_000_000 + 146_505_878),
        ("2026-11-23T11:52:40.1Z", BASE_MS * 1_000_000 + 100_000_000),
        ("2026-11-23T11:52:40Z", BASE_MS * 1_000_000),
        ("0001-01-01T00:00:00Z", None),
        ("1969-12-31T23:59:59Z", None),
    ],
)
def test_the_times_of_a_state(text, expected):
    assert nanoseconds(text) == expected
