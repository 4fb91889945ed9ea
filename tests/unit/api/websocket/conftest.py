"""Connections that come from a real Tornado server, plain and through TLS, and a client that writes what it likes."""

import asyncio
import base64
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trustme
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from k12ai_ws.api.websocket.connection import Connection
from k12ai_ws.api.websocket.upgrade import upgrade

PATIENCE_S = 90.0
LIMIT = 256 << 10
MAX_MESSAGE = 4096


class Side:
    """The server's side of a connection: keeps what came. `busy`: it wants to be asked to go on after each message."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.messages: list[tuple[bool, bytes]] = []
        self.came = asyncio.Event()
        self.pongs = 0
        self.closings = 0
        self.gone = asyncio.Event()
        self.busy = False

    def on_message(self, payload: bytes, *, text: bool) -> bool:
        self.messages.append((text, payload))
        self.came.set()
        return not self.busy

    def on_pong(self) -> None:
        self.pongs += 1
        self.came.set()

    def on_close(self) -> None:
        self.closings += 1
        self.gone.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.came.clear()
                await self.came.wait()

    async def closed(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.gone.wait()
        await asyncio.sleep(0)
        assert self.closings == 1


class Peer:
    """The client's side, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self.reader, self.writer, self.head = reader, writer, head

    def write(self, opcode: int, payload: bytes = b"", *, last: bool = True, masked: bool = True) -> None:
        self.writer.write(frame(opcode, payload, last=last, masked=masked))

    async def frame(self) -> tuple[int, bytes]:
        """(opcode, payload). Raises IncompleteReadError at the end."""
        async with asyncio.timeout(PATIENCE_S):
            first, size = await self.reader.readexactly(2)
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            assert first & 0xF0 == 0x80, "a server's frame is whole, and no extension was agreed on"
            return first & 15, await self.reader.readexactly(size)

    async def end(self) -> bytes:
        """What comes before the end of the stream."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()


def frame(opcode: int, payload: bytes = b"", *, last: bool = True, masked: bool = True) -> bytes:
    size, mask = len(payload), os.urandom(4) if masked else b""
    head = bytes([0x80 * last | opcode, 0x80 * masked | (size if size < 126 else 126 if size < 1 << 16 else 127)])
    head += b"" if size < 126 else struct.pack("!H", size) if size < 1 << 16 else struct.pack("!Q", size)
    return head + mask + (bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if masked else payload)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["plain", "tls"])
async def connect(request: pytest.FixtureRequest, authority: trustme.CA) -> AsyncIterator[Any]:
    """`await connect(early=b"", leaves=False, **headers)`: both sides of a new connection. `leaves`: the client hangs
    up once it is answered, before the connection is opened.
    """
    server_context = client_context = None
    if request.param == "tls":
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(server_context)
        client_context = ssl.create_default_context()
        authority.configure_trust(client_context)
    sides: asyncio.Queue[Side] = asyncio.Queue()
    all_sides: list[Side] = []

    class Handler(RequestHandler):
        async def get(self) -> None:
            stream = await upgrade(self)
            assert stream is not None
            for writer in leaving:
                writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
            connection = Connection(stream, limit=LIMIT, max_message=MAX_MESSAGE)
            side = Side(connection)
            all_sides.append(side)
            sides.put_nowait(side)
            connection.open(side)

    server = HTTPServer(Application([("/", Handler)], log_function=lambda _: None), ssl_options=server_context)
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    writers: list[asyncio.StreamWriter] = []
    leaving: list[asyncio.StreamWriter] = []

    async def connected(early: bytes = b"", *, leaves: bool = False, **headers: str) -> tuple[Side, Peer]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client_context, server_hostname="localhost" if client_context else None
        )
        writers.append(writer)
        leaving[:] = [writer] if leaves else []
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET / HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]  # fmt: skip
        writer.write("\r\n".join([*lines, "", ""]).encode() + early)
        head = b"" if leaves else await reader.readuntil(b"\r\n\r\n")
        assert leaves or head.startswith(b"HTTP/1.1 101 ")
        async with asyncio.timeout(PATIENCE_S):
            return await sides.get(), Peer(reader, writer, head)

    yield connected
    for side in all_sides:
        side.connection.fail()
    for writer in writers:
        writer.transport.abort()
    server.stop()
    await server.close_all_connections()


@pytest.fixture
def make_frame() -> Callable[..., bytes]:
    return frame
