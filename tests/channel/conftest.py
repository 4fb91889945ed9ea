"""A server under attack, and someone beside the attacker who must not notice it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from channelrig.connection import PATIENCE_S, Connection
from channelrig.reference import Log
from channelrig.server import Complaints, Watched, a_job

from k12ai_ws.testing.fake_launcher import FakeLauncher

MAX_FRAME, MAX_CONNECTIONS = 70_000, 8
JOB = a_job("job", "alice", "p", "toy")


@dataclass
class Attacked:
    """A running server, its bystander, and what its log must not hold."""

    server: Watched
    bystander: Connection
    complaints: Complaints

    async def unharmed(self) -> None:
        """The bystander gets an event, once, and the server complains of nothing."""
        await self.server.append(JOB, [("metrics", 0), ("log", 300)])
        await self.bystander.settle()
        self.complaints.none()


def held() -> tuple[int, int]:
    """The open sockets and the tasks of this process: server and clients together."""
    sockets = 0
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was open only to list them
            sockets += str(fd.readlink()).startswith("socket:")
    return sockets, len(asyncio.all_tasks())


@pytest.fixture
async def attacked(tmp_path: Path) -> AsyncIterator[Attacked]:
    """At its end all places are free again, and nothing is held that was not before."""
    log, limits = Log(), {"max_frame_bytes": MAX_FRAME, "max_connections": MAX_CONNECTIONS}
    with Complaints() as complaints:
        server = Watched(tmp_path, launcher=FakeLauncher(), listener=log.committed, channel=limits)
        await server.start()
        log.epoch = server.store.epoch
        bystander = await Connection.open(server.address, log, 64)
        await bystander.subscribe("all", {"type": ["status", "metrics", "progress", "log", "error", "info"]}, "start")
        await server.append(JOB, [("metrics", 0)])
        await bystander.settle()
        await (await Connection.open(server.address, log, 64)).say_goodbye()
        before = held()
        yield Attacked(server, bystander, complaints)
        late = asyncio.get_running_loop().time() + PATIENCE_S
        while any(now > then for now, then in zip(held(), before, strict=True)):
            assert asyncio.get_running_loop().time() < late, (
                f"{held()} sockets and tasks, and {before} at the beginning"
            )
            await bystander.ping()
            await bystander.settle()
        others = [await Connection.open(server.address, log, 64) for _ in range(MAX_CONNECTIONS - 1)]
        await asyncio.gather(*(other.settle() for other in others))
        for other in [*others, bystander]:
            await other.say_goodbye()
        await server.close()
        complaints.none()
