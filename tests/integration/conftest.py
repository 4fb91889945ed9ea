"""Real servers, in this process and in one of their own, and a client that speaks plain HTTP and WebSocket to them."""

import asyncio
import base64
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import struct
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders

from k12ai_ws.app import Server
from k12ai_ws.drivers.registry import Registry, Service, examine
from k12ai_ws.launchers.process.launcher import ProcessLauncher
from k12ai_ws.settings import load_settings

HERE = Path(__file__).parent
PATIENCE_S = 90.0
LINE_BYTES = 1 << 20
"""The longest line of an event stream that our client reads."""
TERMINAL = {"finished", "failed", "stopped", "lost"}
MANDATORY = ["version", "type", "tag", "op", "user", "service_uuid", "timestamp", "datetime"]


@dataclass
class Reply:
    """An HTTP answer: `message` is its envelope."""

    status: int
    message: dict[str, Any]
    headers: HTTPHeaders
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return self.message[self.message["type"]]


def check_envelope(message: dict[str, Any]) -> None:
    """The user's document: all mandatory fields, their types and their order, then the body."""
    assert list(message)[:9] == [*MANDATORY, message["type"]]
    assert message["version"] == "0.1.0"
    assert message["type"] in {"status", "metrics", "progress", "log", "error", "info"}
    assert message["tag"] in {"framework", "platform", "channel"}
    for name in ("op", "user", "service_uuid", "datetime"):
        assert isinstance(message[name], str), name
    assert type(message["timestamp"]) is int
    assert abs(message["timestamp"] / 1000 - time.time()) < 3600
    assert isinstance(message[message["type"]], dict)
    assert set(list(message)[9:]) <= {"service_name", "job_id", "seq", "id"}


class Closed(ConnectionError):
    """The server closed the channel, with this code (None: without one)."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class Channel:
    """A WebSocket client of our own: what is not asked for with `next` stays in the socket, so it can be slow."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, pongs: bool) -> None:
        self._reader, self._writer, self._pongs = reader, writer, pongs
        self._kept: deque[tuple[dict[str, Any], bytes]] = deque()

    def write(self, opcode: int, payload: bytes, *, last: bool = True) -> None:
        """One masked frame, as a client must send it; `last` of its message or not."""
        size = len(payload)
        head = bytes([0x80 * last | opcode, 0x80 | (size if size < 126 else 126 if size < 1 << 16 else 127)])
        head += b"" if size < 126 else struct.pack("!H", size) if size < 1 << 16 else struct.pack("!Q", size)
        self._writer.write(head + b"\0\0\0\0" + payload)  # a mask of zeros changes nothing

    def send(self, message: Any) -> None:
        """An object as JSON, a str as it is, bytes as a binary frame."""
        if isinstance(message, bytes):
            self.write(2, message)
        else:
            self.write(1, (message if isinstance(message, str) else json.dumps(message)).encode())

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of any kind: (opcode, payload)."""
        try:
            head = await self._reader.readexactly(2)
            size = head[1]
            if size >= 126:
                size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
            return head[0] & 15, await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Closed(None) from None

    async def _read(self) -> bytes:
        while True:
            opcode, payload = await self.frame()
            if opcode == 1:
                return payload
            if opcode == 8:
                raise Closed(int.from_bytes(payload[:2], "big") if payload else None)
            if opcode == 9 and self._pongs:
                self.write(10, payload)

    async def next_raw(self, patience: float = PATIENCE_S) -> tuple[dict[str, Any], bytes]:
        """The next message, and its bytes. Raises Closed, TimeoutError."""
        if self._kept:
            return self._kept.popleft()
        async with asyncio.timeout(patience):
            raw = await self._read()
        message = json.loads(raw)
        check_envelope(message)
        return message, raw

    async def next(self, patience: float = PATIENCE_S) -> dict[str, Any]:
        return (await self.next_raw(patience))[0]

    async def ask(self, message: Any, request_id: str | None = None) -> dict[str, Any]:
        """Sends a request; its answer. Events that come meanwhile are kept for `next`."""
        wanted = request_id or message["id"]
        kept, self._kept = self._kept, deque()
        self.send(message)
        while True:
            answer, raw = await self.next_raw()
            if answer.get("id") == wanted and answer["op"] != "bookmark":
                self._kept = kept
                return answer
            kept.append((answer, raw))

    async def subscribe(self, name: str, after: Any = "now", epoch: str | None = None, **wanted: Any) -> dict[str, Any]:
        request = {"tag": "channel", "op": "subscribe", "id": name, "filter": wanted, "after": after}
        return await self.ask(request | ({"epoch": epoch} if epoch is not None else {}))

    async def ping(self, name: str = "ping") -> dict[str, Any]:
        return await self.ask({"tag": "channel", "op": "ping", "id": name})

    async def until_end(self, *job_ids: str) -> list[tuple[dict[str, Any], bytes]]:
        """All messages up to the terminal status of the last of these jobs."""
        left, seen = set(job_ids), []
        while left:
            message, raw = await self.next_raw()
            seen.append((message, raw))
            if message["type"] == "status" and message["status"]["value"] in TERMINAL:
                left.discard(message["job_id"])
        return seen

    async def silence(self) -> list[dict[str, Any]]:
        """What had been sent up to now: a ping's answer comes after it."""
        await self.ping("the silence")
        seen = [message for message, _ in self._kept]
        self._kept.clear()
        return seen

    async def everything(self) -> tuple[list[dict[str, Any]], int | None]:
        """All that still comes, and the code of the Close at its end."""
        seen = []
        try:
            while True:
                seen.append(await self.next())
        except Closed as e:
            return seen, e.code

    async def rest(self) -> list[tuple[dict[str, Any], bytes]]:
        """All that still comes until the connection ends."""
        seen = []
        with contextlib.suppress(Closed):
            while True:
                seen.append(await self.next_raw())
        return seen

    async def close_code(self, patience: float = PATIENCE_S) -> int | None:
        """Waits for the server to close; the code it said."""
        async with asyncio.timeout(patience):
            try:
                while True:
                    await self._read()
            except Closed as e:
                return e.code

    async def sent(self, patience: float) -> bool:
        """Whether the server takes what was sent, within so many seconds."""
        try:
            await asyncio.wait_for(self._writer.drain(), patience)
        except TimeoutError:
            return False
        return True

    def vanish(self) -> None:
        """Gone, without a word."""
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@dataclass
class Told:
    """One message of an event stream: the browser's Last-Event-ID after it, its JSON and the bytes of that."""

    id: str
    message: dict[str, Any]
    raw: bytes


class EventSource:
    """An event stream as a browser reads it (WHATWG HTML, section 9.2.6), or a refusal; `head` is the answer's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self._reader, self.writer = reader, writer
        first, *lines = head.decode().split("\r\n")[:-2]
        self.status = int(first.split()[1])
        self.headers = HTTPHeaders.parse("\n".join(lines))
        self.last_id = ""
        self.retry_ms: int | None = None

    async def next(self, patience: float = PATIENCE_S) -> Told:
        """The next message; one that broke off is none. Raises Closed at the end, TimeoutError."""
        async with asyncio.timeout(patience):
            with contextlib.suppress(ConnectionError):
                return await self._read()
        raise Closed(None)

    async def _read(self) -> Told:
        data: list[bytes] = []
        while line := await self._reader.readline():
            field, _, value = line.removesuffix(b"\n").partition(b":")
            value = value.removeprefix(b" ")
            if field == b"id":
                self.last_id = value.decode()
            elif field == b"data":
                data.append(value)
            elif field == b"retry":
                self.retry_ms = int(value)
            elif line == b"\n" and data:
                raw = b"\n".join(data)
                check_envelope(json.loads(raw))
                return Told(self.last_id, json.loads(raw), raw)
        raise ConnectionError("the stream has ended")

    async def rest(self) -> list[Told]:
        """All that still comes until the stream ends."""
        told = []
        with contextlib.suppress(Closed):
            while True:
                told.append(await self.next())
        return told

    async def error(self) -> dict[str, Any]:
        """The body of a refusal."""
        size = int(self.headers["Content-Length"])
        message = json.loads(await asyncio.wait_for(self._reader.readexactly(size), PATIENCE_S))
        check_envelope(message)
        return message["error"]

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class Client:
    """Speaks to one server."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.host, self.port = urlsplit(address).hostname, urlsplit(address).port
        self._http = AsyncHTTPClient(force_instance=True, max_clients=64)
        self._channels: list[Channel | EventSource] = []

    async def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Header names are given with underscores."""
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        request = HTTPRequest(
            self.address + path, method=method, body=body, headers=named, allow_nonstandard_methods=True,
            request_timeout=PATIENCE_S,
        )  # fmt: skip
        answer = await self._http.fetch(request, raise_error=False)
        if answer.code == 599:
            raise ConnectionError(str(answer.error))
        message = json.loads(answer.body) if answer.body else {}
        if message:
            check_envelope(message)
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        return Reply(answer.code, message, answer.headers, answer.body)

    async def raw(self, path: str, **headers: str) -> HTTPResponse:
        """A GET whose answer is no envelope."""
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        return await self._http.fetch(self.address + path, raise_error=False, headers=named, request_timeout=PATIENCE_S)

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.request("GET", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Reply:
        return await self.request(
            "POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), **headers
        )

    def order(self, op: str, uuid: str = "p", user: str = "u", **params: Any) -> dict[str, Any]:
        """A framework request's body."""
        return {"op": op, "user": user, "service_name": "toy", "service_uuid": uuid, "service_params": params}

    async def start(self, script: str = "", uuid: str = "p", user: str = "u", **params: Any) -> str:
        """Starts a job that must be taken; its id."""
        if script:
            params["script"] = script
        reply = await self.post("/k12ai/framework/train", self.order("train.start", uuid, user, **params))
        assert reply.status == 202, reply.message
        return reply.message["job_id"]

    async def stop(self, uuid: str = "p", user: str = "u") -> Reply:
        return await self.post("/k12ai/framework/train", self.order("train.stop", uuid, user))

    async def job(self, job_id: str) -> dict[str, Any]:
        reply = await self.get(f"/k12ai/framework/jobs/{job_id}")
        assert reply.status == 200, reply.message
        return reply.body["job"]

    async def jobs(self, query: str = "limit=500") -> list[dict[str, Any]]:
        reply = await self.get(f"/k12ai/framework/jobs?{query}")
        assert reply.status == 200, reply.message
        return reply.body["jobs"]

    async def until(self, job_id: str, *values: str) -> dict[str, Any]:
        """Polls until the job has one of these states (by default: has ended)."""
        wanted, deadline = set(values) or TERMINAL, time.monotonic() + PATIENCE_S
        while (job := await self.job(job_id))["status"]["value"] not in wanted:
            assert time.monotonic() < deadline, f"the job is still {job['status']}"
            await asyncio.sleep(0.02)
        return job

    async def events(self, job_id: str, types: str = "status,metrics,progress,log,error,info") -> list[dict[str, Any]]:
        """All stored events of a job, page by page."""
        events, after = [], 0
        while after is not None:
            reply = await self.get(f"/k12ai/framework/jobs/{job_id}/events?type={types}&after={after}&limit=1000")
            assert reply.status == 200, reply.message
            events += reply.body["events"]
            after = reply.body["next"]
        for event in events:
            check_envelope(event)
        return events

    async def until_printed(self, job_id: str, count: int) -> None:
        """Polls until the server has stored so many lines of the job; fails at once where it ended with fewer."""
        deadline, over = time.monotonic() + PATIENCE_S, False
        while len(lines := await self.lines(job_id)) < count:
            assert not over, f"the job ended with {len(lines)} lines: {await self.events(job_id, 'error,status')}"
            assert time.monotonic() < deadline, f"only {len(lines)} lines"
            await asyncio.sleep(0.02)
            over = (await self.job(job_id))["status"]["value"] in TERMINAL

    async def lines(self, job_id: str, stream: str = "stdout") -> list[str]:
        """What the job printed, as its log events give it."""
        logs = [e["log"] for e in await self.events(job_id, "log")]
        return [line for log in logs if log["stream"] == stream for line in log["lines"]]

    async def socket(self, source: str | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare TCP connection, from the local address `source`."""
        return await asyncio.open_connection(
            self.host, self.port, local_addr=(source, 0) if source else None, limit=LINE_BYTES
        )

    async def listen(
        self, path: str, *, source: str | None = None, version: str = "1.1", method: str = "GET", **headers: str
    ) -> EventSource:
        """Asks for an event stream; its answer, whatever it is. Closed with the client."""
        reader, writer = await self.socket(source)
        named = {"Host": "localhost", "Accept": "text/event-stream"}
        named |= {k.replace("_", "-"): v for k, v in headers.items()}
        lines = [f"{method} {path} HTTP/{version}", *(f"{k}: {v}" for k, v in named.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        self._channels.append(EventSource(reader, writer, head))
        return self._channels[-1]

    async def handshake(
        self, source: str | None = None, **headers: str
    ) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.socket(source)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /k12ai/ws HTTP/1.1", f"Host: {self.host}:{self.port}", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
            *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
        ]  # fmt: skip
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        return int(head.split()[1]), reader, writer

    async def channel(self, *, pongs: bool = True, source: str | None = None, **headers: str) -> Channel:
        """An open channel; closed with the client."""
        status, reader, writer = await self.handshake(source, **headers)
        assert status == 101
        self._channels.append(Channel(reader, writer, pongs=pongs))
        return self._channels[-1]

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()
        self._http.close()


async def end_all_runs(data_dir: Path) -> None:
    """Kills whatever jobs are left in a data folder that no server uses any more."""
    launcher = ProcessLauncher(data_dir / "runs", grace_s=0)
    for handle in (await launcher.adopt()).values():
        await launcher.stop(handle, 0)
        await launcher.wait(handle)
        await launcher.release(handle)
    await launcher.close()


def quick(settings: dict[str, Any] | None, data_dir: Path) -> dict[str, Any]:
    """Settings for tests: any free port, a short grace, and what the test says."""
    merged: dict[str, Any] = {
        "data_dir": str(data_dir),
        "server": {"port": 0},
        "jobs": {"grace_s": 0.5, "launcher": "process"},
    }
    for section, values in (settings or {}).items():
        merged[section] = merged.get(section, {}) | values if isinstance(values, dict) else values
    return merged


@pytest.fixture(scope="session")
def toy() -> Registry:
    """The toy driver, as discovery would give it."""
    spec = importlib.util.spec_from_file_location("k12toy", HERE / "toy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["k12toy"] = module
    spec.loader.exec_module(module)
    driver = module.Toy()
    return Registry({"toy": Service(driver, "toy", "k12toy", "0.1", examine(driver))})


@pytest.fixture
async def serve(tmp_path: Path, toy: Registry) -> AsyncIterator[Callable[..., Any]]:
    """`await serve(settings, registry=, name=)`: a server in this process; a Client of it."""
    servers: list[Server] = []
    clients: list[Client] = []
    folders: set[Path] = set()

    async def make(settings: dict[str, Any] | None = None, registry: Registry = toy, name: str = "data") -> Client:
        folders.add(tmp_path / name)
        server = Server(load_settings(None, quick(settings, tmp_path / name)), registry=registry)
        await server.start()
        servers.append(server)
        clients.append(Client(server.address))
        clients[-1].server = server  # type: ignore[attr-defined]  # for tests that close it themselves
        return clients[-1]

    yield make
    for client in clients:
        await client.close()
    for server in servers:
        if not getattr(server, "closed_by_test", False):
            await server.close()
    for folder in folders:
        await end_all_runs(folder)


@pytest.fixture
async def client(serve: Callable[..., Any]) -> Client:
    """A client of a fresh server in this process, with the toy driver."""
    return await serve()


class House:
    """A server in a process of its own, that can be killed and started again on the same data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data_dir = folder, folder / "data"
        self.site = folder / "site"
        self.process: asyncio.subprocess.Process | None = None
        self.client: Client
        self.clients: list[Client] = []
        self.settings: dict[str, Any] = {}
        self.python = Path(sys.executable)

    def install_toy(self) -> None:
        """The toy driver as an installed distribution, found by its entry point."""
        info = self.site / "k12toy-0.1.dist-info"
        info.mkdir(parents=True)
        shutil.copy(HERE / "toy.py", self.site / "k12toy.py")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: k12toy\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text("[k12ai_ws]\ntoy = k12toy\n")

    async def spawn(self) -> asyncio.subprocess.Process:
        path = os.pathsep.join([str(self.site), *filter(None, [os.environ.get("PYTHONPATH")])])
        with (self.folder / "server.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                str(self.python), str(HERE / "serve.py"), json.dumps(quick(self.settings, self.data_dir)),
                stdout=asyncio.subprocess.PIPE, stderr=log, env=os.environ | {"PYTHONPATH": path},
            )  # fmt: skip

    async def start(self, python: Path | None = None, **settings: Any) -> Client:
        """Starts it, with the settings (and the interpreter) of the last time where none are given."""
        self.python = python or self.python
        self.settings = settings or self.settings
        self.process = await self.spawn()
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)
        assert line.startswith(b"http"), self.log()
        self.client = Client(line.decode().strip())
        self.clients.append(self.client)
        return self.client

    async def end(self, number: int = signal.SIGTERM, *, connected: bool = False) -> int:
        """Sends the signal and waits for the end; the exit status. `connected`: the client's connections stay open."""
        assert self.process is not None
        if not connected:
            await self.client.close()
        if self.process.returncode is None:
            self.process.send_signal(number)
        await asyncio.wait_for(self.process.communicate(), PATIENCE_S)
        assert self.process.returncode is not None
        return self.process.returncode

    async def until_there(self, *paths: Path) -> None:
        """Polls until these files exist."""
        deadline = time.monotonic() + PATIENCE_S
        while missing := [path for path in paths if not path.exists()]:
            assert time.monotonic() < deadline, missing
            await asyncio.sleep(0.02)

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def memory(self) -> int:
        """The most memory the server ever held, in bytes."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Not started yet."""
    house = House(tmp_path)
    house.install_toy()
    yield house
    if house.process is not None and house.process.returncode is None:
        await house.end(signal.SIGKILL)
    for client in house.clients:
        await client.close()
    if house.data_dir.exists():
        await end_all_runs(house.data_dir)
    assert "Traceback" not in house.log(), house.log()
