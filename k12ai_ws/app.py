"""The composition root: settings become objects and routes. The only module that knows every stage."""

import asyncio
import fcntl
import logging
import os
import random
import time
import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from socket import socket

from tornado.netutil import bind_sockets

from k12ai_ws.api.connections import Connections
from k12ai_ws.api.context import Context
from k12ai_ws.api.descriptors import room_for
from k12ai_ws.api.door import Door
from k12ai_ws.api.places import Bounds
from k12ai_ws.api.readiness import LauncherProbe, Readiness
from k12ai_ws.api.routes import make_application
from k12ai_ws.api.sse_streams import Streams
from k12ai_ws.api.statistics import Statistics
from k12ai_ws.drivers.registry import Registry, discover
from k12ai_ws.events.hub import Hub
from k12ai_ws.jobs.admission import Budget
from k12ai_ws.jobs.gpus import GpuPool, monitored
from k12ai_ws.jobs.manager import JobManager
from k12ai_ws.jobs.queue import Queue
from k12ai_ws.jobs.runner import Runner
from k12ai_ws.jobs.threads import DaemonThreads
from k12ai_ws.jobs.workspace import Folders
from k12ai_ws.launchers.launcher import Launcher
from k12ai_ws.launching import choose_launcher
from k12ai_ws.logs.rules import for_nobody, read_configured
from k12ai_ws.monitor.monitor import Monitor
from k12ai_ws.monitor.nvml import NvmlReader
from k12ai_ws.settings import Settings
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import StoreError

GOODBYE_S = 2.0

log = logging.getLogger(__name__)


class StartError(Exception):
    """The server cannot start; the text says why, and what to do."""


class Server:
    """The whole server. `start`, then `address`, then `close`; its jobs outlive it.

    `launcher` is the name of the launcher that it took. A `registry` or a `given` launcher stand for what it would
    find on its machine: a driver's tests give it a `FakeLauncher`, whose jobs they play.
    """

    launcher: str

    def __init__(self, settings: Settings, *, registry: Registry | None = None, given: Launcher | None = None) -> None:
        self.settings = settings
        self._registry = registry
        self._given = given

    async def start(self) -> None:
        """Takes the data folder, finds the jobs of the server before, and listens.

        Raises StartError or SettingsError; then nothing is left behind.
        """
        async with AsyncExitStack() as undo:
            await self._start(undo)
            self._undo = undo.pop_all()

    async def _start(self, undo: AsyncExitStack) -> None:
        """Makes one thing after the other; `undo` learns how each ends, and ends them in the opposite order."""
        settings = self.settings
        undo.callback(os.close, take_data_dir(settings.data_dir))
        for folder in (settings.datasets_dir, settings.pretrained_dir):
            if folder.is_relative_to(settings.data_dir):  # our own to make; an operator's roots are his
                folder.mkdir(exist_ok=True)
        self._sockets = self._bind()
        for bound in self._sockets:
            undo.callback(bound.close)
        loop = asyncio.get_running_loop()
        registry = self._registry if self._registry is not None else await loop.run_in_executor(None, discover)
        log_rules = read_configured(settings.logs.rules or ())
        for odd in for_nobody(log_rules, {name: list(s.driver.tasks) for name, s in registry.services.items()}):
            log.warning("the configuration: %s", odd)
        store = await self._open_store()
        undo.push_async_callback(store.close)
        given = self._given
        launcher, note = (given, "it was given") if given is not None else await choose_launcher(settings)
        undo.push_async_callback(launcher.close)
        self.launcher = launcher.name
        log.info("launcher: %s", note)
        monitor = Monitor(
            disks=[settings.data_dir, settings.datasets_dir, settings.pretrained_dir],
            gpus=NvmlReader(),
            interval_s=settings.stats.interval_s,
        )
        await monitor.start()
        undo.push_async_callback(monitor.close)
        jobs = JobManager(
            store=store,
            runner=Runner(launcher, grace_s=settings.jobs.grace_s, clock_ms=clock_ms),
            registry=registry,
            folders=Folders(settings.data_dir / "workspaces", settings.datasets_dir, settings.pretrained_dir),
            queue=Queue(
                max_running=settings.jobs.max_running,
                max_running_per_user=settings.jobs.max_running_per_user,
                max_queued=settings.jobs.max_queued,
                max_queued_per_user=settings.jobs.max_queued_per_user,
            ),
            driver_threads=DaemonThreads("k12ai-driver"),
            clock_ms=clock_ms,
            new_id=lambda: uuid.uuid4().hex,
            default_time_limit_s=settings.jobs.time_limit_s,
            gpus=GpuPool(monitored(monitor)),
            budget=Budget(settings.jobs.cpus, settings.jobs.memory),
            log_rules=log_rules,
        )
        bounds = Bounds.of(settings, room_for(settings.limits.max_connections))
        connections = Connections(bounds.channels, time.monotonic)
        streams = Streams(bounds.streams, settings.sse, random.SystemRandom().random)
        probe = LauncherProbe(launcher, note)
        undo.push_async_callback(probe.close)
        context = Context(
            settings=settings,
            store=store,
            hub=Hub(store, now=time.monotonic),
            jobs=jobs,
            statistics=Statistics(monitor, jobs, launcher),
            readiness=Readiness(store, settings.data_dir, probe),
            bounds=bounds,
            clock_ms=clock_ms,
        )
        door = Door(make_application(context, connections, streams), settings, bounds, context.refusal)
        undo.push_async_callback(door.close_all_connections)
        undo.push_async_callback(jobs.close)  # they go on, but nobody follows them
        await jobs.recover()
        connections.start()
        undo.push_async_callback(connections.close, GOODBYE_S)
        streams.start()
        undo.push_async_callback(streams.close, GOODBYE_S)
        door.add_sockets(self._sockets)
        undo.callback(door.stop)

    @property
    def address(self) -> str:
        """`http://HOST:PORT`."""
        host, port = self._sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def close(self) -> None:
        """Stops accepting, says goodbye (1001), stores what is under way. The jobs go on."""
        await self._undo.aclose()

    async def _open_store(self) -> SqliteStore:
        try:
            return await SqliteStore.open(
                self.settings.data_dir / "k12ai.sqlite3",
                new_epoch=lambda: uuid.uuid4().hex,
                synchronous=self.settings.store.synchronous,
            )
        except StoreError as e:
            raise StartError(str(e)) from e

    def _bind(self) -> list[socket]:
        server = self.settings.server
        try:
            return list(bind_sockets(server.port, address=server.host))
        except OSError as e:
            raise StartError(
                f"cannot listen on {server.host}:{server.port}: {e.strerror or e}; "
                "choose another --port (0 takes any free one)"
            ) from e


def clock_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def take_data_dir(path: Path) -> int:
    """Makes the data folder, private to this user, and locks it: one server per folder. Raises StartError."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise StartError(f"the data folder {path} cannot be used: {e.strerror}; choose another --data-dir") from e
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise StartError(f"another server uses the data folder {path}: stop it, or choose another --data-dir") from None
    return lock
