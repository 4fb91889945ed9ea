"""A raw socket that reads only when it is told to, and the connection of the model on it."""

import asyncio
import base64
import contextlib
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .frames import CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, Judge, frame
from .reference import SUCCESS, Log, View, Wanted

PATIENCE_S = float(os.environ.get("K12AI_MODEL_PATIENCE", "60"))
FIELDS = ["version", "type", "tag", "op", "user", "service_uuid", "timestamp", "datetime"]


class Wire:
    """One TCP connection, its handshake done. Nothing is read from it but by `receive`.

    `receive_buffer`: bytes that the kernel keeps for it, so that the server feels it when nobody reads.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.judge = Judge()
        self.ended = False
        self._early = b""  # came with the handshake's answer

    @classmethod
    async def open(cls, address: str, *, receive_buffer: int | None = None) -> "Wire":
        """Raises ConnectionError where the server does not switch protocols."""
        wire = cls(await dial(address, receive_buffer))
        key = base64.b64encode(os.urandom(16))
        await wire.send(
            b"GET /k12ai/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = await wire._read(65536)
            assert more, answer
            answer += more
        head, _, wire._early = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return wire

    async def send(self, data: bytes) -> None:
        """Raises ConnectionError where the server has hung up, TimeoutError where it takes nothing."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def receive(self, most: int = 1 << 16) -> Sequence[Frame]:
        """What came, up to so many bytes: the frames that are whole now. `ended` is set where the server hung up."""
        data, self._early = self._early, b""
        if not data:
            data = await self._read(most)
            if not data:
                self.ended = True
                self.judge.end()
        return self.judge.feed(data)

    async def _read(self, most: int) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await asyncio.get_running_loop().sock_recv(self._socket, most)
            except ConnectionError:
                return b""

    def half_close(self) -> None:
        """Says that nothing more comes, and goes on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        """Ends in good order."""
        self._socket.close()

    def vanish(self) -> None:
        """Ends with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


async def dial(address: str, receive_buffer: int | None = None) -> socket.socket:
    """A bare TCP connection to the server."""
    to = urlsplit(address)
    sock = socket.socket()
    try:
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (to.hostname, to.port))
    except BaseException:
        sock.close()
        raise
    return sock


@dataclass(frozen=True)
class Request:
    """A request that is under way, and the log's head when it was sent."""

    op: str
    id: str
    fields: dict[str, Any]
    head: int


class Connection:
    """A client of the model: what comes is held against its view at once, in the order in which it comes."""

    def __init__(self, wire: Wire, log: Log, max_subscriptions: int) -> None:
        self._wire = wire
        self._log = log
        self.view = View(log, max_subscriptions)
        self.reading = True
        self.close_code: int | None = None
        self._asked: deque[Request] = deque()
        self._pieces = b""
        self._pings = 0
        self.job_ids: dict[str, str] = {}

    @classmethod
    async def open(cls, address: str, log: Log, max_subscriptions: int, *, buffer: int | None = None) -> "Connection":
        """A new connection, which nothing was asked for on yet."""
        return cls(await Wire.open(address, receive_buffer=buffer), log, max_subscriptions)

    # ---- what it sends

    async def ask(self, op: str, request_id: str, *, tag: str = "channel", **fields: Any) -> None:
        """Sends a request; its answer is judged when it is read."""
        self._asked.append(Request(op, request_id, fields, self._log.head))
        text = json.dumps({"tag": tag, "op": op, "id": request_id} | fields)
        await self._wire.send(frame(TEXT, text.encode()))

    async def subscribe(self, name: str, wanted: Wanted, after: int | str, epoch: str | None = None) -> None:
        """Asks for events."""
        fields = {"filter": wanted, "after": after} | ({"epoch": epoch} if epoch is not None else {})
        await self.ask("subscribe", name, **fields)

    async def ping(self) -> None:
        """Asks for an answer."""
        self._pings += 1
        await self.ask("ping", f"ping {self._pings}")

    async def say_goodbye(self) -> None:
        """Closes as RFC 6455 wants it, and reads to the end."""
        await self._wire.send(frame(CLOSE, (1000).to_bytes(2, "big")))
        await self.read_to_the_end()
        assert self.close_code == 1000, self.close_code

    def hang_up(self) -> None:
        """Ends in good order, as far as TCP knows."""
        self._wire.hang_up()

    def vanish(self) -> None:
        """Ends with a reset."""
        self._wire.vanish()

    # ---- what it reads

    @property
    def waits_for(self) -> str:
        """Something that has not come yet, in words; empty where all has."""
        if self._asked:
            return f"the answer to {self._asked[0]}"
        missing = next(self.view.missing(self._log.head), None)
        return f"event {missing}" if missing is not None else ""

    async def read(self, most: int = 1 << 16) -> None:
        """Reads once, up to so many bytes, and judges what is whole."""
        for got in await self._wire.receive(most):
            if got.opcode == PING:
                await self._wire.send(frame(PONG, got.payload))
            elif got.opcode == CLOSE:
                self.close_code = got.code
            elif got.opcode in (TEXT, CONTINUATION):
                self._pieces += got.payload
                if got.fin:
                    whole, self._pieces = self._pieces, b""
                    self._judge(whole)

    async def settle(self) -> None:
        """Reads until all has come that is due, and sees that no more had been sent than that."""
        if not self._asked:
            await self.ping()
        try:
            while self.waits_for:
                await self.read()
                assert not self._wire.ended, f"closed with {self.close_code}, and {self.waits_for} not come"
            await self.ping()
            while self.waits_for:
                await self.read()
        except TimeoutError:
            raise AssertionError(f"nothing comes for {PATIENCE_S:g} s: {self.waits_for}") from None

    async def read_to_the_end(self) -> None:
        """Reads until the server hangs up; answers its Close."""
        answered = False
        while not self._wire.ended:
            await self.read()
            if self.close_code is not None and not answered:
                answered = True
                with contextlib.suppress(ConnectionError):  # it need not wait for it
                    await self._wire.send(frame(CLOSE, self.close_code.to_bytes(2, "big")))
        self._wire.hang_up()

    def _judge(self, payload: bytes) -> None:
        message = json.loads(payload)
        assert list(message)[:9] == [*FIELDS, message["type"]], payload
        if "id" not in message:
            self.view.event(payload)
        elif message["op"] == "bookmark":
            self.view.bookmarked(message["id"], message["info"])
        else:
            self._answered(message)

    def _answered(self, message: dict[str, Any]) -> None:
        assert self._asked, f"an answer that nobody asked for: {message}"
        request = self._asked.popleft()
        assert (message["op"], message["id"]) == (request.op, request.id), (message, request)
        if request.op == "subscribe":
            fields = request.fields
            wanted, after, epoch = fields["filter"], fields["after"], fields.get("epoch")
            self.view.subscribed(request.id, wanted, after, epoch, message, request.head)
        elif request.op == "unsubscribe":
            self.view.unsubscribed(request.id, message)
        elif request.op == "ping":
            assert message["info"]["code"] == SUCCESS, message
        else:
            self.job_ids[request.id] = message["job_id"]
