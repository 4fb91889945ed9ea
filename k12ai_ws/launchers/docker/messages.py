r"""The engine's multiplexed streams, taken apart.

    frame = stream, 3 bytes of 0, length, payload           stream: u8, 1 stdout, 2 stderr; length: u32 big-endian

(stream 3: the engine itself says what is wrong with its log),

as https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach describes. In
an attached stream a payload is what one read of the container's pipe gave. In the engine's log, with timestamps, a
frame is one message: `2026-11-23T11:52:40.146505878Z `, then a line with its end, or a piece (16 KiB) of a longer
one, or the last words of a stream that ended within a line. All pieces of a line carry the timestamp of the first.
"""

import struct
from datetime import UTC, datetime
from typing import Final, NamedTuple

from .resent import Resent

_HEADER: Final = struct.Struct(">BxxxI")
_STAMP_CHARS: Final = 30
_SECONDS: Final = "%Y-%m-%dT%H:%M:%S"
_STDOUT: Final = 1
_STDERR: Final = 2
_ENGINE: Final = 3
_MAX_FRAME: Final = 16 << 20
"""No engine makes frames of a hundredth of this; what says more is no frame, and would be waited for in memory."""
_PIECE_BYTES: Final = 16 << 10
"""How long each piece of a long line is, but the last."""
_SAID_CHARS: Final = 300


class Garbled(Exception):
    """The stream is not what the engine's API describes; the text says what was found."""


class Demultiplexer:
    """Bytes in, whole (stream, payload) pairs out; keeps what is not whole yet (one frame at most)."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that `data` completes. Raises Garbled."""
        if self._left:
            data = self._left + data
        found = []
        at, size = 0, len(data)
        while at + _HEADER.size <= size:
            stream, length = _HEADER.unpack_from(data, at)
            if stream not in (_STDOUT, _STDERR, _ENGINE) or length > _MAX_FRAME:
                raise Garbled(f"a frame of stream {stream} and {length} bytes, where streams 1 and 2 are known")
            end = at + _HEADER.size + length
            if end > size:
                break
            if stream == _ENGINE:
                said = data[at + _HEADER.size : end].decode("utf-8", "replace").strip()
                raise Garbled(f"the engine says, in place of its log: {said[:_SAID_CHARS]}")
            found.append((stream, data[at + _HEADER.size : end]))
            at = end
        self._left = data[at:]
        return found


class Message(NamedTuple):
    """A piece of the engine's log: its stream, when it was printed (ms since the epoch, UTC), and what was printed."""

    stream: int
    ms: int
    payload: bytes


class MessageReader:
    """The engine's log, byte for byte as it was printed: blocks of bytes in, messages out, each once.

    Some engines (20.10, with the driver `local`) leave out the line end after the last piece of a long line; where
    the next message of that stream is of another time, it belongs to another line, and the end is put back.
    """

    def __init__(self, piece_bytes: int = _PIECE_BYTES) -> None:
        self._demultiplexer = Demultiplexer()
        self._open_lines: dict[int, tuple[bytes, int]] = {}
        self._resent = {stream: Resent(piece_bytes) for stream in (_STDOUT, _STDERR)}
        self._second = b""
        self._base = 0

    def feed(self, block: bytes) -> list[Message]:
        """The messages that `block` completes. Raises Garbled."""
        found = []
        for stream, raw in self._demultiplexer.feed(block):
            stamp, payload = raw[:_STAMP_CHARS], raw[_STAMP_CHARS + 1 :]
            if raw[_STAMP_CHARS - 1 : _STAMP_CHARS + 1] != b"Z ":
                raise Garbled(f"a message of the log begins with {stamp!r}, which is no timestamp in UTC")
            ms = self._ms_of(stamp)
            if self._resent[stream].is_again(stamp, payload):
                continue
            if stream in self._open_lines:
                before, before_ms = self._open_lines.pop(stream)
                if before != stamp:
                    found.append(Message(stream, before_ms, b"\n"))
            if not payload.endswith(b"\n"):
                self._open_lines[stream] = (stamp, ms)
            found.append(Message(stream, ms, payload))
        return found

    def _ms_of(self, stamp: bytes) -> int:
        try:
            if stamp[:19] != self._second:
                whole = datetime.strptime(stamp[:19].decode("ascii"), _SECONDS).replace(tzinfo=UTC)
                self._second, self._base = stamp[:19], int(whole.timestamp()) * 1000
            return self._base + int(stamp[20:23])
        except ValueError as e:
            raise Garbled(f"a message of the log begins with {stamp!r}, which is no timestamp") from e


def nanoseconds(stamp: str) -> int | None:
    """Nanoseconds since the epoch of a time as the engine writes it in a container's state; None for its year 1,
    which stands for never.
    """
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    at = datetime.strptime(whole[:19], _SECONDS).replace(tzinfo=UTC)
    if at.year < 1970:
        return None
    return int(at.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])
