"""A scripted server: it says on each connection what the test wrote down for it, and remembers what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from k12ai_ws.wire.bodies import Body, Fault, Info, Status
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.envelope import envelope
from k12ai_ws.wire.status import JobStatus

JOB = "job1"


def say(body: Body, *, tag: str = "framework", op: str = "train.start", **extra: Any) -> str:
    return json.dumps(envelope(body, tag=tag, op=op, at_ms=1, user="ann", service_uuid="p1", extra=extra))


def event(seq: int, body: Body | None = None) -> str:
    return say(body or Status(JobStatus.RUNNING, Code.RUNNING), job_id=JOB, seq=seq)


def ack(epoch: str = "e1", head: int = 0) -> str:
    body = Info({"epoch": epoch, "head": head, "recovered": True}, code=Code.SUCCESS)
    return say(body, tag="channel", op="subscribe", id="follow")


def pruned(epoch: str, earliest: int, head: int) -> str:
    detail = {"epoch": epoch, "earliest": earliest, "head": head, "recovered": False}
    return say(Fault(Code.EVENTS_PRUNED, "gone", detail=detail), tag="channel", op="subscribe", id="follow")


def bookmark(epoch: str, head: int) -> str:
    return say(Info({"epoch": epoch, "head": head}), tag="channel", op="bookmark", id="follow")


FINISHED = Status(JobStatus.FINISHED, Code.FINISHED)


@dataclass
class Script:
    """`sessions`: what each connection hears after its first frame; an int closes it with that code, None cuts it."""

    sessions: list[list[str | int | None]] = field(default_factory=list)
    answers: dict[str, tuple[int, Mapping[str, Any] | bytes]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, bytes, dict[str, str]]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""

    def answer(self, path: str, body: Body, status: int = 200, **extra: Any) -> None:
        self.answers[path] = (status, json.loads(say(body, **extra)))


class Channel(WebSocketHandler):
    def initialize(self, script: Script) -> None:
        self.script = script

    async def on_message(self, message: str | bytes) -> None:
        self.script.asked.append(json.loads(message))
        for said in self.script.sessions.pop(0):
            if said is None:
                assert self.ws_connection is not None
                self.ws_connection.stream.close()  # type: ignore[attr-defined]
                return
            if isinstance(said, int):
                self.close(said, "as the script says")
                return
            await self.write_message(said)

    def on_close(self) -> None:
        self.script.closed.set()


class Rest(RequestHandler):
    def initialize(self, script: Script) -> None:
        self.script = script

    def answer(self) -> None:
        request = self.request
        headers = dict(request.headers.get_all())
        self.script.requests.append((request.method or "", request.uri or "", request.body, headers))
        status, body = self.script.answers[request.path]
        self.set_status(status)
        self.write(body if isinstance(body, bytes) else json.dumps(body))

    get = post = answer  # type: ignore[assignment]


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    script = Script()
    server = HTTPServer(Application([("/k12ai/ws", Channel, {"script": script}), (".*", Rest, {"script": script})]))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    script.address = f"http://127.0.0.1:{port}"
    yield script
    server.stop()
    await server.close_all_connections()
