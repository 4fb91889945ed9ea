"""The composition root: settings become objects and routes. The only module that knows every stage."""

import asyncio
import fcntl
import logging
import os
import random
import ssl
import time
import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from socket import socket

from tornado.netutil import bind_sockets

from k12ai_ws.access.addresses import Proxies
from k12ai_ws.access.audit import FOLDER as AUDIT_FOLDER
from k12ai_ws.access.audit import Audit, AuditFiles
from k12ai_ws.access.binding import UnsafeBinding, is_exposed, require_safe
from k12ai_ws.access.file import NAME as ACCESS_FILE
from k12ai_ws.access.file import AccessError
from k12ai_ws.access.gate import Gate
from k12ai_ws.access.keyring import KeyRing
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
from k12ai_ws.launching import choose_launcher
from k12ai_ws.logs.rules import for_nobody, read_configured
from k12ai_ws.monitor.monitor import Monitor
from k12ai_ws.monitor.nvml import NvmlReader
from k12ai_ws.retaining import DATABASE, make_keeper
from k12ai_ws.retention.bell import Bell
from k12ai_ws.retention.keeper import Keeper
from k12ai_ws.settings import Settings
from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import StoreError

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

    def __init__(self, settings: Settings, *, registry: Registry | None = None) -> None:
        self.settings = settings
        self._registry = registry

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
        tls = self._tls()
        keys = await self._open_access(undo)
        self._sockets = self._bind()
        for bound in self._sockets:
            undo.callback(bound.close)
        gate = self._gate(keys, undo, has_tls=tls is not None)
        loop = asyncio.get_running_loop()
        registry = self._registry if self._registry is not None else await loop.run_in_executor(None, discover)
        log_rules = read_configured(settings.logs.rules or ())
        for odd in for_nobody(log_rules, {name: list(s.driver.tasks) for name, s in registry.services.items()}):
            log.warning("the configuration: %s", odd)
        store = await self._open_store()
        undo.push_async_callback(store.close)
        launcher, note = await choose_launcher(settings)
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
            redaction=gate.redaction,
        )
        keeper = self.keeper = make_keeper(settings, store, clock_ms)
        bell = Bell(settings.data_dir, keeper.ask)
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
            gate=gate,
            clock_ms=clock_ms,
        )
        application = make_application(context, connections, streams)
        door = Door(application, settings, bounds, context.refusal, tls)
        undo.push_async_callback(door.close_all_connections)
        undo.push_async_callback(jobs.close)  # they go on, but nobody follows them
        await jobs.recover()
        keeper.start()
        undo.push_async_callback(keeper.close)
        bell.open()
        undo.callback(bell.close)
        connections.start()
        undo.push_async_callback(connections.close, GOODBYE_S)
        streams.start()
        undo.push_async_callback(streams.close, GOODBYE_S)
        door.add_sockets(self._sockets)
        undo.callback(door.stop)
        gate.audit.record("server.start", "ok", None, needs_token=gate.needs_token, exposed=gate.exposed)
        undo.callback(gate.audit.record, "server.stop", "ok", None)

    @property
    def address(self) -> str:
        """`http://HOST:PORT`."""
        host, port = self._sockets[0].getsockname()[:2]
        scheme = "http" if self.settings.server.tls_cert is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def close(self) -> None:
        """Stops accepting, says goodbye (1001), stores what is under way. The jobs go on."""
        await self._undo.aclose()

    async def _open_access(self, undo: AsyncExitStack) -> KeyRing:
        """The tokens, users and sessions, whatever the server's mode: one may be made while it runs."""
        keys = KeyRing(self.settings.data_dir / ACCESS_FILE, clock_ms)
        undo.push_async_callback(keys.close)
        try:
            await keys.start()
        except AccessError as e:
            raise StartError(str(e)) from e
        return keys

    def _gate(self, keys: KeyRing, undo: AsyncExitStack, *, has_tls: bool) -> Gate:
        """Who may come in. Raises StartError where strangers could."""
        access, proxies = self.settings.access, Proxies(self.settings.server.trusted_proxies)
        exposed = is_exposed(str(bound.getsockname()[0]) for bound in self._sockets)
        if exposed:
            try:
                require_safe(
                    self.settings.server.host,
                    mode=access.mode,
                    lets_anybody_in=keys.book.lets_anybody_in(clock_ms()),
                    has_tls=has_tls,
                    has_proxies=bool(proxies),
                )
            except UnsafeBinding as e:
                raise StartError(str(e)) from e
        files = AuditFiles(self.settings.data_dir / AUDIT_FOLDER, access.audit_bytes, access.audit_files)
        audit = Audit(files, clock_ms)
        undo.push_async_callback(audit.close)
        gate = Gate(access, keys, audit, proxies=proxies, exposed=exposed, clock_ms=clock_ms, now=time.monotonic)
        undo.callback(gate.close)
        return gate

    def _tls(self) -> ssl.SSLContext | None:
        """TLS of the server's own. Raises StartError for a certificate or key that cannot be used."""
        cert, key = self.settings.server.tls_cert, self.settings.server.tls_key
        if cert is None:
            if key is not None:
                raise StartError("server.tls_key needs server.tls_cert, the certificate that belongs to it")
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(cert, key)
        except (OSError, ValueError) as e:  # ssl.SSLError is an OSError
            raise StartError(
                f"TLS: {cert} (server.tls_cert) and {key or cert} (server.tls_key) cannot be used: {e}"
            ) from e
        return context

    async def _open_store(self) -> SqliteStore:
        try:
            return await SqliteStore.open(
                self.settings.data_dir / DATABASE,
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
