r"""The journal: one file with all that a job printed, in frames, append-only.

    file  = magic, frame*                       magic: the 8 bytes b"K12AIJ1\n"
    frame = length, stream, 3 bytes of 0, ms, payload
            u32     u8                    u64                   little-endian, 16 bytes; payload: `length` bytes

`stream` is 1 (stdout), 2 (stderr) or 3 (said by the recorder itself, read as stderr), `length` 1..65536, `ms`
milliseconds since the epoch (UTC) at which the payload was read from the job. A position is a byte offset into this
file at which a frame begins; 0 means the first. A frame is one read of a pipe and never changes, so that whoever reads
from a position gets the same chunks, each time. What does not begin with a sound header, or is not there to its end,
is not read: a crash left it, or it is being written.

Standard library only: the supervisor imports this.
"""

import os
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

MAGIC: Final = b"K12AIJ1\n"
HEADER: Final = struct.Struct("<IB3xQ")
MAX_PAYLOAD: Final = 64 * 1024
STDOUT: Final = 1
STDERR: Final = 2
NOTICE: Final = 3

TAIL_BYTES: Final = 64 * 1024
"""How much of what was cut is kept for the end: there stands why the job died."""

HEAD_BYTES: Final = 4096
"""How much of a stream's beginning is told by `read_past`."""

_MERGE_BYTES: Final = 4096


class Frame(NamedTuple):
    """One frame, and the position right after it."""

    payload: bytes
    stream: int
    ms: int
    end: int


def frames(block: bytes, position: int) -> Iterator[Frame]:
    """The whole frames in `block`, which was read at `position`; stops at the first that is not whole or not sound."""
    at, size = 0, len(block)
    while at + HEADER.size <= size:
        length, stream, ms = HEADER.unpack_from(block, at)
        end = at + HEADER.size + length
        if end > size or not 0 < length <= MAX_PAYLOAD or stream not in (STDOUT, STDERR, NOTICE):
            return
        yield Frame(block[at + HEADER.size : end], stream, ms, position + end)
        at = end


def _drop_half_line(entries: list[tuple[int, bytes, int]], stream: int) -> int:
    """Cuts what stands before the stream's first line end, if it has one; how many bytes that was."""
    if not any(entry[0] == stream and b"\n" in entry[1] for entry in entries):
        return 0
    dropped = 0
    for i, (which, payload, at) in enumerate(entries):
        if which == stream:
            end = payload.find(b"\n") + 1
            entries[i] = (which, payload[end:] if end else b"", at)
            dropped += end or len(payload)
            if end:
                break
    return dropped


class Printed:
    """What a job has printed so far, by stream (stdout, stderr): how many bytes (`counts`), and the first of them
    (`heads`, 4 KiB at most). `line_ms` is when the first line of all was ended, `last_ms` when the last bytes came:
    milliseconds since the epoch, None as long as there is none. What the recorder itself says does not count.
    """

    def __init__(self) -> None:
        self.counts = {STDOUT: 0, STDERR: 0}
        self.heads = {STDOUT: b"", STDERR: b""}
        self.line_ms: int | None = None
        self.last_ms: int | None = None
        self._tails = {STDOUT: bytearray(), STDERR: bytearray()}

    def add(self, stream: int, payload: bytes, ms: int) -> None:
        """The stream went on with `payload`."""
        self.counts[stream] += len(payload)
        if (room := HEAD_BYTES - len(self.heads[stream])) > 0:
            self.heads[stream] += payload[:room]
        if self.line_ms is None and b"\n" in payload:
            self.line_ms = ms
        self.last_ms = ms
        tail = self._tails[stream]
        tail += payload
        if len(tail) > 2 * TAIL_BYTES:  # not each time: most payloads are small
            del tail[:-TAIL_BYTES]

    def tail(self, stream: int) -> bytes:
        """The last bytes of the stream, 64 KiB at most."""
        return bytes(self._tails[stream][-TAIL_BYTES:])


class Past(NamedTuple):
    """What a journal holds that its writer left: the bytes of magic and sound frames, what the job printed, and by
    stream whether what a reader gets ends within a line.
    """

    size: int
    printed: Printed
    midline: Mapping[int, bool]


def read_past(path: Path) -> Past | None:
    """What `path` holds; None where it is no journal with at least its magic. Raises OSError."""
    printed, midline = Printed(), {STDOUT: False, STDERR: False}
    at = len(MAGIC)
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return None
        while True:
            file.seek(at)
            end = at
            for frame in frames(file.read(16 * (HEADER.size + MAX_PAYLOAD)), at):
                end = frame.end
                if frame.stream != NOTICE:
                    printed.add(frame.stream, frame.payload, frame.ms)
                midline[STDOUT if frame.stream == STDOUT else STDERR] = not frame.payload.endswith(b"\n")
            if end == at:
                return Past(at, printed, midline)
            at = end


class JournalWriter:
    """Appends frames; never loses one to a full disk, and keeps the file within `limit` bytes.

    What does not fit within the limit is dropped, but for its last 64 KiB: `finish` says how much was cut, and writes
    that tail (the file may exceed the limit by so much). Nothing here raises for want of space: what could not be
    written stays `blocked` until `flush` succeeds, and the caller writes nothing more until then.
    """

    def __init__(self, path: Path, limit: int, past: "Past | None" = None) -> None:
        """A new journal; one that `past` was read from is written on. Raises OSError."""
        mode = os.O_CREAT | os.O_EXCL if past is None else 0
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | mode, 0o600)
        self._limit = limit
        self._size = past.size if past else len(MAGIC)
        self._pending = bytearray(b"" if past else MAGIC)
        self._midline = dict(past.midline) if past else {STDOUT: False, STDERR: False}
        if past is not None:
            try:
                os.ftruncate(self._fd, past.size)
            except OSError:
                os.close(self._fd)
                raise
        self._tail: deque[tuple[int, bytes, int]] = deque()
        self._tail_bytes = 0
        self._cut = 0
        self.flush()

    @property
    def blocked(self) -> bool:
        """Whether something waits for the disk."""
        return bool(self._pending)

    def write(self, stream: int, payload: bytes, ms: int) -> None:
        """Appends what was read from one pipe at once (1 to 65536 bytes)."""
        if not self._cut and self._size + HEADER.size + len(payload) <= self._limit:
            self._append(stream, payload, ms)
            return
        if not self._cut:
            self._say(f"the log reached its limit of {self._limit} bytes: what follows is cut, but for its end", ms)
        self._cut += len(payload)
        self._tail_bytes += len(payload)
        last = self._tail[-1] if self._tail else None
        if last and last[0] == stream and len(last[1]) + len(payload) <= _MERGE_BYTES:  # few entries, whatever comes
            self._tail[-1] = (stream, last[1] + payload, last[2])
        else:
            self._tail.append((stream, payload, ms))
        while self._tail_bytes - len(self._tail[0][1]) >= TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft()[1])

    def finish(self, ms: int) -> None:
        """Nothing comes any more: says what was cut, and writes the end of it. Leave nothing `blocked` before."""
        if not self._cut:
            return
        tail = list(self._tail)
        self._tail.clear()
        cut = self._cut - self._tail_bytes
        excess = self._tail_bytes - TAIL_BYTES
        if excess > 0:  # only ever within the oldest: the others together are less than 64 KiB
            stream, payload, at = tail[0]
            tail[0] = (stream, payload[excess:], at)
            cut += excess
        if cut:  # half a line must not be read as one, nor be glued to the half from before the cut
            for stream in (STDOUT, STDERR):
                cut += _drop_half_line(tail, stream)
            if self._midline[STDOUT]:
                self._append(STDOUT, b"\n", ms)
            self._say(f"{cut} bytes of output were cut here (limit {self._limit} bytes); its end follows", ms)
        for stream, payload, at in tail:
            if payload:
                self._append(stream, payload, at)

    def flush(self) -> bool:
        """Writes what is pending; False where the disk still takes nothing."""
        while self._pending:
            try:
                done = os.write(self._fd, self._pending)
            except OSError:  # full, over quota, broken: all may pass, and the output must not be lost meanwhile
                return False
            del self._pending[:done]
        return True

    def sync(self) -> None:
        """Puts the file on the disk itself. Raises OSError."""
        os.fsync(self._fd)

    def say(self, text: str, ms: int) -> None:
        """Writes a line of the recorder's own. Leave nothing `blocked` before."""
        self._say(text, ms)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)

    def _say(self, text: str, ms: int) -> None:
        start = "\n" if self._midline[STDERR] else ""
        self._append(NOTICE, f"{start}[k12ai] {text}\n".encode(), ms)

    def _append(self, stream: int, payload: bytes, ms: int) -> None:
        self._midline[STDOUT if stream == STDOUT else STDERR] = not payload.endswith(b"\n")
        self._size += HEADER.size + len(payload)
        self._pending += HEADER.pack(len(payload), stream, ms)
        self._pending += payload
        self.flush()
