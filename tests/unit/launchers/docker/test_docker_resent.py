"""What an engine sends twice, told from what is new, and from a clock that was set back."""

from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.launchers.docker.messages import MessageReader
from k12ai_ws.launchers.docker.resent import Resent


def stamp(number: int) -> bytes:
    return b"2026-01-01T00:00:%02d.%09dZ" % divmod(number, 10**9)


Line = tuple[int, bytes]
"""A message: the number of its time, and its text."""
FULL = 16 << 10


def line(number: int) -> Line:
    return number, b"line %d\n" % number


def kept(sent):
    resent = Resent(FULL)
    return [(n, text) for n, text in sent if not resent.is_again(stamp(n), text)]


def lines(*numbers):
    return [line(n) for n in numbers]


LONG = [(2, b"a" * FULL), (2, b"b" * FULL), (2, b"an end\n")]


def test_what_comes_in_order_is_new():
    sent = [line(1), *LONG, line(3)]  # the pieces of one line share a time
    assert kept(sent) == sent


def test_what_was_there_is_left_out_up_to_the_newest():
    assert kept(lines(1, 2, 3, 1, 2, 3, 4)) == lines(1, 2, 3, 4)
    assert kept(lines(1, 2, 3, 2, 3, 4, 2, 3, 4, 5)) == lines(1, 2, 3, 4, 5)


def test_a_file_of_one_line_that_begins_again_is_left_out():
    assert kept(lines(1, 2, 2, 3)) == lines(1, 2, 3)
    assert kept(lines(1, 2, 2, 2, 3)) == lines(1, 2, 3)
    assert kept([line(1), *LONG, *LONG, *LONG, line(3)]) == [line(1), *LONG, line(3)]


def test_a_file_of_one_line_without_its_end_that_begins_again_is_left_out():
    """Engine 20.10, driver `local`, leaves the end of a long line out; the last words of a job may have none."""
    open_line = [*LONG[:2], (2, b"an end")]
    assert kept([*open_line, *open_line, line(3)]) == [*open_line, line(3)]
    assert kept([line(1), (2, b"a bar"), (2, b"a bar"), line(3)]) == [line(1), (2, b"a bar"), line(3)]


def test_two_lines_of_one_time_are_two_lines():
    """A clock may be coarse."""
    sent = [line(1), (2, b"one\n"), (2, b"other\n"), line(3)]
    assert kept(sent) == sent


def test_a_line_that_goes_on_after_a_repetition_keeps_its_pieces():
    assert kept([line(1), *LONG[:2], line(1), *LONG, line(3)]) == [line(1), *LONG, line(3)]
    alike = [(2, b"x" * FULL)] * 4
    assert kept([line(1), *alike, line(3)]) == [line(1), *alike, line(3)]


def test_a_clock_that_was_set_back_costs_nothing():
    assert kept(lines(10, 20, 30, 5, 6, 7, 31)) == lines(10, 20, 30, 5, 6, 7, 31)
    assert kept(lines(10, 20, 30, 15, 16, 15, 16, 17)) == lines(10, 20, 30, 15, 16, 17)


@given(st.integers(2, 60), st.lists(st.tuples(st.integers(2, 60), st.integers(1, 60)), max_size=5))
def test_any_repetitions_leave_each_once(count, jumps):
    """The engine goes back by one message or more, at any place, as often as it likes."""
    sent = []
    at = 0
    for place, back in sorted(jumps):
        stop = max(at, min(place, count))
        sent += range(at, stop)
        at = max(0, stop - back)
    sent += range(at, count)
    assert kept(lines(*sent)) == lines(*range(count))


def frame(stream: int, number: int, text: bytes) -> bytes:
    payload = stamp(number) + b" " + text
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def test_a_log_that_begins_again_is_read_once():
    out = [frame(1, i, b"line %d\n" % i) for i in range(5)]
    err = [frame(2, i * 2, b"bar %d" % i) for i in range(3)]
    sent = b"".join([*out[:3], *err, *out[:3], *err, *out[3:]])
    assert b"".join(m.payload for m in MessageReader().feed(sent) if m.stream == 1) == b"".join(
        b"line %d\n" % i for i in range(5)
    )
