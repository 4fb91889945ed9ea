"""The opening handshake, spoilt in every way: an HTTP answer or a hang-up, and nobody else notices."""

import asyncio
import os
from base64 import b64encode
from hashlib import sha1
from itertools import pairwise

import pytest
from channelrig.attack import ping
from channelrig.connection import PATIENCE_S, dial
from channelrig.frames import CLOSE, TEXT, Judge, frame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("K12AI_FUZZ_EXAMPLES", "150"))
HUNT = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

KEY = b64encode(b"0123456789abcdef").decode()
ACCEPT = b64encode(sha1(KEY.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
GOOD = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


def head(headers: dict[str, str], line: str = "GET /k12ai/ws HTTP/1.1") -> bytes:
    return ("\r\n".join([line, *(f"{k}: {v}" for k, v in headers.items())]) + "\r\n\r\n").encode("latin-1", "replace")


async def exchange(address: str, pieces: list[bytes], *, hang_up: bool = True, enough: bytes | None = None) -> bytes:
    """All that comes back until the server hangs up, or `enough` has come."""
    sock, loop, answer = await dial(address), asyncio.get_running_loop(), b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            for piece in pieces:
                await loop.sock_sendall(sock, piece)
                await asyncio.sleep(0)
            if hang_up:
                sock.shutdown(1)
            while (enough is None or enough not in answer) and (more := await loop.sock_recv(sock, 65536)):
                answer += more
    except ConnectionError:
        pass
    finally:
        sock.close()
    return answer


def check(answer: bytes) -> int | None:
    """The status; after a 101 nothing but frames."""
    if not answer:
        return None
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    status = int(answer.split()[1])
    assert status in (101, 400, 403, 404, 405, 408, 426, 431, 505), answer[:500]
    if status == 101:
        Judge().feed(answer.partition(b"\r\n\r\n")[2])
    return status


words = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30)
names = st.sampled_from(
    [
        *GOOD,
        "Origin",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Protocol",
        "Content-Length",
        "Transfer-Encoding",
        "Cookie",
    ]
)
ODD = [
    "", ",", "a, b,", "5", "-1", "chunked", "null", "\x7f", "x" * 5000, "keep-alive, upgrade", "WebSocket",
    "http://localhost", "permessage-deflate", 'permessage-deflate; server_max_window_bits=99; x="',
]  # fmt: skip
spoils = st.dictionaries(
    names,
    words | st.none() | st.sampled_from(ODD),
    max_size=3,
)
lines = st.sampled_from(
    ["GET /k12ai/ws HTTP/1.1"] * 5
    + [
        "POST /k12ai/ws HTTP/1.1",
        "GET /k12ai/ws?token=%00%ff HTTP/1.1",
        "GET /k12ai/ws HTTP/1.0",
        "HEAD /k12ai/ws HTTP/1.1",
    ]
    + ["GET http://localhost/k12ai/ws HTTP/1.1", "PRI * HTTP/2.0", "GET /k12ai/ws/ HTTP/1.1", "get /k12ai/ws HTTP/1.1"]
)


@HUNT
@given(
    line=lines,
    spoilt=spoils,
    points=st.lists(st.integers(0, 1000), max_size=4),
    keep=st.integers(0, 1000) | st.just(1000),
)
async def test_spoilt_handshakes(attacked, line, spoilt, points, keep):
    raw = head({k: v for k, v in (GOOD | spoilt).items() if v is not None}, line)
    raw = (raw + frame(TEXT, ping("early")))[: max(1, len(raw) * keep // 1000)]
    at = sorted({0, len(raw), *(len(raw) * p // 1000 for p in points)})
    waits = b"\r\n\r\n" not in raw or b"Content-Length" in raw or b"Transfer-Encoding" in raw
    pieces = [raw[a:b] for a, b in pairwise(at)]
    check(await exchange(attacked.server.address, pieces, hang_up=waits, enough=b"\r\n\r\n"))
    await attacked.unharmed()


@HUNT
@given(raw=st.binary(min_size=1, max_size=200))
async def test_garbage_instead_of_a_handshake(attacked, raw):
    check(await exchange(attacked.server.address, [raw]))
    await attacked.unharmed()


async def test_frames_right_behind_the_handshake_are_taken(attacked):
    """At once or cut anywhere: a client need not wait for the answer, and a network cuts where it likes."""
    raw = head(GOOD) + frame(TEXT, ping("early")) + frame(CLOSE, (1000).to_bytes(2, "big"))
    for at in range(1, len(raw), 7):
        answer = await exchange(attacked.server.address, [raw[:at], raw[at:]], hang_up=False)
        opening, _, rest = answer.partition(b"\r\n\r\n")
        assert opening.startswith(b"HTTP/1.1 101 "), answer
        assert b"Sec-Websocket-Accept: " + ACCEPT in opening.replace(b"Sec-WebSocket-Accept", b"Sec-Websocket-Accept")
        first, last = Judge().feed(rest)
        assert b'"id":"early"' in first.payload
        assert (last.opcode, last.code) == (CLOSE, 1000)
    await attacked.unharmed()


@pytest.mark.parametrize(
    "key", ["x", "0123456789abcdef", KEY[:-2], "====", b64encode(b"short").decode(), KEY + KEY, "ü" * 24]
)
async def test_a_key_that_is_no_key_is_refused(attacked, key):
    """RFC 6455, section 4.2.1: sixteen bytes in base64, or the handshake is none."""
    request = head(GOOD | {"Sec-WebSocket-Key": key})
    assert check(await exchange(attacked.server.address, [request], hang_up=False, enough=b"\r\n\r\n")) == 400
    await attacked.unharmed()
