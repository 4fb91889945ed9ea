"""A WebSocket client that breaks every rule of RFC 6455: it gets the right Close, and nobody else notices.

A longer hunt: `K12AI_FUZZ_EXAMPLES=20000 pytest tests/channel/test_protocol_fuzz.py`.
"""

import asyncio
import gc
import os
from collections import Counter
from itertools import pairwise

import pytest
from channelrig.attack import attack, ping
from channelrig.connection import PATIENCE_S
from channelrig.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("K12AI_FUZZ_EXAMPLES", "150"))
HUNT = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

MAX_FRAME = 70_000
"""As the fixture sets it: between the lengths of 16 bits and those of 64."""
HELLO = ping("hello")
GRUESSE = "Grüße 你好 \U0001f600".encode()


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def cut(data: bytes, points: list[int]) -> list[bytes]:
    """`data` in pieces, cut at these thousandths of it."""
    at = sorted({0, len(data), *(len(data) * p // 1000 for p in points)})
    return [data[a:b] for a, b in pairwise(at)]


NASTY = {
    "nothing": b"",
    "a ping": frame(PING, b"x" * 125),
    "an empty text": frame(TEXT),
    "a pong that nobody asked for": frame(PONG, b"x") + frame(TEXT, HELLO),
    "reserved bit 1": frame(TEXT, HELLO, rsv=4),
    "reserved bit 2": frame(TEXT, HELLO, rsv=2),
    "reserved bit 3": frame(PING, rsv=1),
    "not masked": frame(TEXT, HELLO, mask=None),
    "a control frame not masked": frame(PING, b"x", mask=None),
    "a close not masked": frame(CLOSE, b"\x03\xe8", mask=None),
    "a continuation of nothing": frame(CONTINUATION, HELLO),
    "a continuation after a whole message": frame(TEXT, HELLO) + frame(CONTINUATION, HELLO),
    "a message within a message": frame(TEXT, b"{", fin=False) + frame(TEXT, HELLO),
    "a binary within a message": frame(TEXT, b"{", fin=False) + frame(BINARY, HELLO, fin=False),
    "fragments and a ping": frame(TEXT, HELLO[:9], fin=False) + frame(PING, b"p") + frame(CONTINUATION, HELLO[9:]),
    "empty fragments": frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 50 + frame(CONTINUATION, HELLO),
    "fragments of one byte": b"".join(
        frame(CONTINUATION if i else TEXT, HELLO[i : i + 1], fin=i == len(HELLO) - 1) for i in range(len(HELLO))
    ),
    "a close within a message": frame(TEXT, b"{", fin=False) + close(1000),
    "a ping in fragments": frame(PING, b"p", fin=False) + frame(CONTINUATION, b"q"),
    "a ping too long": frame(PING, b"x" * 126),
    "a ping with a wide length": frame(PING, b"x" * 5, width=16),
    "a close too long": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "7 bits in 16": frame(TEXT, HELLO, width=16),
    "7 bits in 64": frame(TEXT, HELLO, width=64),
    "16 bits in 64": frame(TEXT, b" " * 300 + HELLO, width=64),
    "16 bits at the edge": frame(TEXT, b" " * (65_535 - len(HELLO)) + HELLO),
    "64 bits at the edge": frame(TEXT, b" " * (65_536 - len(HELLO)) + HELLO),
    "the most": frame(TEXT, b" " * (MAX_FRAME - len(HELLO)) + HELLO),
    "one more than the most": frame(TEXT, b" " * (MAX_FRAME - len(HELLO) + 1) + HELLO),
    "one more in fragments": frame(TEXT, b" " * MAX_FRAME, fin=False) + frame(CONTINUATION, b" "),
    "too much in fragments, unfinished": frame(TEXT, b" " * 65_000, fin=False) * 1
    + frame(CONTINUATION, b" " * 65_000, fin=False),
    "a length of 2^62": frame(BINARY, width=64, length=1 << 62),
    "a length of 2^64 - 1": frame(BINARY, width=64, length=(1 << 64) - 1),
    "a length of 2^63 in a ping": frame(PING, width=64, length=1 << 63),
    "no UTF-8": frame(TEXT, b"\xff"),
    "half a character": frame(TEXT, GRUESSE[:3]),
    "an overlong character": frame(TEXT, b"\xc0\xaf"),
    "a surrogate": frame(TEXT, b'"\xed\xa0\x80"'),
    "beyond Unicode": frame(TEXT, b"\xf4\x90\x80\x80"),
    "no UTF-8, then a ping": frame(TEXT, b"\xff", fin=False) + frame(PING, b"p") + frame(CONTINUATION),
    "no UTF-8, then a bad frame": frame(TEXT, b"\xff", fin=False) + frame(3),
    "no UTF-8 in a binary": frame(BINARY, b"\xff"),
    "a close": close(1000, b"bye"),
    "a close without a code": frame(CLOSE),
    "half a code": frame(CLOSE, b"\x03"),
    "a reason that is no UTF-8": close(1000, b"\xff"),
    "two closes": close(1000) * 2,
    "frames after a close": close(1000) + frame(TEXT, HELLO) + frame(3),
    "half a head": frame(TEXT, HELLO)[:1],
    "half a length": frame(TEXT, b" " * 300)[:3],
    "half a mask": frame(TEXT, HELLO)[:4],
    "half a payload": frame(TEXT, HELLO)[:20],
    "half a message": frame(TEXT, HELLO, fin=False),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "zeros": bytes(200),
    "a hundred pings": frame(PING, b"p") * 100 + frame(TEXT, HELLO),
    "a hundred requests": frame(TEXT, HELLO) * 100,
    **{f"opcode {n}": frame(n, b"x") for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    **{
        f"close code {n}": close(n)
        for n in (0, 1, 999, 1001, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1015, 1016, 2999, 3000, 4999, 5000, 65535)
    },
}


@pytest.mark.parametrize("byte_by_byte", [False, True], ids=["at once", "byte by byte"])
async def test_nasty_frames(attacked, byte_by_byte):
    for name, raw in NASTY.items():
        pieces = [bytes([b]) for b in raw] if byte_by_byte and len(raw) < 1000 else cut(raw, [1, 500, 999])
        try:
            await attack(attacked.server.address, pieces if byte_by_byte else [raw], MAX_FRAME)
            await attacked.unharmed()
        except (AssertionError, TimeoutError) as e:
            raise AssertionError(f"{name}: {e!r}") from e


def alive() -> Counter[str]:
    """How many objects of the server's own classes there are, and of the library's below them."""
    gc.collect()
    names = (f"{type(o).__module__}.{type(o).__qualname__}" for o in gc.get_objects())
    return Counter(n for n in names if n.startswith(("k12ai_ws.", "tornado.")))


async def test_nothing_is_kept_of_those_who_left(attacked):
    """Rounds of attacks leave no object behind; the last to leave may take a moment."""

    async def attacks() -> None:
        for raw in NASTY.values():
            await attack(attacked.server.address, [raw], MAX_FRAME)

    async def quiet() -> None:
        await attacked.bystander.ping()
        await attacked.bystander.settle()

    await attacks()
    await quiet()
    before = alive()
    assert before["k12ai_ws.api.websocket.connection.Connection"] >= 1, before
    for _ in range(2):
        await attacks()
    left, looks, late = Counter({"not looked at": 1}), 0, asyncio.get_running_loop().time() + PATIENCE_S
    while left and (looks < 3 or asyncio.get_running_loop().time() < late):  # a look may take long: it stops the world
        await quiet()
        left, looks = alive() - before, looks + 1
    assert not left


@pytest.mark.parametrize("text", [GRUESSE, b"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbd\xf4\x8f\xbf\xbf"])
async def test_text_may_be_cut_at_any_byte(attacked, text):
    """Neither a piece of a segment nor a fragment need hold whole characters."""
    raw = text.join([b'{"tag":"', b'"}'])
    for at in range(1, len(raw)):
        for last in (raw[at:], raw[at:] + b"\x80"):
            fragments = frame(TEXT, raw[:at], fin=False) + frame(CONTINUATION, last)
            await attack(attacked.server.address, [fragments], MAX_FRAME)
    await attacked.unharmed()


# ---- what hypothesis makes

texts = st.sampled_from([HELLO, HELLO, GRUESSE, b"", b"{}", b"[", b"\xff", GRUESSE[:3], b" " * 300 + HELLO])
payloads = (
    texts | st.binary(max_size=40) | st.sampled_from([b" " * n for n in (125, 126, 65_535, 65_536, 70_000, 70_001)])
)
opcodes = st.sampled_from([TEXT, TEXT, BINARY, CONTINUATION, PING, PONG]) | st.integers(0, 15)
masks = st.just(b"\0\0\0\0") | st.binary(min_size=4, max_size=4)
controls = st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125), mask=masks)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A whole message, in fragments, control frames between them."""
    payload, opcode = draw(payloads), draw(st.sampled_from([TEXT, TEXT, BINARY]))
    pieces = cut(payload, draw(st.lists(st.integers(0, 1000), max_size=4))) or [b""]
    raw = b""
    for i, piece in enumerate(pieces):
        raw += b"".join(draw(st.lists(controls, max_size=1))) if i else b""
        raw += frame(opcode if i == 0 else CONTINUATION, piece, fin=i == len(pieces) - 1, mask=draw(masks))
    return raw


closes = st.builds(
    lambda code, reason, mask: frame(CLOSE, code.to_bytes(2, "big") + reason, mask=mask),
    st.sampled_from([1000, 1001, 4000]) | st.integers(0, 65_535),
    st.sampled_from([b"", GRUESSE, b"\xff"]) | st.binary(max_size=130),
    masks,
) | st.builds(frame, st.just(CLOSE), st.binary(max_size=1))
odd_frames = st.builds(
    frame, opcodes, payloads, fin=st.booleans(), rsv=st.just(0) | st.integers(0, 7), mask=masks | st.none(),
    width=st.sampled_from([None, None, 16, 64]),
)  # fmt: skip
liars = st.builds(
    frame, opcodes, st.binary(max_size=20), mask=masks, width=st.sampled_from([7, 16, 64]),
    length=st.integers(0, 130) | st.sampled_from([65_536, 70_001, 1 << 31, 1 << 62, (1 << 64) - 1]),
)  # fmt: skip
garbage = st.binary(min_size=1, max_size=40)
sessions = st.lists(messages() | messages() | controls | odd_frames | liars | closes | garbage, max_size=6).map(
    b"".join
)


@HUNT
@given(raw=sessions, keep=st.just(1000) | st.integers(0, 1000), points=st.lists(st.integers(0, 1000), max_size=6))
async def test_any_bytes_at_all(attacked, raw, keep, points):
    """Whole or broken off, at once or in pieces: what comes of the bytes is what RFC 6455 says, and the same."""
    raw = raw[: len(raw) * keep // 1000]
    due, whole = await attack(attacked.server.address, [raw], MAX_FRAME)
    _, split = await attack(attacked.server.address, cut(raw, points), MAX_FRAME)
    if due.must or not due.codes:
        for outcome in (whole, split):
            for answer in outcome.answers:
                del answer["timestamp"], answer["datetime"]
        assert split == whole
    await attacked.unharmed()
