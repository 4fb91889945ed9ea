"""A journal that its writer left: what it holds, and how it is written on."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.launchers.recording import journal
from k12ai_ws.launchers.recording.journal import (
    HEAD_BYTES,
    MAGIC,
    NOTICE,
    STDERR,
    STDOUT,
    TAIL_BYTES,
    JournalWriter,
    frames,
    read_past,
)

PRINTED = st.lists(
    st.tuples(st.sampled_from([STDOUT, STDERR, NOTICE]), st.binary(min_size=1, max_size=3000)), max_size=20
)


def descriptors():
    """How many files this process holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def written(path):
    return [(each.stream, each.payload, each.ms) for each in frames(path.read_bytes()[len(MAGIC) :], 0)]


def write(path, entries, limit=1 << 20):
    past = read_past(path) if path.exists() else None
    writer = JournalWriter(path, limit, past)
    for ms, (stream, payload) in enumerate(entries, 100):
        if stream == NOTICE:
            writer.say(payload.hex(), ms)
        else:
            writer.write(stream, payload, ms)
    return writer


@given(entries=PRINTED, torn=st.binary(max_size=40))
def test_the_past_is_what_was_written(tmp_path_factory, entries, torn):
    path = tmp_path_factory.mktemp("journal") / "journal"
    write(path, entries).close()
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(torn))
    past = read_past(path)
    if not torn or list(frames(torn, 0)) == []:
        assert past.size == size
    for stream in (STDOUT, STDERR):
        all_of_it = b"".join(payload for which, payload in entries if which == stream)
        assert past.printed.counts[stream] == len(all_of_it)
        assert past.printed.heads[stream] == all_of_it[:HEAD_BYTES]
        assert past.printed.tail(stream) == all_of_it[-TAIL_BYTES:]
    times = [(ms, payload) for ms, (which, payload) in enumerate(entries, 100) if which != NOTICE]
    assert past.printed.last_ms == (times[-1][0] if times else None)
    assert past.printed.line_ms == next((ms for ms, payload in times if b"\n" in payload), None)


@given(before=PRINTED, after=PRINTED, cut=st.integers(0, 60_000))
def test_a_torn_journal_is_written_on_after_its_whole_frames(tmp_path_factory, before, after, cut):
    path = tmp_path_factory.mktemp("journal") / "journal"
    write(path, before).close()
    os.truncate(path, max(len(MAGIC), min(cut, path.stat().st_size)))
    kept = written(path)
    write(path, after).close()
    found = written(path)
    assert found[: len(kept)] == kept
    assert [(s, p) for s, p, _ in found[len(kept) :] if s != NOTICE] == [each for each in after if each[0] != NOTICE]
    assert len(found) == len(kept) + len(after)
    assert read_past(path).size == path.stat().st_size


@pytest.mark.parametrize("there", [b"", MAGIC[:7], b"K12AIJ9\nxxxx", bytes(100)])
def test_a_file_without_its_magic_is_no_past(tmp_path, there):
    (tmp_path / "journal").write_bytes(there)
    assert read_past(tmp_path / "journal") is None


def test_a_new_journal_replaces_none(tmp_path):
    (tmp_path / "journal").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        JournalWriter(tmp_path / "journal", 1000)
    with pytest.raises(FileNotFoundError):
        read_past(tmp_path / "gone")


def test_long_journals_are_read_in_blocks(tmp_path):
    path = tmp_path / "journal"
    parts = [os.urandom(65_536) for _ in range(40)] + [b"%d\n" % i for i in range(40_000)]
    write(path, [(STDOUT, part) for part in parts], limit=1 << 30).close()
    past = read_past(path)
    everything = b"".join(parts)
    assert past.printed.counts[STDOUT] == len(everything)
    assert past.printed.heads[STDOUT] == everything[:HEAD_BYTES]
    assert past.printed.tail(STDOUT) == everything[-TAIL_BYTES:]
    assert past.size == path.stat().st_size


def test_own_words_begin_a_line_of_their_own_also_in_a_past(tmp_path):
    path = tmp_path / "journal"
    write(path, [(STDERR, b"50%"), (STDOUT, b"out")]).close()
    writer = write(path, [])
    writer.say("back", 7)
    writer.say("again", 8)
    writer.close()
    assert written(path)[2:] == [(NOTICE, b"\n[k12ai] back\n", 7), (NOTICE, b"[k12ai] again\n", 8)]


def test_half_a_line_of_the_past_is_ended_where_the_rest_is_cut(tmp_path):
    path = tmp_path / "journal"
    write(path, [(STDOUT, b"loss=0.12")], limit=200).close()
    writer = write(path, [(STDOUT, b"34\n" + b"y" * 65_000), (STDOUT, b"z" * 60_000 + b"\nlast\n")], limit=200)
    writer.finish(9)
    writer.close()
    assert b"".join(payload for stream, payload, _ in written(path) if stream == STDOUT) == b"loss=0.12\nlast\n"


def test_the_limit_holds_across_writers(tmp_path):
    path = tmp_path / "journal"
    for _ in range(5):
        writer = write(path, [(STDOUT, b"x" * 99 + b"\n")] * 20, limit=1000)
        writer.close()
    assert path.stat().st_size < 1000 + 5 * 200
    assert read_past(path).printed.counts[STDOUT] <= 1000


def test_a_journal_that_cannot_be_taken_up_leaves_no_descriptor(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    write(path, [(STDOUT, b"x")]).close()
    past = read_past(path)

    def refuse(fd, size):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(journal.os, "ftruncate", refuse)
    before = descriptors()
    with pytest.raises(OSError, match="Input/output"):
        JournalWriter(path, 1000, past)
    assert descriptors() == before
