"""WebSocket frames: made as a client makes them, well or badly, and what a server sends judged byte by byte."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection
from wsproto.utilities import RemoteProtocolError

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
CONTROL = 8
MASK = b"\x37\xfa\x21\x3d"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    width: int | None = None,
    length: int | None = None,
) -> bytes:
    """A client's frame. For bad ones: `rsv` (the reserved bits, 0..7), no `mask`, `width` (7, 16 or 64: the bits that
    its length is written in), `length` (what it says instead of the truth).
    """
    size = len(payload) if length is None else length
    width = width or (7 if size < 126 else 16 if size < 1 << 16 else 64)
    head = bytes([0x80 * fin | rsv << 4 | opcode])
    masked = 0x80 * (mask is not None)
    head += bytes([masked | {7: size & 0x7F, 16: 126, 64: 127}[width]])
    head += {7: b"", 16: struct.pack("!H", size & 0xFFFF), 64: struct.pack("!Q", size)}[width]
    if mask is None:
        return head + payload
    whole = mask * (len(payload) // 4 + 1)
    return head + mask + bytes(a ^ b for a, b in zip(payload, whole, strict=False))


@dataclass(frozen=True)
class Frame:
    """A server's frame: whole, unmasked, no extension."""

    opcode: int
    payload: bytes
    fin: bool

    @property
    def code(self) -> int | None:
        """A Close frame's code."""
        return int.from_bytes(self.payload[:2], "big") if self.payload else None


class Judge:
    """Takes all that a server sends after its handshake. Every byte must stand in RFC 6455, and none follow a Close.

    Two parsers look: the one here, strict about what a server may send, and wsproto.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._other = Connection(ConnectionType.CLIENT)
        self.closed: Frame | None = None

    def feed(self, data: bytes) -> Sequence[Frame]:
        """The frames that are whole now."""
        if not data:
            return []
        assert self.closed is None, f"{data[:80]!r} follows the Close frame"
        self._second_opinion(data)
        self._rest += data
        frames = []
        while (found := self._next()) is not None:
            assert self.closed is None, f"{found} follows the Close frame"
            frames.append(found)
            if found.opcode == CLOSE:
                self.closed = found
        assert self.closed is None or not self._rest, f"{bytes(self._rest)!r} follows the Close frame"
        return frames

    def end(self) -> None:
        """The connection has ended, with no half frame."""
        assert not self._rest, f"the connection ended within the frame that begins {bytes(self._rest[:80])!r}"

    def _next(self) -> Frame | None:
        rest = self._rest
        if len(rest) < 2:
            return None
        opcode, fin, size = rest[0] & 15, bool(rest[0] & 0x80), rest[1] & 0x7F
        assert rest[0] & 0x70 == 0, f"reserved bits are set: {bytes(rest[:2])!r}"
        assert rest[1] & 0x80 == 0, "a server's frame is masked"
        assert opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG), f"opcode {opcode}"
        at = 2
        if size >= 126:
            at = 4 if size == 126 else 10
            if len(rest) < at:
                return None
            least = 126 if size == 126 else 1 << 16
            size = int.from_bytes(rest[2:at], "big")
            assert size >= least, f"the length {size} is written in more bytes than it needs"
        if len(rest) < at + size:
            return None
        payload = bytes(rest[at : at + size])
        del rest[: at + size]
        if opcode & CONTROL:
            assert fin, "a control frame in fragments"
            assert size <= 125, "a control frame is too long"
        if opcode == CLOSE:
            assert size != 1, "a Close frame with half a code"
            payload[2:].decode("utf-8")
        return Frame(opcode, payload, fin)

    def _second_opinion(self, data: bytes) -> None:
        self._other.receive_data(data)
        try:
            for event in self._other.events():
                if isinstance(event, CloseConnection):
                    return
        except RemoteProtocolError as e:
            raise AssertionError(f"wsproto refuses what the server sent: {e}") from e
