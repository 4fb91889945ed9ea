"""A client's bytes become messages (RFC 6455, section 5): incremental, bounded, no I/O.

Bytes go in as they come, in whatever pieces; messages come out one at a time, when they are asked for. Between two
messages nothing is held.
"""

from typing import NamedTuple

from .frames import BINARY, CLOSE, FIN, MAX_CONTROL, PING, PONG, TEXT

CONTINUATION = 0
RESERVED = 0x70
MASKED = 0x80

PROTOCOL_ERROR = 1002
INVALID_TEXT = 1007
TOO_BIG = 1009

CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, *range(3000, 5000)})
"""What a Close frame may carry (section 7.4, and IANA's registry)."""


class Violation(Exception):
    """The client broke the protocol: nothing that it sends is looked at any more. Close with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Message(NamedTuple):
    """A whole message (`TEXT`, its payload valid UTF-8, or `BINARY`), or a control frame (`PING`, `PONG`, `CLOSE`)."""

    opcode: int
    payload: bytes


FRAGMENT = Message(CONTINUATION, b"")
"""A part of a message that is not whole yet: nothing to look at, but it took its time."""


class MessageReader:
    """The reading half of one connection. A message may have `limit` bytes, all its fragments together."""

    __slots__ = ("_buffer", "_gathered", "_limit", "_opcode")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer: bytearray | None = None  # bytes that are no whole frame yet
        self._gathered: bytearray | None = None  # the fragments of a message before the last one
        self._opcode = CONTINUATION  # of the message whose fragments are being gathered

    def feed(self, data: bytes) -> None:
        """Takes bytes. Whoever feeds only after `next` said None is never held more than a message and a piece."""
        if self._buffer is None:
            self._buffer = bytearray(data) if data else None
        else:
            self._buffer += data

    def next(self) -> Message | None:
        """The next message, or None: feed more. Raises Violation; after that it must not be asked again."""
        frame = self._frame()
        if frame is None:
            return None
        first, payload = frame
        opcode = first & 0x0F
        if opcode >= CLOSE:
            return Message(opcode, payload if opcode != CLOSE else _checked_close(payload))
        if not first & FIN:
            self._opcode = opcode or self._opcode
            self._gathered = self._gathered if self._gathered is not None else bytearray()
            self._gathered += payload
            return FRAGMENT
        if opcode == CONTINUATION and self._gathered is not None:
            payload = bytes(self._gathered + payload)
            opcode, self._opcode, self._gathered = self._opcode, CONTINUATION, None
        return Message(opcode, payload if opcode == BINARY else _checked_text(payload))

    def _frame(self) -> tuple[int, bytes] | None:
        """A frame's first byte and its payload, unmasked; None where it is not whole yet."""
        buffer = self._buffer
        if buffer is None or len(buffer) < 2:
            return None
        first, size = buffer[0], buffer[1] & 0x7F
        self._check(first, masked=bool(buffer[1] & MASKED), size=size)
        start = 2
        if size >= 126:
            start += 2 if size == 126 else 8
            if len(buffer) < start:
                return None
            least = MAX_CONTROL + 1 if size == 126 else 1 << 16
            size = int.from_bytes(buffer[2:start], "big")
            if size < least:
                raise Violation(PROTOCOL_ERROR, "a length is written in as few bytes as it needs")
        if first & 0x0F < CLOSE and size + len(self._gathered or b"") > self._limit:
            raise Violation(TOO_BIG, f"a message may have {self._limit} bytes (channel.max_frame_bytes)")
        end = start + 4 + size
        if len(buffer) < end:
            return None
        payload = unmasked(buffer[start + 4 : end], buffer[start : start + 4])
        if len(buffer) == end:
            self._buffer = None
        else:
            del buffer[:end]
        return first, payload

    def _check(self, first: int, *, masked: bool, size: int) -> None:
        opcode, final, inside = first & 0x0F, bool(first & FIN), self._gathered is not None
        if first & RESERVED:
            raise Violation(PROTOCOL_ERROR, "reserved bits are set, and no extension was agreed on")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise Violation(PROTOCOL_ERROR, f"there is no opcode {opcode}")
        if not masked:
            raise Violation(PROTOCOL_ERROR, "a client's frames must be masked")
        if opcode >= CLOSE and (not final or size > MAX_CONTROL):
            raise Violation(PROTOCOL_ERROR, f"a control frame is whole and has {MAX_CONTROL} bytes at most")
        if opcode == CONTINUATION and not inside:
            raise Violation(PROTOCOL_ERROR, "a continuation of nothing")
        if opcode in (TEXT, BINARY) and inside:
            raise Violation(PROTOCOL_ERROR, "a new message before the last one was whole")


def unmasked(data: bytes | bytearray, mask: bytes | bytearray) -> bytes:
    r"""The bytes that a client masked, or masked ones of plain ones (section 5.3).

    >>> unmasked(b"\x7f\x9f\x4d\x51\x58", b"\x37\xfa\x21\x3d")
    b'Hello'
    """
    size = len(data)
    key = (bytes(mask) * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def _checked_text(payload: bytes) -> bytes:
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        raise Violation(INVALID_TEXT, "a text message must be UTF-8") from None
    return payload


def _checked_close(payload: bytes) -> bytes:
    if payload and (len(payload) < 2 or int.from_bytes(payload[:2], "big") not in CLOSE_CODES):
        raise Violation(PROTOCOL_ERROR, "a Close carries a code that may be sent, or nothing")
    return payload[:2] + _checked_text(payload[2:])
