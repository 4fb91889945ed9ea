"""Readiness with a real engine: there, away, and back."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from k12ai_ws.api import readiness
from k12ai_ws.jobs import admission
from k12ai_ws.launchers.docker.engine import Engine


class Door:
    """The engine's socket under another name, which a test opens and shuts."""

    def __init__(self, path: Path, engine: str) -> None:
        self.path, self.engine = path, engine
        self.server: asyncio.Server | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self.server = await asyncio.start_unix_server(self._pass, self.path)

    async def shut(self) -> None:
        if self.server is not None:
            self.server.close()
            self.path.unlink()
        self.server = None
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)

    async def _pass(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        far_in, far_out = await asyncio.open_unix_connection(self.engine)
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await asyncio.gather(self._pump(near_in, far_out), self._pump(far_in, near_out))
        for writer in (near_out, far_out):
            writer.transport.abort()

    @staticmethod
    async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()


@pytest.fixture
async def door(tmp_path):
    scheme, _, place = Engine().address.partition("://")
    if not scheme.endswith("unix"):
        pytest.skip("the engine is not on a socket of this machine")
    door = Door(tmp_path / "door.sock", "/" + place.lstrip("/"))
    yield door
    await door.shut()


async def test_the_engine_is_asked_live(door, serve, boxed, run, monkeypatch):
    monkeypatch.setattr(readiness, "KEEP_S", 0.0)
    monkeypatch.setattr(admission, "ASK_AGAIN_S", 0.0)
    client = await serve(boxed({"cpus": None}, host=f"unix://{door.path}"), name="other")
    assert (await client.get("/ready")).status == 503
    job_id = await client.start("print('epoch=1 loss=0.5')", image=run.image)
    assert f"{door.path} does not answer" in (await client.job(job_id))["queue"]["reason"]
    await door.open()
    reply = await client.get("/ready")
    assert (reply.status, reply.body["ready"]) == (200, True)
    check = reply.body["checks"]["launcher"]
    assert (check["ok"], check["name"]) == (True, "docker")
    assert check["message"].startswith("docker, a container per job (the setting says so); images that may run: ")
    other = await client.start("print('epoch=1 loss=0.5')", "other", image=run.image)  # which looks again at once
    for each in (job_id, other):
        assert (await client.until(each))["status"]["value"] == "finished"
    await door.shut()
    assert (await client.get("/ready")).body["code"] == 100203
