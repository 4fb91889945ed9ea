"""Clients that hold what they have and do nothing with it: each is cut off in its time, and everyone else is served.

No clock is looked at: the setting is made small, and the server's closing awaited.
"""

import asyncio
import contextlib
import json
import socket

import pytest

TRAIN = "/k12ai/framework/train"
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
HANDSHAKE = (
    b"GET /k12ai/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def until_closed(reader):
    """All that the server says before it ends the connection."""
    said = b""
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 16):
                said += chunk
    return said


async def drip(writer, data, pause):
    """A byte at a time, for as long as the server listens."""
    with contextlib.suppress(ConnectionError):
        for i in range(len(data)):
            writer.write(data[i : i + 1])
            await writer.drain()
            await asyncio.sleep(pause)


async def beside(client, closing):
    """What `closing` gives, while another client is served all along."""
    ends = asyncio.ensure_future(closing)
    served = 0
    while not ends.done():
        assert (await client.get("/health")).status == 200
        served += 1
        await asyncio.sleep(0.02)
    assert served
    return await ends


async def test_a_connection_that_says_nothing_is_closed(serve):
    client = await serve({"limits": {"header_timeout_s": 0.5, "max_connections": 3}})
    held = [await client.socket() for _ in range(2)]
    for reader, _ in held:
        assert await beside(client, until_closed(reader)) == b""
    for _ in range(2):  # the places are free
        assert (await client.get("/health")).status == 200
    for _, writer in held:
        writer.close()


@pytest.mark.parametrize(
    "request_bytes", [GET, HANDSHAKE, b"POST " + TRAIN.encode() + b" HTTP/1.1\r\nX: " + b"y" * 500]
)
async def test_a_head_that_comes_a_byte_at_a_time_is_given_up(serve, request_bytes):
    client = await serve({"limits": {"header_timeout_s": 0.5, "keep_alive_s": 0.5}})
    reader, writer = await client.socket()
    dripping = asyncio.ensure_future(drip(writer, request_bytes, 0.05))
    assert await beside(client, until_closed(reader)) == b""
    writer.close()
    await dripping


async def test_a_head_that_comes_slowly_but_in_time_is_answered(serve):
    client = await serve({"limits": {"header_timeout_s": 20}})
    reader, writer = await client.socket()
    await drip(writer, GET, 0.005)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_kept_connection_may_wait_longer_for_its_next_request_than_for_its_first(serve):
    client = await serve({"limits": {"header_timeout_s": 0.3, "keep_alive_s": 3.0}})
    first, (reader, writer) = await client.socket(), await client.socket()
    writer.write(GET)
    await reader.readuntil(b"}\n")
    assert await until_closed(first[0]) == b""  # as long as it takes to be tired of one that says nothing
    writer.write(GET)
    await reader.readuntil(b"}\n")
    dripping = asyncio.ensure_future(drip(writer, GET, 0.1))
    assert await beside(client, until_closed(reader)) == b""
    first[1].close()
    writer.close()
    await dripping


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
async def test_a_body_that_comes_too_slowly_is_answered_408(serve, framing):
    client = await serve({"server": {"body_timeout_s": 0.5, "max_requests_running": 2}})
    reader, writer = await client.socket()
    writer.write(b"POST " + TRAIN.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n\r\n")
    body = b'{"op":' + b" " * 94 if b"Length" in framing else b"1\r\n{\r\n" * 20
    dripping = asyncio.ensure_future(drip(writer, body, 0.05))
    said = await beside(client, until_closed(reader))
    assert said.startswith(b"HTTP/1.1 408 ")
    error = json.loads(said.partition(b"\r\n\r\n")[2])["error"]
    assert error["code"] == 100102
    assert "server.body_timeout_s" in error["message"]
    writer.close()
    await dripping
    assert await client.jobs() == []


async def test_a_handshake_and_half_a_frame_is_closed_4408(serve):
    client = await serve({"channel": {"ping_interval_s": 0.2, "pong_timeout_s": 0.5}})
    channel, other = await client.channel(), await client.channel()
    await other.subscribe("s")
    living = asyncio.ensure_future(other.next())  # which answers pings
    channel._writer.write(bytes([0x81, 0xFE, 0x10]))  # a text of 4096 bytes or so, masked; the rest never comes
    assert await beside(client, channel.close_code()) == 4408
    await client.start()
    assert (await living)["type"] == "status"


async def test_a_frame_that_comes_a_byte_at_a_time_is_closed_4408(serve):
    """A pong cannot come within a frame, so whoever never ends one is silent."""
    client = await serve({"channel": {"ping_interval_s": 0.2, "pong_timeout_s": 0.5}})
    channel = await client.channel()
    dripping = asyncio.ensure_future(
        drip(channel._writer, bytes([0x81, 0xFE, 0x10, 0, 0, 0, 0, 0]) + b" " * 4096, 0.02)
    )
    assert await beside(client, channel.close_code()) == 4408
    channel.vanish()
    dripping.cancel()


# ---- those who do not read


async def much(client):
    """The address of a page of about 1 MB."""
    job_id = await client.start("for i in range(1000): print(i, 'x' * 1000)")
    await client.until(job_id)
    return f"/k12ai/framework/jobs/{job_id}/events?type=log"


def deaf(client):
    """A connection whose window is small and that reads nothing by itself."""
    connection = socket.create_connection((client.host, client.port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    return connection


async def gone(client, connection):
    """Until the server has given up this connection, as its own socket shows."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            while True:
                await loop.sock_sendall(connection, b"\r\n")  # nobody reads it; refused once the other end is closed
                await asyncio.sleep(0.05)


async def test_whoever_pipelines_and_never_reads_is_cut_off(serve):
    client = await serve({"limits": {"send_timeout_s": 0.5}})
    path = await much(client)
    connection = deaf(client)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    await asyncio.get_running_loop().sock_sendall(connection, request * 30)
    await beside(client, gone(client, connection))
    connection.close()


async def test_whoever_reads_slowly_gets_all_of_it(serve):
    """It is no slow reader's fault: as long as it takes something in each time, it is waited for."""
    client = await serve({"limits": {"send_timeout_s": 2.0}})
    path = await much(client)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    reader, writer = await client.socket()
    writer.write(request * 15)
    sizes = []
    for _ in range(15):
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split()[0])
        await asyncio.sleep(0.25)
        sizes.append(len(await reader.readexactly(size)))
    assert len(set(sizes)) == 1
    assert sizes[0] > 500_000
    writer.close()


async def test_an_event_stream_that_nobody_reads_is_cut_off_and_resumed(serve):
    client = await serve({"limits": {"send_timeout_s": 1.0}, "channel": {"buffer_bytes": 100_000}})
    connection = deaf(client)
    loop = asyncio.get_running_loop()
    request = b"GET /k12ai/events?type=log&after=start HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    await loop.sock_sendall(connection, request)
    job_id = await client.start("for i in range(10000): print(i, 'x' * 1000)")
    await beside(client, gone(client, connection))
    said = b""
    with contextlib.suppress(ConnectionError):
        while chunk := await loop.sock_recv(connection, 1 << 20):
            said += chunk
    connection.close()
    told = said.partition(b"\r\n\r\n")[2].rpartition(b"\n\n")[0].split(b"\n\n")
    token = told[-1].partition(b"id: ")[2].partition(b"\n")[0].decode()
    assert b"data: " in told[-1]
    source = await client.listen(f"/k12ai/framework/jobs/{job_id}/events?type=log", Last_Event_ID=token)
    again = await source.rest()
    seen = [json.loads(t.partition(b"data: ")[2]) for t in told] + [t.message for t in again]
    assert [m for m in seen if m["type"] == "log"] == await client.events(job_id, "log")
