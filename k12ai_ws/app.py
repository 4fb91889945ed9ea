"""The composition root: settings become objects and routes. The only module that knows every stage."""

import asyncio
import logging
import os
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from socket import socket

from k12ai_ws.access.gate import Gate
from k12ai_ws.admitting import make_gate, open_access
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
from k12ai_ws.ending import flush, leave, say_goodbye
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
from k12ai_ws.logs.rules import ConfiguredRule, for_nobody, read_configured
from k12ai_ws.monitor.monitor import Monitor
from k12ai_ws.monitor.nvml import NvmlReader
from k12ai_ws.retaining import make_keeper
from k12ai_ws.retention.bell import Bell
from k12ai_ws.retention.keeper import Keeper
from k12ai_ws.settings import Settings
from k12ai_ws.settings.server import ServerSettings
from k12ai_ws.starting import StartError, bind, take_data_dir
from k12ai_ws.store.place import DATABASE
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import StoreError
from k12ai_ws.telemetry.commits import Commits
from k12ai_ws.telemetry.launcher import CountedLauncher
from k12ai_ws.telemetry.metrics import Metrics
from k12ai_ws.tls import Renewal, own_tls

log = logging.getLogger(__name__)


def new_id() -> str:
    """A random id: 32 hexadecimal digits."""
    return uuid.uuid4().hex


async def open_store(settings: Settings) -> SqliteStore:
    """The data folder's store, made where there is none. Raises StoreError."""
    path = settings.data_dir / DATABASE
    return await SqliteStore.open(path, new_epoch=new_id, synchronous=settings.store.synchronous)


class Server:
    """The whole server. `start`, then `address`, then `close`; its jobs outlive it.

    `launcher` is the name of the launcher that it took, `store` its log, and `keeper` what prunes that. A `registry`
    or a `given` launcher stand for what it would find on its machine: a driver's tests give it a `FakeLauncher` and
    play its jobs.
    """

    launcher: str
    store: SqliteStore
    keeper: Keeper

    def __init__(
        self,
        settings: Settings,
        *,
        registry: Registry | None = None,
        given: Launcher | None = None,
        log_dropped: Callable[[], int] = lambda: 0,
        bind: Callable[[ServerSettings], list[socket]] = bind,
        open_store: Callable[[Settings], Awaitable[SqliteStore]] = open_store,
    ) -> None:
        """`log_dropped`: see `ServerLog.dropped`. `bind` and `open_store` raise StartError, StoreError."""
        self.settings = settings
        self._registry = registry
        self._given = given
        self._log_dropped = log_dropped
        self._bind = bind
        self._open_store = open_store

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
        make_folders(settings)
        renewal, tls = Renewal(settings.server), own_tls(settings.server)
        keys = await open_access(settings, undo, clock_ms)
        self._sockets = self._bind(settings.server)
        for bound in self._sockets:
            undo.callback(bound.close)
        gate = make_gate(settings, self._sockets, keys, undo, has_tls=tls is not None, clock_ms=clock_ms)
        registry = self._registry if self._registry is not None else await asyncio.to_thread(discover)
        log_rules = read_log_rules(settings, registry)
        metrics = Metrics()
        store = self.store = await self._open_store(settings)
        undo.push_async_callback(store.close)
        chosen, note = await self._launcher()
        launcher = CountedLauncher(chosen, metrics.counted)
        undo.push_async_callback(launcher.close)
        self.launcher = launcher.name
        log.info("launcher: %s", note)
        monitor = await start_monitor(settings, undo)
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
            redaction=gate.redaction,
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
            gate=gate,
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
        door = Door(make_application(context, connections, streams), settings, bounds, context.refusal, tls)
        undo.push_async_callback(door.close_all_connections)
        undo.push_async_callback(say_goodbye, connections, streams)
        undo.push_async_callback(flush, store, hub, settings.shutdown.flush_s)
        undo.push_async_callback(jobs.close)  # they go on, but nobody follows them
        await measure(store, metrics)
        await jobs.recover()
        keeper.start()
        undo.push_async_callback(keeper.close)
        await bell.open()
        undo.callback(bell.close)
        connections.start()
        streams.start()
        undo.push_async_callback(renewal.start(door.renew))
        door.add_sockets(self._sockets)
        undo.push_async_callback(leave, door, self._sockets, underway, settings.shutdown)
        note_life(gate, undo)

    @property
    def address(self) -> str:
        """`http://HOST:PORT`."""
        host, port = self._sockets[0].getsockname()[:2]
        scheme = "http" if self.settings.server.tls_cert is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def close(self) -> None:
        """Stops accepting, answers what is under way, gives subscribers what is committed, says goodbye (1001), stores
        the rest. The jobs go on.
        """
        await self._undo.aclose()

    async def _launcher(self) -> tuple[Launcher, str]:
        return (self._given, "it was given") if self._given is not None else await choose_launcher(self.settings)


def note_life(gate: Gate, undo: AsyncExitStack) -> None:
    """The audit log knows when a server began, how open it was, and when it ended."""
    gate.audit.record("server.start", "ok", None, needs_token=gate.needs_token, exposed=gate.exposed)
    undo.callback(gate.audit.record, "server.stop", "ok", None)


def make_folders(settings: Settings) -> None:
    """The default roots of datasets and models, our own to make; an operator's are his."""
    for folder in (settings.datasets_dir, settings.pretrained_dir):
        if folder.is_relative_to(settings.data_dir):
            folder.mkdir(exist_ok=True)


def read_log_rules(settings: Settings, registry: Registry) -> Sequence[ConfiguredRule]:
    """The operator's rules for logs; those that can be for no job are said."""
    rules = read_configured(settings.logs.rules or ())
    for odd in for_nobody(rules, {name: list(s.driver.tasks) for name, s in registry.services.items()}):
        log.warning("the configuration: %s", odd)
    return rules


async def start_monitor(settings: Settings, undo: AsyncExitStack) -> Monitor:
    """The host's statistics."""
    monitor = Monitor(
        disks=[settings.data_dir, settings.datasets_dir, settings.pretrained_dir],
        gpus=NvmlReader(),
        interval_s=settings.stats.interval_s,
    )
    await monitor.start()
    undo.push_async_callback(monitor.close)
    return monitor


async def measure(store: SqliteStore, metrics: Metrics) -> None:
    """The store's commits are counted and timed from here on."""
    store.time_commits(metrics.counted.commit)
    store.on_commit(Commits(metrics.counted, await store.active_jobs()).committed)


def clock_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


__all__ = ["Server", "StartError", "clock_ms", "new_id"]
