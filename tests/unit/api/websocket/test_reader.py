"""Bytes become messages, whatever pieces they come in; what breaks the protocol is refused, and nothing is held."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k12ai_ws.api.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT
from k12ai_ws.api.websocket.reader import FRAGMENT, Message, MessageReader, Violation

LIMIT = 70_000


def frame(opcode, payload=b"", *, last=True, masked=True, reserved=0):
    size = len(payload)
    mask = bytes((0x37, 0xFA, 0x21, size % 251))
    head = bytes(
        [0x80 * last | reserved | opcode, 0x80 * masked | (size if size < 126 else 126 if size < 1 << 16 else 127)]
    )
    head += b"" if size < 126 else struct.pack("!H", size) if size < 1 << 16 else struct.pack("!Q", size)
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def read(raw, pieces=None, limit=LIMIT):
    """The messages, and the code of the violation that ended them (None: there was none)."""
    reader, found = MessageReader(limit), []
    for piece in pieces if pieces is not None else [raw]:
        reader.feed(piece)
        try:
            while (message := reader.next()) is not None:
                if message is not FRAGMENT:
                    found.append(message)
        except Violation as e:
            return found, e.code
    return found, None


def cut(raw, places):
    ends = sorted({min(p, len(raw)) for p in places} | {0, len(raw)})
    return [raw[a:b] for a, b in pairwise(ends)]


texts = st.text(max_size=300).map(str.encode)
messages = st.one_of(
    st.tuples(st.just(TEXT), texts),
    st.tuples(st.just(BINARY), st.binary(max_size=300)),
    st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)),
)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.lists(messages, max_size=8))
def test_any_messages_in_any_fragments_and_any_pieces(data, sent):
    raw, expected = b"", []
    for opcode, payload in sent:
        parts = [payload]
        if opcode in (TEXT, BINARY):
            parts = cut(payload, data.draw(st.lists(st.integers(0, len(payload)), max_size=3))) or [b""]
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            raw += frame(opcode if number == 0 else 0, part, last=last)
            if not last and data.draw(st.booleans()):
                raw += frame(PING, b"between")
                expected.append(Message(PING, b"between"))
        expected.append(Message(opcode, payload))
    places = data.draw(st.lists(st.integers(0, len(raw)), max_size=10))
    assert read(raw, cut(raw, places)) == (expected, None)
    assert read(raw, [raw[i : i + 1] for i in range(len(raw))]) == (expected, None)


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_any_bytes_give_the_same_in_any_pieces(raw, places):
    assert read(raw, cut(raw, places)) == read(raw)


@settings(deadline=None)
@given(st.data(), st.lists(messages, min_size=1, max_size=4))
def test_a_changed_byte_never_breaks_the_reader(data, sent):
    raw = bytearray(b"".join(frame(opcode, payload) for opcode, payload in sent))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    found, code = read(bytes(raw), cut(bytes(raw), data.draw(st.lists(st.integers(0, len(raw)), max_size=4))))
    assert code in (None, 1002, 1007, 1009)
    assert all(len(message.payload) <= LIMIT for message in found)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, LIMIT])
def test_every_way_to_spell_a_length(size):
    assert read(frame(BINARY, b"x" * size)) == ([Message(BINARY, b"x" * size)], None)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (frame(TEXT, b"x", reserved=0x40), 1002),  # compressed, and nobody agreed to that
        (frame(TEXT, b"x", reserved=0x10), 1002),
        (frame(3), 1002),
        (frame(7), 1002),
        (frame(11), 1002),
        (frame(TEXT, b"x", masked=False), 1002),
        (frame(0, b"x"), 1002),
        (frame(TEXT, b"x", last=False) + frame(TEXT, b"y"), 1002),
        (frame(PING, b"x", last=False), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CLOSE, b"x"), 1002),
        (frame(CLOSE, b"\x03\xed"), 1002),  # 1005 is never sent
        (frame(CLOSE, b"\x03\xee"), 1002),
        (frame(CLOSE, b"\x00\x01"), 1002),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),  # a lone surrogate
        (frame(TEXT, b"\xe2\x82", last=False) + frame(0, b"x"), 1007),
        (frame(BINARY, b"x" * (LIMIT + 1))[:14], 1009),  # before its payload came
        (frame(TEXT, b"x" * LIMIT, last=False) + frame(0, b"x"), 1009),
        (b"\x82\xff" + b"\xff" * 8, 1009),
    ],
)
def test_what_breaks_the_protocol(raw, code):
    assert read(frame(PING) + raw) == ([Message(PING, b"")], code)
    assert read(raw, [raw[i : i + 1] for i in range(len(raw))]) == ([], code)


def test_a_character_in_two_fragments_is_one():
    raw = frame(TEXT, "€".encode()[:1], last=False) + frame(0, "€".encode()[1:])
    assert read(raw) == ([Message(TEXT, "€".encode())], None)


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe8bye", b"\x0b\xb8", b"\x13\x87", b"\x03\xf6"])
def test_closes_that_may_come(payload):
    assert read(frame(CLOSE, payload)) == ([Message(CLOSE, payload)], None)


def test_a_limit_below_a_pings_size_is_for_messages_alone():
    assert read(frame(PING, b"x" * 125), limit=10) == ([Message(PING, b"x" * 125)], None)
    assert read(frame(TEXT, b"x" * 11), limit=10) == ([], 1009)


def test_empty_fragments_without_end_hold_nothing():
    reader = MessageReader(LIMIT)
    reader.feed(frame(TEXT, last=False))
    for _ in range(1000):
        reader.feed(frame(0, last=False))
        assert reader.next() is FRAGMENT
    assert reader.next() is FRAGMENT
    assert reader.next() is None
    reader.feed(frame(0, b"end"))
    assert reader.next() == Message(TEXT, b"end")


def test_each_fragment_is_a_step_of_its_own():
    """Whoever reads counts them: thousands of empty ones are no more work at once than thousands of messages."""
    reader = MessageReader(LIMIT)
    reader.feed(frame(TEXT, b"", last=False) + frame(0, b"", last=False) * 3 + frame(0, b"x"))
    assert [reader.next() for _ in range(6)] == [*[FRAGMENT] * 4, Message(TEXT, b"x"), None]
