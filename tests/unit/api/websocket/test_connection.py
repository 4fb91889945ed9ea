"""A connection on the socket itself, in plain and through TLS: messages, back-pressure, the closing handshake."""

import asyncio

import pytest

from k12ai_ws.api.websocket import connection as module
from k12ai_ws.api.websocket.frames import text_frame

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CODE = (1000).to_bytes(2, "big")


async def test_messages_go_both_ways_in_order(connect):
    side, peer = await connect()
    for number in range(200):
        peer.write(TEXT if number % 2 else BINARY, b"%d" % number)
    await side.until(lambda: len(side.messages) == 200)
    assert side.messages == [(bool(n % 2), b"%d" % n) for n in range(200)]
    assert all(side.connection.send(text_frame(b"%d" % n)) for n in range(200))
    assert [await peer.frame() for _ in range(200)] == [(TEXT, b"%d" % n) for n in range(200)]


async def test_several_frames_go_as_one_piece(connect):
    side, peer = await connect()
    side.connection.send(b"".join(text_frame(b"%d" % n) for n in range(50)))
    assert [await peer.frame() for _ in range(50)] == [(TEXT, b"%d" % n) for n in range(50)]


async def test_what_came_with_the_handshake_is_not_lost(connect, make_frame):
    side, peer = await connect(early=make_frame(TEXT, b"early") + make_frame(TEXT, b"later")[:5])
    await side.until(lambda: len(side.messages) == 1)
    assert side.messages == [(True, b"early")]
    peer.writer.write(make_frame(TEXT, b"", masked=False)[:0])
    side.connection.send(text_frame(b"hello"))
    assert await peer.frame() == (TEXT, b"hello")


async def test_no_extension_is_agreed_on(connect):
    side, peer = await connect(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    assert b"extensions" not in peer.head.lower()
    side.connection.send(text_frame(b"a" * 1000))
    assert await peer.frame() == (TEXT, b"a" * 1000)


async def test_fragments_with_a_ping_between(connect):
    side, peer = await connect()
    peer.write(TEXT, b"one ", last=False)
    peer.write(PING, b"payload")
    peer.write(0, b"two ", last=False)
    peer.write(0, b"three")
    assert await peer.frame() == (PONG, b"payload")
    await side.until(lambda: bool(side.messages))
    assert side.messages == [(True, b"one two three")]


async def test_ping_and_pong(connect):
    side, peer = await connect()
    side.connection.ping()
    assert await peer.frame() == (PING, b"")
    peer.write(PONG)
    await side.until(lambda: side.pongs == 1)
    assert side.messages == []


async def test_a_busy_listener_gets_the_next_message_when_it_says_so(connect):
    side, peer = await connect()
    side.busy = True
    for number in range(5):
        peer.write(TEXT, b"%d" % number)
    for number in range(5):
        await side.until(lambda number=number: len(side.messages) == number + 1)
        side.connection.send(text_frame(b"turn"))
        assert await peer.frame() == (TEXT, b"turn")
        assert len(side.messages) == number + 1
        side.connection.resume()


async def test_a_client_that_floods_leaves_turns_to_others(connect, monkeypatch):
    monkeypatch.setattr(module, "TURN", 4)
    side, peer = await connect()
    turns = []
    for number in range(400):
        peer.write(TEXT, b"%d" % number)
    await side.until(lambda: bool(side.messages))
    while len(side.messages) < 400:
        turns.append(len(side.messages))
        await asyncio.sleep(0)
    assert len([n for n in set(turns) if n < 400]) > 20, "the loop came round while the flood was handled"
    assert side.messages == [(True, b"%d" % n) for n in range(400)]


# ---- a reader that is slow, or does not read


def numbered(number: int) -> bytes:
    return b"%06d" % number + b"x" * 5000


async def stuffed(side) -> int:
    """Sends until the connection says stop; how many frames it took."""
    taken = 1
    while side.connection.send(text_frame(numbered(taken - 1))):
        taken += 1
        assert taken < 20_000, "it never says stop"
        if taken % 50 == 0:
            await asyncio.sleep(0)
    return taken


async def test_a_client_that_does_not_read_costs_a_bounded_memory_and_loses_nothing(connect):
    side, peer = await connect()
    connection = side.connection
    taken = await stuffed(side)
    assert connection.behind
    assert connection._unsent <= connection._limit + 5100
    waiting = asyncio.create_task(connection.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    for number in range(taken):
        assert await peer.frame() == (TEXT, numbered(number))
    await asyncio.wait_for(waiting, 20)
    assert not connection.behind
    assert connection.taken > 0
    assert connection.send(text_frame(b"live again"))
    assert await peer.frame() == (TEXT, b"live again")


async def test_a_client_that_reads_a_few_bytes_at_a_time_gets_all_in_order(connect):
    """A byte a second, without the second."""
    side, peer = await connect()
    taken = await stuffed(side)
    raw = bytearray()
    expected = b"".join(text_frame(numbered(n)) for n in range(taken))
    while len(raw) < len(expected):
        raw += await asyncio.wait_for(peer.reader.read(1 + len(raw) % 40_000), 20)
    assert raw == expected


async def test_small_frames_that_wait_stay_in_order(connect):
    side, peer = await connect()
    taken = await stuffed(side)
    for number in range(2000):
        side.connection.send(text_frame(b"small %d" % number))
    for number in range(taken):
        assert await peer.frame() == (TEXT, numbered(number))
    for number in range(2000):
        assert await peer.frame() == (TEXT, b"small %d" % number)


async def test_one_that_does_not_read_delays_nobody(connect):
    (stuck, _), (side, peer) = await connect(), await connect()
    await stuffed(stuck)
    side.connection.send(text_frame(b"hello"))
    assert await peer.frame() == (TEXT, b"hello")


async def test_a_client_that_pings_and_does_not_read_is_not_read_from(connect):
    """Else its pongs would pile up here."""
    side, peer = await connect()
    taken = await stuffed(side)
    held = side.connection._unsent
    for _ in range(4000):
        peer.write(PING, b"x" * 100)
    for _ in range(50):
        await asyncio.sleep(0)
    assert side.connection._unsent <= held + module.TURN * 102
    for number in range(taken):
        assert await peer.frame() == (TEXT, numbered(number))
    for _ in range(4000):
        assert await peer.frame() == (PONG, b"x" * 100)


async def test_a_client_that_vanishes_with_a_backlog(connect):
    side, peer = await connect()
    await stuffed(side)
    waiting = asyncio.create_task(side.connection.drained())
    await asyncio.sleep(0)
    peer.writer.transport.abort()
    await side.closed()
    await asyncio.wait_for(waiting, 20)
    assert side.connection.send(text_frame(b"x")), "a connection that is gone never says stop"


# ---- the end


async def test_the_clients_close_is_answered_and_the_connection_ends(connect):
    side, peer = await connect()
    peer.write(TEXT, b"before")
    peer.write(CLOSE, CODE + b"bye")
    peer.write(TEXT, b"after")
    await side.closed()
    side.connection.send(text_frame(b"late"))
    assert await peer.frame() == (CLOSE, CODE)
    assert await peer.end() == b""
    assert side.messages == [(True, b"before")]


async def test_a_close_without_a_code_is_answered_without_one(connect):
    side, peer = await connect()
    peer.write(CLOSE)
    assert await peer.frame() == (CLOSE, b"")
    await side.closed()


async def test_the_clients_close_waits_for_what_it_has_not_read(connect):
    side, peer = await connect()
    taken = await stuffed(side)
    for number in range(taken):
        assert await peer.frame() == (TEXT, numbered(number))
        if number == 0:
            peer.write(CLOSE, CODE)
    assert await peer.frame() == (CLOSE, CODE)
    assert await peer.end() == b""
    await side.closed()


async def test_our_close_waits_for_the_clients(connect):
    side, peer = await connect()
    side.connection.close(1001, "going away")
    side.connection.close(1013, "not twice")
    assert side.connection.closing
    assert side.connection.send(text_frame(b"late"))
    assert await peer.frame() == (CLOSE, (1001).to_bytes(2, "big") + b"going away")
    peer.write(TEXT, b"nobody looks at this")
    peer.write(PING, b"nor at this")
    assert side.closings == 0
    peer.write(CLOSE, (1001).to_bytes(2, "big"))
    assert await peer.end() == b""
    await side.closed()
    assert side.messages == []


async def test_our_close_is_seen_also_while_the_listener_is_busy(connect):
    side, peer = await connect()
    side.busy = True
    peer.write(TEXT, b"takes long")
    await side.until(lambda: bool(side.messages))
    side.connection.close(1001, "")
    assert (await peer.frame())[0] == CLOSE
    peer.write(CLOSE)
    await side.closed()
    side.connection.resume()


async def test_a_client_that_does_not_answer_our_close_is_cut_off(connect, monkeypatch):
    monkeypatch.setattr(module, "GOODBYE_S", 0.05)
    side, peer = await connect()
    side.connection.close(4408, "no pong")
    await side.closed()
    assert (await peer.frame())[0] == CLOSE
    assert await peer.end() == b""


async def test_a_client_that_neither_reads_nor_answers_is_cut_off(connect, monkeypatch):
    monkeypatch.setattr(module, "GOODBYE_S", 0.05)
    side, _ = await connect()
    await stuffed(side)
    side.connection.close(1001, "")
    await side.closed()


async def test_a_client_that_hangs_up(connect):
    side, peer = await connect()
    peer.write(TEXT, b"half a fra", last=False)
    peer.writer.close()
    await side.closed()


async def test_a_client_that_hangs_up_as_it_is_answered(connect):
    """As a page that is loaded again just then: its end is there before the first look for a message."""
    side, _ = await connect(leaves=True)
    await side.closed()
    assert side.connection.closing
    assert side.connection.send(text_frame(b"to nobody"))


async def test_hanging_up_ourselves(connect):
    side, peer = await connect()
    side.connection.fail()
    side.connection.fail()
    await side.closed()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await peer.frame()


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(TEXT, b"\xff\xfe")], 1007),
        ([(BINARY, b"x" * 4097)], 1009),
        ([(3, b"")], 1002),
        ([(0, b"x")], 1002),
        ([(PING, b"x" * 126)], 1002),
        ([(CLOSE, b"x")], 1002),
    ],
)
async def test_a_client_that_breaks_the_protocol_is_told_and_not_looked_at_again(connect, frames, code):
    side, peer = await connect()
    for opcode, payload in frames:
        peer.write(opcode, payload)
    for _ in range(300):  # it goes on sending, and reads only then: our Close must still be there
        peer.write(BINARY, b"y" * 4000)
    opcode, payload = await peer.frame()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, code)
    assert payload[2:].decode()
    peer.writer.close()
    await side.closed()
    assert side.messages == []


async def test_an_unmasked_frame_breaks_the_protocol(connect):
    side, peer = await connect()
    peer.write(TEXT, b"x", masked=False)
    opcode, payload = await peer.frame()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, 1002)
    peer.writer.close()
    await side.closed()


async def test_one_that_breaks_the_protocol_and_stays_is_cut_off(connect, monkeypatch):
    monkeypatch.setattr(module, "GOODBYE_S", 0.05)
    side, peer = await connect()
    peer.write(3)
    assert (await peer.frame())[0] == CLOSE
    await side.closed()
