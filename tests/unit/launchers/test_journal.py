"""The journal: frames in, the same chunks out, whatever the disk does."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.launchers.recording import journal
from k12ai_ws.launchers.recording.journal import STDERR, STDOUT, JournalWriter
from k12ai_ws.launchers.recording.reader import BATCH_CHUNKS, JournalReader

NAMES = {STDOUT: "stdout", STDERR: "stderr"}
PRINTED = st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(min_size=1, max_size=300)), max_size=30)


def read_all(path, position=0):
    reader = JournalReader(path, position)
    chunks = []
    while batch := reader.read():
        chunks += batch
    reader.close()
    return chunks


def by_stream(chunks, stream):
    return b"".join(chunk.data for chunk in chunks if chunk.stream == stream)


@given(printed=PRINTED, data=st.data())
def test_every_position_reads_on_to_the_same_chunks(tmp_path_factory, printed, data):
    path = tmp_path_factory.mktemp("journal") / "journal"
    writer = JournalWriter(path, 1 << 20)
    for ms, (stream, payload) in enumerate(printed):
        writer.write(stream, payload, ms)
    writer.finish(0)
    chunks = read_all(path)
    assert [(c.data, c.stream, c.at_ms) for c in chunks] == [(p, NAMES[s], ms) for ms, (s, p) in enumerate(printed)]
    if chunks:
        i = data.draw(st.integers(0, len(chunks) - 1))
        assert read_all(path, chunks[i].position) == chunks[i + 1 :]


@given(printed=PRINTED, cut=st.integers(0, 10_000))
def test_a_file_cut_anywhere_reads_as_its_whole_frames(tmp_path_factory, printed, cut):
    path = tmp_path_factory.mktemp("journal") / "journal"
    writer = JournalWriter(path, 1 << 20)
    for stream, payload in printed:
        writer.write(stream, payload, 1)
    chunks = read_all(path)
    os.truncate(path, min(cut, path.stat().st_size))
    assert read_all(path) == [chunk for chunk in chunks if chunk.position <= cut]


@pytest.mark.parametrize("rubbish", [bytes(64), b"\xff" * 64, journal.HEADER.pack(70_000, 1, 0) + bytes(70_000)])
def test_what_is_no_frame_is_not_read(tmp_path, rubbish):
    writer = JournalWriter(tmp_path / "journal", 1 << 20)
    writer.write(STDOUT, b"sound", 1)
    with (tmp_path / "journal").open("ab") as file:
        file.write(rubbish)
    assert [chunk.data for chunk in read_all(tmp_path / "journal")] == [b"sound"]


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "journal").write_bytes(b"something else")
    reader = JournalReader(tmp_path / "journal", 0)
    with pytest.raises(ValueError, match="no journal of this version"):
        reader.read()
    reader.close()


def test_batches_are_bounded(tmp_path):
    writer = JournalWriter(tmp_path / "journal", 1 << 30)
    for _ in range(3 * BATCH_CHUNKS):
        writer.write(STDOUT, b"x", 1)
    for _ in range(40):
        writer.write(STDOUT, bytes(65536), 1)
    reader = JournalReader(tmp_path / "journal", 0)
    batches = []
    while batch := reader.read():
        batches.append(batch)
    reader.close()
    assert [len(batch) for batch in batches[:3]] == [BATCH_CHUNKS] * 3
    assert max(sum(len(chunk.data) for chunk in batch) for batch in batches) <= 5 * 65536
    assert sum(map(len, batches)) == 3 * BATCH_CHUNKS + 40


def test_a_closed_reader_reads_nothing(tmp_path):
    JournalWriter(tmp_path / "journal", 1 << 20).write(STDOUT, b"x", 1)
    reader = JournalReader(tmp_path / "journal", 0)
    assert len(reader.read()) == 1
    reader.close()
    reader.close()
    assert reader.read() == []


def test_a_disk_that_takes_little_loses_nothing(tmp_path, monkeypatch):
    real, room = os.write, [0]

    def write(fd, data):
        if not room[0]:
            raise OSError(28, "No space left on device")
        done = real(fd, bytes(data[: room[0]]))
        room[0] -= done
        return done

    monkeypatch.setattr(journal.os, "write", write)
    writer = JournalWriter(tmp_path / "journal", 1 << 20)
    assert writer.blocked
    assert not writer.flush()
    room[0] = 20
    writer.flush()
    writer.write(STDOUT, b"abcdef", 1)
    assert writer.blocked
    assert read_all(tmp_path / "journal") == []
    while not writer.flush():
        room[0] = 3
    assert [chunk.data for chunk in read_all(tmp_path / "journal")] == [b"abcdef"]


def test_beyond_the_limit_the_cut_is_said_and_the_end_is_kept(tmp_path):
    writer = JournalWriter(tmp_path / "journal", 1000)
    writer.write(STDERR, b"no line end", 1)
    printed = [b"line %d\n" % i for i in range(20_000)]
    for line in printed:
        writer.write(STDOUT, line, 2)
    writer.finish(3)
    chunks = read_all(tmp_path / "journal")
    said = by_stream(chunks, "stderr").decode().splitlines()
    assert said[0] == "no line end"
    assert said[1].startswith("[k12ai] the log reached its limit of 1000 bytes")
    cut = int(said[2].removeprefix("[k12ai] ").split()[0])
    assert said[2] == f"[k12ai] {cut} bytes of output were cut here (limit 1000 bytes); its end follows"
    kept = by_stream(chunks, "stdout")
    assert len(kept) + cut == sum(map(len, printed))
    assert kept.endswith(printed[-1])
    assert set(kept.splitlines(keepends=True)) <= set(printed), "no half lines"
    assert 60_000 < len(kept) < 70_000
    assert (tmp_path / "journal").stat().st_size < 1000 + journal.TAIL_BYTES + 8192


def test_half_a_line_before_the_cut_is_not_glued_to_half_a_line_after_it(tmp_path):
    writer = JournalWriter(tmp_path / "journal", 200)
    writer.write(STDOUT, b"loss=0.12", 1)
    writer.write(STDOUT, b"34\n" + b"y" * 65_000, 1)
    writer.write(STDOUT, b"z" * 60_000 + b"\nlast\n", 1)
    writer.finish(2)
    assert by_stream(read_all(tmp_path / "journal"), "stdout") == b"loss=0.12\nlast\n"


def test_what_fits_into_the_tail_is_all_there(tmp_path):
    writer = JournalWriter(tmp_path / "journal", 200)
    writer.write(STDOUT, b"loss=0.12", 1)
    writer.write(STDOUT, b"34 " + b"y" * 1000, 1)
    writer.finish(2)
    chunks = read_all(tmp_path / "journal")
    assert by_stream(chunks, "stdout") == b"loss=0.1234 " + b"y" * 1000
    assert b"were cut" not in by_stream(chunks, "stderr")
