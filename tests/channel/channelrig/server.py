"""A real server in the loop of the test: real port, real SQLite file. Its jobs are played, its store can be seen."""

import logging
from collections.abc import Sequence
from pathlib import Path
from socket import SO_SNDBUF, SOL_SOCKET, socket
from typing import Any, ClassVar

from k12ai_ws.app import Server, open_store
from k12ai_ws.drivers import Driver, Job, LaunchSpec, Params
from k12ai_ws.drivers.registry import Registry, Service, examine
from k12ai_ws.settings import Settings, load_settings
from k12ai_ws.settings.server import ServerSettings
from k12ai_ws.starting import bind
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, CommitListener, NewEvent, StoredEvent
from k12ai_ws.testing.fake_launcher import FakeLauncher
from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.envelope import encode, rfc3339
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus

AT_MS = 1_700_000_000_000
BODIES: dict[str, dict[str, Json]] = {
    "status": {"value": "running", "code": 100002, "descr": "running"},
    "metrics": {"epoch": 1, "loss": 0.5},
    "progress": {"value": 0.5, "current": 1, "total": 2},
    "log": {"stream": "stdout", "lines": ["\x00 \u2028 Grüße 你好 \U0001f600"]},
    "error": {"code": 100919, "descr": "value", "severity": "error", "detail": {}},
    "info": {"code": 100000, "descr": "success"},
}


class Played(Driver):
    """A driver whose jobs do what the test says."""

    service_name = "toy"
    description = "jobs that a test plays"
    tasks: ClassVar = {"train": Params}

    def launch(self, job: Job) -> LaunchSpec:
        return LaunchSpec(command=["played"])


def played() -> Registry:
    """The played driver, as discovery would give it."""
    driver = Played()
    return Registry({"toy": Service(driver, "toy", "k12played", "0.1", examine(driver))})


class Watched(Server):
    """A server that shows its store. `listener` hears of every commit before anyone else does.

    `send_buffer`: bytes that the kernel takes for each connection. By default that is megabytes, and nobody is slow.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        launcher: FakeLauncher,
        listener: CommitListener,
        channel: dict[str, Any] | None = None,
        send_buffer: int | None = None,
    ) -> None:
        wanted = {
            "data_dir": str(data_dir),
            "server": {"port": 0},
            "jobs": {"max_running": 8, "max_running_per_user": 8},
            "channel": channel or {},
        }

        def bound(server: ServerSettings) -> list[socket]:
            sockets = bind(server)
            for one in sockets if send_buffer is not None else ():
                one.setsockopt(SOL_SOCKET, SO_SNDBUF, send_buffer)  # what it accepts inherits it
            return sockets

        async def heard(settings: Settings) -> SqliteStore:
            store = await open_store(settings)
            store.on_commit(listener)
            return store

        super().__init__(load_settings(None, wanted), registry=played(), given=launcher, bind=bound, open_store=heard)

    async def append(self, record: JobRecord, events: Sequence[tuple[str, int]]) -> Sequence[StoredEvent]:
        """Stores events of these types in one change, each padded by so many bytes."""
        return await self.store.append(Change(record, [an_event(record, kind, pad) for kind, pad in events]))


def a_job(job_id: str, user: str, service_uuid: str, service_name: str) -> JobRecord:
    """A job that no server would take up: it has ended."""
    return JobRecord(
        job_id, user, service_uuid, service_name, "train", {}, AT_MS, status=JobStatus.FINISHED, ended_ms=AT_MS
    )


def an_event(record: JobRecord, kind: str, pad: int = 0) -> NewEvent:
    """An event of the job; `pad` bytes are added to its body, all of them one byte in JSON."""
    message = {
        "version": "0.1.0",
        "type": kind,
        "tag": "framework",
        "op": record.op,
        "user": record.user,
        "service_uuid": record.service_uuid,
        "timestamp": AT_MS,
        "datetime": rfc3339(AT_MS),
        kind: BODIES[kind] | {"pad": "x" * pad},
        "service_name": record.service_name,
        "job_id": record.job_id,
    }
    return NewEvent(kind, encode(message))


class Complaints(logging.Handler):
    """What the server's log must never hold: errors, and tracebacks of any level."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or record.exc_info:
            self.found.append(logging.Formatter("%(levelname)s %(name)s: %(message)s").format(record))

    def __enter__(self) -> "Complaints":
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)

    def none(self) -> None:
        """Fails where there was one."""
        assert not self.found, "\n".join(self.found)
