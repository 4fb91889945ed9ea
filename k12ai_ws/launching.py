"""Which launcher a server takes, and why: the settings become the one that they name, or that fits."""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from docker.errors import DockerException

from k12ai_ws.identity import RUNS, server_id
from k12ai_ws.launchers.docker.engine import TIMEOUT_S, Engine, EngineError
from k12ai_ws.launchers.docker.launcher import DockerLauncher
from k12ai_ws.launchers.docker.policy import Allowed, Policy
from k12ai_ws.launchers.docker.runs import RUN
from k12ai_ws.launchers.launcher import Launcher
from k12ai_ws.launchers.process.launcher import ProcessLauncher
from k12ai_ws.launchers.process.rundir import STATE
from k12ai_ws.launchers.recording.files import EXIT
from k12ai_ws.settings import Settings, SettingsError

T = TypeVar("T")

PROBE_S: Final = 5.0
"""An engine that has not answered by then is none to begin with."""

_SCHEMES: Final = ("unix://", "http://", "https://", "tcp://")
_ADDRESSES: Final = "unix:///var/run/docker.sock or tcp://HOST:PORT"


async def choose_launcher(settings: Settings) -> tuple[Launcher, str]:
    """The launcher, and a sentence that says which it is and why. Raises SettingsError where the settings name one
    while jobs of the other still run (nobody would see their end), and where they name an engine that cannot be one.
    """
    server = server_id(settings.data_dir)
    name, why = await _choose(settings)
    return _make(settings, name, server), _note(settings, name, why)


async def _choose(settings: Settings) -> tuple[str, str]:
    """The launcher's name, and why it is that one."""
    asked = settings.jobs.launcher
    for name, mark in (("process", STATE), ("docker", RUN)):
        runs = _left(settings.data_dir / RUNS[name], mark)
        if runs and asked == "auto":
            return name, f"auto: {len(runs)} of its jobs are still to be ended"
        if runs and asked != name:
            raise SettingsError(
                f"jobs.launcher: {asked} cannot take up the jobs that {name} has started here and that have not ended "
                f"({', '.join(runs[:5])}): start with --launcher {name}, let them end or stop them, then change it"
            )
    if asked != "auto":
        return asked, "the setting says so"
    if settings.docker.host is not None:  # whoever names an engine wants containers, and not whatever there is
        return "docker", "auto: docker.host names an engine"
    try:
        version = await _in_thread(partial(_probe, settings))
    except EngineError as e:
        return "process", f"auto: {e.message}"
    return "docker", f"auto: an engine answers, version {version}"


def _make(settings: Settings, name: str, server: str) -> Launcher:
    jobs, docker = settings.jobs, settings.docker
    if name == "process":
        return ProcessLauncher(settings.data_dir / RUNS[name], grace_s=jobs.grace_s, max_log_bytes=jobs.max_log_bytes)
    if docker.user is not None and os.getuid() not in (0, int(docker.user.partition(":")[0])):
        raise SettingsError(
            f"docker.user: only root can hand folders over to {docker.user}; this server is uid {os.getuid()}: leave "
            "the setting out"
        )
    engine = _engine(settings)
    never = [path.resolve() for path in (settings.data_dir, *_socket_of(engine))]
    for role, folder in (("datasets", settings.datasets_dir), ("pretrained", settings.pretrained_dir)):
        shown = [path for path in never if folder.resolve() in (path, *path.parents)]
        if shown:
            raise SettingsError(
                f"folders.{role}: {folder} holds {shown[0]}, which no job may see: name a folder of its own"
            )
    policy = Policy(
        images=docker.images,
        networks=docker.networks,
        mounts=[_allowed(entry) for entry in docker.mounts],
        cpus=docker.cpus,
        memory=docker.memory,
        shm=docker.shm,
        max_cpus=docker.max_cpus,
        max_memory=docker.max_memory,
        max_gpus=docker.max_gpus,
        never=never,
    )
    return DockerLauncher(
        settings.data_dir / RUNS[name],
        engine,
        policy,
        server_id=server,
        data_dir=settings.data_dir,
        user=docker.user,
        grace_s=jobs.grace_s,
        max_log_bytes=jobs.max_log_bytes,
        tmp_bytes=docker.tmp,
        pids=docker.pids,
        pull=docker.pull,
        stats_interval_s=settings.stats.interval_s,
    )


def _left(folder: Path, mark: str) -> list[str]:
    """The ids of the runs in `folder` that were started and have not ended."""
    if not folder.is_dir():
        return []
    return sorted(run.name for run in folder.iterdir() if (run / mark).exists() and not (run / EXIT).exists())


def _allowed(entry: str) -> Allowed:
    path = Path(entry.removesuffix(":rw"))
    return Allowed(path.resolve(), write=entry.endswith(":rw"), alias=Path(os.path.normpath(path)))


def _socket_of(engine: Engine) -> list[Path]:
    sockets = [Path("/var/run/docker.sock")]
    scheme, _, place = engine.address.partition("://")
    return [*sockets, Path("/" + place.lstrip("/"))] if scheme.endswith("unix") else sockets


def _probe(settings: Settings) -> str:
    engine = _engine(settings, PROBE_S)
    try:
        return str(engine.info()["ServerVersion"])
    finally:
        engine.close()


def _engine(settings: Settings, timeout_s: float = TIMEOUT_S) -> Engine:
    """The engine that the settings name; nothing is asked of it. Raises SettingsError where that is no address."""
    try:
        engine = Engine(settings.docker.host, timeout_s=timeout_s)
    except (DockerException, ValueError) as e:
        raise SettingsError(f"{_named(settings)}: {e}; right would be {_ADDRESSES}") from e
    if not engine.address.startswith(_SCHEMES):
        raise SettingsError(
            f"{_named(settings)}: no engine is reached by {engine.address}; right would be {_ADDRESSES}"
        )
    return engine


def _named(settings: Settings) -> str:
    return "docker.host" if settings.docker.host else "docker.host is not set, and the environment's DOCKER_HOST"


def _note(settings: Settings, name: str, why: str) -> str:
    if name == "process":
        return f"process, a local process per job ({why}); it does not isolate jobs from this machine"
    return f"docker, a container per job ({why}); images that may run: {', '.join(settings.docker.images)}"


async def _in_thread(call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, call)
