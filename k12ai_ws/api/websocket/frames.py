"""A server's WebSocket frames, made once for all connections (RFC 6455, section 5.2: unmasked, unfragmented)."""

from struct import pack

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
"""Opcodes."""
FIN = 0x80
MAX_CONTROL = 125
"""A control frame carries so many bytes at most."""


def _text_head(size: int) -> bytes:
    if size < 126:
        return bytes((FIN | TEXT, size))
    if size < 1 << 16:
        return pack("!BBH", FIN | TEXT, 126, size)
    return pack("!BBQ", FIN | TEXT, 127, size)


_USUAL = 4096
_HEADS = [_text_head(size) for size in range(_USUAL)]
"""Made once: for a small frame, making the head takes as long as all the rest."""


def text_frame(payload: bytes, seq: int | None = None) -> bytes:  # noqa: ARG001 - see events.feed.Framing
    r"""The UTF-8 text `payload` as one frame, ready for the socket. `seq` is in the payload already.

    >>> text_frame(b"hi")
    b'\x81\x02hi'
    """
    size = len(payload)
    return (_HEADS[size] if size < _USUAL else _text_head(size)) + payload


def control_frame(opcode: int, payload: bytes = b"") -> bytes:
    r"""A ping or a pong with at most `MAX_CONTROL` bytes.

    >>> control_frame(PING)
    b'\x89\x00'
    """
    return bytes((FIN | opcode, len(payload))) + payload


def close_frame(code: int | None, reason: str = "") -> bytes:
    r"""A Close; of a reason that is too long, as many whole characters as there is room for.

    >>> close_frame(1001, "bye")
    b'\x88\x05\x03\xe9bye'
    """
    if code is None:
        return control_frame(CLOSE)
    text = reason.encode()[: MAX_CONTROL - 2].decode(errors="ignore").encode()
    return control_frame(CLOSE, code.to_bytes(2, "big") + text)
