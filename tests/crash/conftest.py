"""A server that is killed and started again, and the subscribers who remember all that they saw."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPError

from k12ai_ws.launchers.process.launcher import ProcessLauncher

HERE = Path(__file__).parent
PATIENCE_S = 90.0
ALL = ["status", "metrics", "progress", "log", "error", "info"]


class Seen:
    """What anyone ever saw: a seq has one payload, for ever."""

    def __init__(self) -> None:
        self.payloads: dict[int, bytes] = {}
        self.over_rest: dict[int, Any] = {}
        self.compared = 0
        self.epochs: set[str] = set()

    def add(self, seq: int, payload: bytes) -> None:
        known = self.payloads.setdefault(seq, payload)
        if known is not payload:
            assert known == payload, f"seq {seq} was given again with other bytes: {known!r}, then {payload!r}"
            self.compared += 1

    def add_page(self, events: list[dict[str, Any]]) -> None:
        """Of a page over REST; the answer is one JSON text, so what is compared is what it says."""
        for event in events:
            known = self.over_rest.setdefault(event["seq"], event)
            assert known == event, f"seq {event['seq']} was given again with another content: {known}, then {event}"


class Channel:
    """A bare WebSocket: messages as the bytes that were sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, address: str) -> "Channel":
        host, port = urlsplit(address).hostname, urlsplit(address).port
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 24)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /k12ai/ws HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
        ]  # fmt: skip
        channel = cls(reader, writer)
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 101 " in head.split(b"\r\n")[0], head
        except BaseException:
            await channel.close()
            raise
        return channel

    def send(self, message: dict[str, Any]) -> None:
        payload = json.dumps(message).encode()
        size = len(payload)
        assert size < 1 << 16
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self._writer.write(b"\x81" + length + b"\0\0\0\0" + payload)

    async def next(self) -> bytes:
        """Raises ConnectionError, IncompleteReadError at the end."""
        while True:
            head = await self._reader.readexactly(2)
            size = head[1]
            if size >= 126:
                size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
            payload = await self._reader.readexactly(size)
            if head[0] == 0x81:
                return payload
            assert head[0] in (0x88, 0x89), head
            if head[0] == 0x88:
                raise ConnectionResetError(f"closed: {payload!r}")

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def seq_of(payload: bytes) -> int | None:
    """The seq, which is an event's last field; None for what is no event."""
    _, found, after = payload.rpartition(b',"seq":')
    return int(after[:-1]) if found and after[:-1].isdigit() else None


class Subscriber:
    """Follows the log over the lives of the server, from where it was. `wanted` is its filter."""

    def __init__(self, seen: Seen, name: str, *, whole: bool = False, back: Callable[[int], int] = int, **wanted: Any):
        """`whole`: the filter lets everything through, so no seq may be missing. `back` says from where it resumes."""
        self.seen, self.name, self.whole, self.back = seen, name, whole, back
        self.wanted: dict[str, Any] = {"type": ALL} | wanted
        self.last = 0
        self.epoch: str | None = None
        self.lives = 0
        self.moved = asyncio.Event()

    async def follow(self, address: str) -> None:
        """Until the connection ends."""
        known = max(self.seen.payloads, default=0)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            channel = await Channel.open(address)
            try:
                await self._follow(channel, known)
            finally:
                await channel.close()

    async def _follow(self, channel: Channel, known: int) -> None:
        at = self.back(self.last)
        request = {"tag": "channel", "op": "subscribe", "id": "s", "filter": self.wanted, "after": at or "start"}
        channel.send(request | ({"epoch": self.epoch} if self.epoch and at else {}))
        answer = json.loads(await channel.next())
        assert answer["type"] == "info", f"{self.name} at {at}: {answer}"
        body = answer["info"]
        assert body["head"] >= known, "the log is shorter than what was seen of it"
        assert body["recovered"] or not at
        self.epoch = body["epoch"]
        self.seen.epochs.add(body["epoch"])
        self.lives += 1
        while True:
            payload = await channel.next()
            seq = seq_of(payload)
            if seq is None:
                continue
            assert seq == at + 1 if self.whole else seq > at, f"{self.name}: seq {seq} after {at}"
            self.seen.add(seq, payload)
            at = seq
            self.last = max(self.last, seq)
            self.moved.set()

    async def reach(self, address: str, seq: int) -> None:
        """Follows until it has seen so much."""
        task = asyncio.get_running_loop().create_task(self.follow(address))
        async with asyncio.timeout(PATIENCE_S * 2):
            while self.last < seq and not task.done():
                self.moved.clear()
                await asyncio.wait([task, asyncio.ensure_future(self.moved.wait())], return_when="FIRST_COMPLETED")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class House:
    """A data folder, and the server that lives there now."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data_dir = folder, folder / "data"
        self.site = folder / "site"
        self.settings: dict[str, Any] = {
            "data_dir": str(self.data_dir),
            "server": {"port": 0},
            "jobs": {"grace_s": 0.5, "launcher": "process", "max_running": 8, "max_running_per_user": 8},
        }
        self.http = AsyncHTTPClient(force_instance=True)
        self.lives = 0
        self.load = 0
        self.environment: dict[str, str] = {}
        self.before: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self.pid = 0
        self.address = ""

    def install_toy(self) -> None:
        """The toy driver of the integration tests, found by its entry point."""
        info = self.site / "k12toy-0.1.dist-info"
        info.mkdir(parents=True)
        shutil.copy(HERE.parent / "integration" / "toy.py", self.site / "k12toy.py")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: k12toy\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text("[k12ai_ws]\ntoy = k12toy\n")

    async def ask(self, *, seed: int = 0) -> None:
        """Begins the next life; does not wait for it."""
        if self._process is None:
            path = os.pathsep.join([str(self.site), *filter(None, [os.environ.get("PYTHONPATH")])])
            with (self.folder / "server.log").open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self.before, sys.executable, str(HERE / "lives.py"), stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE, stderr=log,
                    env=os.environ | {"PYTHONPATH": path} | self.environment,
                )  # fmt: skip
        assert self._process.stdin is not None
        self.lives += 1
        line = {"settings": self.settings, "life": self.lives, "seed": seed, "load": self.load}
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        while not (said := await self._line()).startswith("forked "):
            assert self.lives > 1, said  # the life before was killed before it could be heard
        self.pid = int(said.split()[1])

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = (await self._process.stdout.readline()).decode()
        assert line, self.log()
        return line.strip()

    async def ready(self) -> str:
        """Its address, or why it cannot start."""
        said = await self._line()
        self.address = said.removeprefix("ready ")
        return self.address

    async def start(self, **how: Any) -> str:
        await self.ask(**how)
        return await self.ready()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    async def gone(self) -> None:
        """Waits until the life that was killed or told to end has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while Path(f"/proc/{self.pid}").exists():
            assert time.monotonic() < deadline, "it does not end"
            await asyncio.sleep(0.005)

    def whole_log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def log(self) -> str:
        return self.whole_log()[-4000:]

    def root(self) -> Path:
        """The file tree as the server sees it."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/root")

    async def call(self, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        try:
            answer = await self.http.fetch(
                self.address + path, method="GET" if body is None else "POST", raise_error=False,
                body=None if body is None else json.dumps(body), request_timeout=PATIENCE_S,
            )  # fmt: skip
        except HTTPError as e:  # 599: no answer
            raise ConnectionError(str(e)) from e
        return answer.code, json.loads(answer.body)

    async def train(self, script: str, uuid: str) -> str:
        code, message = await self.call(
            "/k12ai/framework/train",
            {"op": "train.start", "user": "u", "service_name": "toy", "service_uuid": uuid,
             "service_params": {"script": script}},
        )  # fmt: skip
        assert code == 202, message
        return str(message["job_id"])

    async def until(self, job_id: str, value: str) -> None:
        """Waits for the job's state."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                code, message = await self.call(f"/k12ai/framework/jobs/{job_id}")
                assert code == 200, message
                if message["info"]["job"]["status"]["value"] == value:
                    return
                await asyncio.sleep(0.02)

    async def page(self, job_id: str, after: int, limit: int = 1000) -> tuple[list[dict[str, Any]], int | None]:
        """Some of a job's events over REST, strictly after a seq, and after which to go on (None: that was all)."""
        code, message = await self.call(
            f"/k12ai/framework/jobs/{job_id}/events?type={','.join(ALL)}&after={after}&limit={limit}"
        )
        assert code == 200, message
        return message["info"]["events"], message["info"]["next"]

    async def pages(self, job_id: str) -> list[dict[str, Any]]:
        """All of a job's events."""
        events: list[dict[str, Any]] = []
        at: int | None = 0
        while at is not None:
            found, at = await self.page(job_id, at)
            events += found
        return events

    async def close(self) -> None:
        self.http.close()
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            if self.pid and Path(f"/proc/{self.pid}").exists():
                self.kill()
            try:
                await asyncio.wait_for(self._process.wait(), PATIENCE_S)
            except TimeoutError:
                self._process.kill()
                raise


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Servers on one data folder; ended with the test, and their jobs too."""
    house = House(tmp_path)
    house.install_toy()
    yield house
    await house.close()
    if (house.data_dir / "runs").is_dir():
        launcher = ProcessLauncher(house.data_dir / "runs", grace_s=0)
        for handle in (await launcher.adopt()).values():
            await launcher.stop(handle, 0)
            await launcher.wait(handle)
            await launcher.release(handle)
        await launcher.close()


@pytest.fixture
def seen() -> Seen:
    return Seen()
