"""The composition root: settings become objects and routes. The only module that knows every stage."""

import asyncio
import fcntl
import logging
import os
import random
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from socket import socket

from tornado.netutil import bind_sockets

from k12ai_ws.api.connections import Connections
from k12ai_ws.api.context import Context
from k12ai_ws.api.descriptors import room_for
from k12ai_ws.api.door import Door
from k12ai_ws.api.metrics import Look
from k12ai_ws.api.places import Bounds
from k12ai_ws.api.readiness import LauncherProbe, Readiness
from k12ai_ws.api.routes import make_application
from k12ai_ws.api.sse_streams import Streams
from k12ai_ws.api.statistics import Statistics
from k12ai_ws.api.underway import Underway
from k12ai_ws.drivers.registry import Registry, discover
from k12ai_ws.events.hub import Hub
from k12ai_ws.jobs.admission import Budget
from k12ai_ws.jobs.gpus import GpuPool, monitored
from k12ai_ws.jobs.manager import JobManager
from k12ai_ws.jobs.queue import Queue
from k12ai_ws.jobs.runner import Runner
from k12ai_ws.jobs.threads import DaemonThreads
from k12ai_ws.jobs.workspace import Folders
from k12ai_ws.launching import choose_launcher
from k12ai_ws.logs.rules import for_nobody, read_configured
from k12ai_ws.monitor.monitor import Monitor
from k12ai_ws.monitor.nvml import NvmlReader
from k12ai_ws.retaining import DATABASE, make_keeper
from k12ai_ws.retention.bell import Bell
from k12ai_ws.retention.keeper import Keeper
from k12ai_ws.settings import Settings, ShutdownSettings
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Store, StoreError
from k12ai_ws.telemetry.commits import Commits
from k12ai_ws.telemetry.launcher import CountedLauncher
from k12ai_ws.telemetry.metrics import Metrics

GOODBYE_S = 2.0

log = logging.getLogger(__name__)


class StartError(Exception):
    """The server cannot start; the text says why, and what to do."""


class Server:
    """The whole server. `start`, then `address`, then `close`; its jobs outlive it.

    `launcher` is the name of the launcher that it took, `keeper` what prunes its store.
    """

    launcher: str
    keeper: Keeper

    def __init__(
        self, settings: Settings, *, registry: Registry | None = None, log_dropped: Callable[[], int] = lambda: 0
    ) -> None:
        """`registry`: the drivers, where they are not to be discovered; `log_dropped`: see `ServerLog.dropped`."""
        self.settings = settings
        self._registry = registry
        self._log_dropped = log_dropped

    async def start(self) -> None:
        """Takes the data folder, finds the jobs of the server before, and listens.

        Raises StartError or SettingsError; then nothing is left behind.
        """
        async with AsyncExitStack() as undo:
            try:
                await self._start(undo)
            except StoreError as e:
                raise StartError(str(e)) from e
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
        metrics = Metrics()
        store = await self._open_store()
        undo.push_async_callback(store.close)
        chosen, note = await choose_launcher(settings)
        launcher = CountedLauncher(chosen, metrics.counted)
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
            runner=Runner(launcher, grace_s=settings.jobs.grace_s, clock_ms=clock_ms, parsed=metrics.counted.parsed),
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
            new_id=new_id,
            default_time_limit_s=settings.jobs.time_limit_s,
            gpus=GpuPool(monitored(monitor)),
            budget=Budget(settings.jobs.cpus, settings.jobs.memory),
            log_rules=log_rules,
        )
        keeper = self.keeper = make_keeper(settings, store, clock_ms)
        bell = Bell(settings.data_dir, keeper.ask)
        bounds = Bounds.of(settings, room_for(settings.limits.max_connections))
        connections = Connections(bounds.channels, time.monotonic)
        streams = Streams(bounds.streams, settings.sse, random.SystemRandom().random)
        probe = LauncherProbe(launcher, note)
        undo.push_async_callback(probe.close)
        underway = Underway()
        readiness = Readiness(store, settings.data_dir, probe, lambda: underway.leaving)
        undo.push_async_callback(readiness.close)
        hub = Hub(store, now=time.monotonic)
        context = Context(
            settings=settings,
            store=store,
            hub=hub,
            jobs=jobs,
            statistics=Statistics(monitor, jobs, launcher),
            readiness=readiness,
            bounds=bounds,
            clock_ms=clock_ms,
            new_id=new_id,
            metrics=metrics,
            look=Look(
                version=version("k12ai_ws"),
                readiness=readiness,
                jobs=jobs,
                store=store,
                hub=hub,
                connections=connections,
                streams=streams,
                monitor=monitor,
                log_dropped=self._log_dropped,
                data_dir=settings.data_dir,
                store_path=settings.data_dir / DATABASE,
            ),
            underway=underway,
        )
        door = Door(make_application(context, connections, streams), settings, bounds, context.refusal)
        undo.push_async_callback(door.close_all_connections)
        undo.push_async_callback(say_goodbye, connections, streams)
        undo.push_async_callback(flush, store, hub, settings.shutdown.flush_s)
        undo.push_async_callback(jobs.close)  # they go on, but nobody follows them
        await measure(store, metrics)
        await jobs.recover()
        keeper.start()
        undo.push_async_callback(keeper.close)
        bell.open()
        undo.callback(bell.close)
        connections.start()
        streams.start()
        door.add_sockets(self._sockets)
        undo.push_async_callback(leave, door, self._sockets, underway, settings.shutdown)

    @property
    def address(self) -> str:
        """`http://HOST:PORT`."""
        host, port = self._sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def close(self) -> None:
        """Stops accepting, answers what is under way, gives subscribers what is committed, says goodbye (1001), stores
        the rest. The jobs go on.
        """
        await self._undo.aclose()

    async def _open_store(self) -> SqliteStore:
        try:
            return await SqliteStore.open(
                self.settings.data_dir / DATABASE,
                new_epoch=new_id,
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


async def leave(door: Door, sockets: Iterable[socket], underway: Underway, settings: ShutdownSettings) -> None:
    """Says no at `/ready`, then accepts no more connections, and waits for the requests under way."""
    underway.leaving = True
    await asyncio.sleep(settings.notice_s)
    door.stop()
    for listening in sockets:  # else the kernel would go on taking connections that nobody answers
        listening.close()
    await underway.ended(settings.requests_s)


async def flush(store: Store, hub: Hub, timeout_s: float) -> None:
    """Waits until subscribers have what is committed, for `timeout_s` seconds at most: who does not take it resumes."""
    try:
        async with asyncio.timeout(timeout_s):
            await store.probe()  # the changes of jobs that nobody follows any more are stored, and published
            await hub.flushed()
    except TimeoutError:
        log.info("some subscribers have not taken everything; they resume from where they are")
    except StoreError as e:
        log.error("what the jobs said last is not stored now, and is read again by the next server: %s", e)


async def say_goodbye(connections: Connections, streams: Streams) -> None:
    """Closes the WebSockets with 1001, and ends the event streams."""
    await asyncio.gather(connections.close(GOODBYE_S), streams.close(GOODBYE_S))


async def measure(store: SqliteStore, metrics: Metrics) -> None:
    """The store's commits are counted and timed from here on."""
    store.time_commits(metrics.counted.commit)
    store.on_commit(Commits(metrics.counted, await store.active_jobs()).committed)


def new_id() -> str:
    """A random id: 32 hexadecimal digits."""
    return uuid.uuid4().hex


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
