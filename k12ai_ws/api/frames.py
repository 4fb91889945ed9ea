"""A server's WebSocket frames, made once for all connections (RFC 6455, section 5.2: unmasked, unfragmented)."""

from struct import pack

TEXT = 0x81
"""FIN and opcode 1."""


def text_frame(payload: bytes, seq: int | None = None) -> bytes:  # noqa: ARG001 - see events.feed.Framing
    r"""The UTF-8 text `payload` as one frame, ready for the socket. `seq` is in the payload already.

    >>> text_frame(b"hi")
    b'\x81\x02hi'
    """
    size = len(payload)
    if size < 126:
        return bytes((TEXT, size)) + payload
    if size < 1 << 16:
        return pack("!BBH", TEXT, 126, size) + payload
    return pack("!BBQ", TEXT, 127, size) + payload
