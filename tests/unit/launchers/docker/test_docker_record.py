"""The record of a container and the engine's own log: together they are all that was printed, each byte once."""

import errno
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.launchers.docker.messages import Message, MessageReader
from k12ai_ws.launchers.docker.record import Record
from k12ai_ws.launchers.recording import journal
from k12ai_ws.launchers.recording.journal import HEADER, MAGIC, NOTICE, STDERR, STDOUT, frames

PIECE = 8
"""How long a message of the log is at most here; 16 KiB at a real engine."""
SECOND_MS = 1_795_434_760_000

PRINTS = st.lists(
    st.tuples(
        st.sampled_from([STDOUT, STDERR]),
        st.one_of(
            st.sampled_from([b"same\n", b"same\n", b"\n", b"x", b"50%\r", b"a line of some length\n"]),
            st.binary(min_size=1, max_size=30),
        ),
    ),
    max_size=25,
)


class House:
    """Where the record lies, and what it says of now."""

    def __init__(self, folder):
        self.path = folder / "journal"
        self.closing = False

    def record(self, limit=1 << 20):
        return Record(self.path, limit, clock_ms=lambda: 10**15, closing=lambda: self.closing)

    def written(self):
        """All frames of the journal: (stream, payload, ms)."""
        block = self.path.read_bytes()
        assert block[: len(MAGIC)] == MAGIC
        return [(each.stream, each.payload, each.ms) for each in frames(block[len(MAGIC) :], len(MAGIC))]

    def printed(self):
        return {which: b"".join(p for s, p, _ in self.written() if s == which) for which in (STDOUT, STDERR)}


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def whole(prints):
    return {which: b"".join(p for s, p in prints if s == which) for which in (STDOUT, STDERR)}


def engines_log(prints, *, drops_ends=False, over=False):
    """What an engine logs of `prints`, a millisecond each: lines in pieces, each with the time of its line's end.

    With `drops_ends`, a line in pieces lacks its end; what is no whole line yet comes only where it is `over`.
    """
    left, found = {STDOUT: b"", STDERR: b""}, []

    def tell(stream, ms, line):
        parts = [line[at : at + PIECE] for at in range(0, len(line), PIECE)]
        if drops_ends and len(line) > PIECE and line.endswith(b"\n"):
            parts = [part for part in (*parts[:-1], parts[-1][:-1]) if part]
        found.extend((stream, ms, part) for part in parts)

    for ms, (stream, payload) in enumerate(prints):
        *lines, left[stream] = (left[stream] + payload).split(b"\n")
        for i, line in enumerate(lines):
            tell(stream, ms + i / 1e3, line + b"\n")
    if over:
        for stream, rest in left.items():
            tell(stream, len(prints), rest)
    return found


def read(log):
    """The log as it comes over the wire."""
    raw = bytearray()
    for stream, ms, payload in log:
        at = int(ms * 1e6)
        line = f"2026-11-23T11:52:{40 + at // 10**9:02d}.{at % 10**9:09d}Z ".encode() + payload
        raw += struct.pack(">BxxxI", stream, len(line)) + line
    return MessageReader(PIECE).feed(bytes(raw))


def fill(record, prints):
    for ms, (stream, payload) in enumerate(prints):
        record.take(stream, payload, SECOND_MS + ms)


def catch_up(record, messages):
    gap = record.gap()
    for each in gap.missing(messages):
        record.take(each.stream, each.payload, each.ms)
    return gap


# ---- the record and the log


@given(prints=PRINTS, attached=st.integers(0, 25), cut=st.integers(0, 3000), drops_ends=st.booleans())
def test_what_is_recorded_and_what_is_missing_are_all(tmp_path_factory, prints, attached, cut, drops_ends):
    """A server attached for a while and died in the middle of a frame; the next reads the log, twice."""
    house = House(tmp_path_factory.mktemp("record"))
    record = house.record()
    fill(record, prints[:attached])
    record.close()
    os.truncate(house.path, min(cut, house.path.stat().st_size))
    log = read(engines_log(prints, drops_ends=drops_ends, over=True))
    for messages in (log[: len(log) // 2], log):
        record = house.record()
        assert not catch_up(record, messages).rotated
        record.close()
    found, expected = house.printed(), whole(prints)
    for stream in (STDOUT, STDERR):
        if drops_ends:  # the last line's, where nothing comes after it
            assert found[stream] in (expected[stream], expected[stream].removesuffix(b"\n"))
        else:
            assert found[stream] == expected[stream]
    record = house.record()
    assert record.ends_as(log) or record.ends_as(log)  # once in doubt, counted, and then believed
    record.close()


@given(prints=PRINTS, lost=st.integers(0, 25), drops_ends=st.booleans())
def test_a_record_ends_as_the_log_only_where_nothing_is_lost(tmp_path_factory, prints, lost, drops_ends):
    house = House(tmp_path_factory.mktemp("record"))
    record = house.record()
    kept = prints[: max(0, len(prints) - lost)]
    fill(record, kept)
    log = read(engines_log(prints, drops_ends=drops_ends, over=True))
    believed = record.ends_as(log) or record.ends_as(log)
    pairs = list(zip(whole(kept).values(), whole(prints).values(), strict=True))
    if all(ours == its for ours, its in pairs):
        assert believed
    elif not all(ours in (its, its.removesuffix(b"\n")) for ours, its in pairs):
        assert not believed
    record.close()


@pytest.mark.parametrize("period", [1, 3, 32])
def test_an_end_like_any_other_is_doubted_once(house, period):
    """The connection was lost in the middle of lines that are all the same: their end looks like any other."""
    record = house.record()
    lines = [b"same old line %d\n" % (i % period) for i in range(period * 40)]
    log = [Message(STDOUT, SECOND_MS + 100 * i, line) for i, line in enumerate(lines)]
    for each in log[: -period * (1 + 20 // period)]:
        record.take(*each[::2], each.ms)
    assert not record.ends_as(log[-64:])
    catch_up(record, log)
    assert house.printed()[STDOUT] == b"".join(lines)
    assert record.ends_as(log[-64:])


def test_what_was_counted_is_not_doubted_again(house):
    record = house.record()
    fill(record, [(STDOUT, b"a\n"), (STDOUT, b"b\n")] * 200)
    log = [
        Message(each.stream, each.ms + 5000, each.payload)
        for each in read(engines_log([(STDOUT, b"a\n"), (STDOUT, b"b\n")] * 200))
    ]
    assert not record.ends_as(log[-64:])  # an engine whose clock goes before ours
    assert not list(record.gap().missing(log))
    assert record.ends_as(log[-64:])


def test_an_end_of_its_own_is_believed_at_once(house):
    record = house.record()
    lines = [(STDOUT, b"line %d\n" % i) for i in range(200)]
    fill(record, lines)
    assert record.ends_as(
        [Message(each.stream, each.ms + 5000, each.payload) for each in read(engines_log(lines))[-64:]]
    )


def test_an_end_is_compared_as_far_as_it_is_kept(house):
    record = house.record()
    long = os.urandom(200_000)
    record.take(STDOUT, long, 1)
    assert record.ends_as([Message(STDOUT, 1, long[at : at + 16384]) for at in range(0, len(long), 16384)])
    assert not record.ends_as([Message(STDOUT, 1, long[:-1])])
    assert not record.ends_as([Message(STDERR, 1, b"x")])
    assert record.ends_as([])


# ---- rotation


def test_a_log_that_lost_its_beginning_is_known_by_its_first_bytes(house):
    record = house.record()
    lines = [(STDOUT, b"line %d\n" % i) for i in range(100)]
    fill(record, lines[:40])
    gap = record.gap()
    missing = list(gap.missing(read(engines_log(lines))[20:]))
    assert gap.rotated
    assert [each.payload for each in missing] == [payload for _, payload in lines[40:]]


def test_a_log_that_lost_its_beginning_is_known_by_its_time(house):
    record = house.record()
    for i in range(40):
        record.take(STDOUT, b"same\n", SECOND_MS + 1000 * i)
    log = [Message(STDOUT, SECOND_MS + 1000 * i, b"same\n") for i in range(100)]
    gap = record.gap()
    assert len(list(gap.missing(log[11:]))) == 60
    assert gap.rotated
    gap = record.gap()
    assert len(list(gap.missing(log))) == 60
    assert not gap.rotated


@pytest.mark.parametrize("again", [False, True])
def test_a_bar_that_takes_long_to_end_its_line_is_not_taken_for_a_rotation(house, again):
    """The engine gives a line the time of its end: a bar may have been drawn hours before it."""
    record = house.record()
    record.take(STDERR, b"\r 0%", SECOND_MS)
    record.take(STDERR, b"\r 1%", SECOND_MS + 60_000)
    if again:
        record.close()
        record = house.record()
    gap = record.gap()
    log = [Message(STDERR, SECOND_MS + 900_000, b"\r 0%\r 1%\r 2%\n"), Message(STDERR, SECOND_MS + 900_001, b"done\n")]
    assert [each.payload for each in gap.missing(log)] == [b"\r 2%\n", b"done\n"]
    assert not gap.rotated


def test_our_own_words_are_no_part_of_what_was_printed(house):
    """Said much later than the lines that are still to be read: these must not count as recorded."""
    record = house.record()
    record.say("first of all")
    fill(record, [(STDOUT, b"line 0\n"), (STDERR, b"err\n")])
    record.say("the engine has rotated its log")
    assert record.last_words == b"err\n"
    record.close()
    record = house.record()
    assert record.last_words == b"err\n"
    gap = record.gap()
    log = [Message(STDOUT, SECOND_MS + 50, b"line 50\n"), Message(STDOUT, SECOND_MS + 51, b"line 51\n")]
    assert list(gap.missing(log)) == log
    assert gap.rotated
    assert [p for s, p, _ in house.written() if s == NOTICE] == [
        b"[k12ai] first of all\n", b"[k12ai] the engine has rotated its log\n",
    ]  # fmt: skip


# ---- writing


def test_payloads_of_any_size_are_written(house):
    record = house.record()
    long = os.urandom(3 * journal.MAX_PAYLOAD + 5)
    record.take(STDOUT, long, 7)
    record.finish()
    record.close()
    assert [(s, len(p), ms) for s, p, ms in house.written()] == [(1, 65536, 7)] * 3 + [(1, 5, 7)]
    assert house.printed()[STDOUT] == long


@pytest.mark.parametrize("there", [b"", MAGIC[:5], b"rubbish " * 4])
def test_what_is_no_journal_is_begun_anew(house, there):
    house.path.write_bytes(there)
    record = house.record()
    record.take(STDOUT, b"x", 1)
    record.close()
    assert house.written() == [(STDOUT, b"x", 1)]


def test_a_limit_that_was_reached_is_taken_up(house):
    """The lines beyond it are counted from the log, not from the journal; its end comes last."""
    lines = [(STDOUT, b"line %d\n" % i) for i in range(20_000)]
    log = read(engines_log(lines[:]))
    record = house.record(limit=2000)
    fill(record, lines[:10_000])
    record.close()  # killed: its tail is nowhere
    record = house.record(limit=2000)
    assert not catch_up(record, log).rotated
    record.finish()
    record.close()
    out = house.printed()[STDOUT]
    kept = out.splitlines(keepends=True)
    assert kept[:30] == [payload for _, payload in lines[:30]]
    assert kept[-5000:] == [payload for _, payload in lines[-5000:]]
    cut = len(b"".join(payload for _, payload in lines)) - len(out)
    assert f"{cut} bytes of output were cut here" in b"".join(p for s, p, _ in house.written() if s == NOTICE).decode()
    assert house.record(limit=2000).ends_as(log[-64:])


class Disk:
    """A disk that takes `room` bytes more."""

    def __init__(self, room):
        self.room = room

    def write(self, fd, data):
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = REAL_WRITE(fd, bytes(data[: self.room]))
        self.room -= done
        return done


REAL_WRITE = os.write


@pytest.mark.parametrize("what", ["take", "say", "finish"])
def test_a_full_disk_holds_the_writer_up_until_there_is_room(house, monkeypatch, what):
    disk = Disk(1000)
    monkeypatch.setattr(journal.os, "write", disk.write)
    record = house.record(limit=60)
    record.take(STDOUT, b"abcdef", 1)
    if what == "finish":
        record.take(STDOUT, b"x" * 50 + b"\n", 2)  # beyond the limit: it is kept for the end
    disk.room = 10
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            disk.room = 1000

    monkeypatch.setattr("k12ai_ws.launchers.docker.record.time.sleep", nap)
    if what == "take":
        record.take(STDOUT, b"ghi", 3)
    elif what == "say":
        record.say("ghi")
    else:
        record.finish()
    assert len(naps) == 3
    assert all(0 < seconds < 1 for seconds in naps)
    last = {"take": b"ghi", "say": b"[k12ai] ghi\n", "finish": b"x" * 50 + b"\n"}
    assert house.written()[-1][1] == last[what]
    record.finish()
    record.close()


def test_what_is_finished_is_on_the_disk_itself_where_that_can_be_done(house, monkeypatch):
    synced = []

    def fsync(fd):
        synced.append(Path(f"/proc/self/fd/{fd}").readlink())
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(journal.os, "fsync", fsync)
    record = house.record()
    record.take(STDOUT, b"x", 1)
    assert synced == []
    record.finish()
    assert synced == [house.path]
    record.close()
    assert house.path not in [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]


def test_a_full_disk_is_left_where_the_server_ends(house, monkeypatch):
    disk = Disk(len(MAGIC) + HEADER.size + 2)
    monkeypatch.setattr(journal.os, "write", disk.write)
    record = house.record()
    house.closing = True
    record.take(STDOUT, b"abcdef", 1)
    record.finish()
    record.close()
    disk.room = 1000
    record = house.record()
    assert house.written() == []
    assert [each.payload for each in record.gap().missing([Message(STDOUT, 1, b"abcdef")])] == [b"abcdef"]
    record.close()
