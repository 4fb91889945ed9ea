"""What a server sends, byte for byte."""

import pytest

from k12ai_ws.api.websocket.frames import PING, PONG, close_frame, control_frame, text_frame


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_text(size, head):
    assert text_frame(b"x" * size, 7) == head + b"x" * size


def test_control():
    assert (control_frame(PING), control_frame(PONG, b"abc")) == (b"\x89\x00", b"\x8a\x03abc")


def test_close():
    assert close_frame(None) == b"\x88\x00"
    assert close_frame(1001) == b"\x88\x02\x03\xe9"
    long = close_frame(1013, "€" * 100)
    assert (long[1], long[4:].decode()) == (2 + 41 * 3, "€" * 41), "a reason is cut between characters"
