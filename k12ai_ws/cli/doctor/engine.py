"""The Docker engine: whether it answers, and whether it can do what the docker launcher asks of it."""

import contextlib
import importlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .container import SELF, check_paths, own_container
from .finding import Finding, Verdict

ENGINE_TIMEOUT_S = 3.0
DEFAULT_HOST = "unix:///var/run/docker.sock"
LIMITS: Mapping[str, str] = {
    "MemoryLimit": "memory",
    "SwapLimit": "swap",
    "CpuCfsQuota": "CPU",
    "PidsLimit": "processes",
}
"""What `GET /info` says of the kernel's cgroups -> what cannot be bounded without it."""


def check_docker(
    environ: Mapping[str, str],
    *,
    required: bool = False,
    used: bool = False,
    folders: Sequence[Path] = (),
    self_dir: Path = SELF,
) -> list[Finding]:
    """Whether a Docker engine answers; a missing right told apart from a missing engine.

    `required`: without one no job would run. `used`: jobs run there where one answers, so also what it can
    do for them, and whether it sees the `folders` at the same paths as this process (`self_dir`: of /proc).
    """
    where = environ.get("DOCKER_HOST") or DEFAULT_HOST
    verdict: Verdict = "fail" if required else "warn"
    try:
        with engine_at(environ) as client:
            version, info = client.version(), client.info()
            about = (
                f"engine {version['Version']} (API {version['ApiVersion']}) at {where}, "
                f"storage {info.get('Driver', 'not told')}, cgroup v{info.get('CgroupVersion', '1')}"
            )
            findings = [Finding("docker", "ok", about)]
            if used:
                own = own_container(self_dir)
                findings += [check_live_restore(info), check_log_driver(info), check_limits(info)]
                findings.append(check_paths(folders, where, own, mounts_of(client, own) if own else None))
            return findings
    except Exception as error:  # noqa: BLE001 - docker, requests, urllib3 and ssl each raise their own
        found, advice = no_engine(error, where)
        return [Finding("docker", verdict, found, f"{advice}. The process launcher needs no engine.")]


@contextlib.contextmanager
def engine_at(environ: Mapping[str, str]) -> Iterator[Any]:
    """A client of the engine that the environment names, of the engine's own API version. Raises what docker raises,
    and OSError.
    """
    docker = importlib.import_module("docker")
    where = environ.get("DOCKER_HOST") or DEFAULT_HOST
    if where.startswith("unix://"):
        _knock(where.removeprefix("unix://"))
    # A version of our own at first, so that making the client asks nothing yet: one that fails there is never closed.
    first = {"version": docker.constants.DEFAULT_DOCKER_API_VERSION}
    settings = {"timeout": ENGINE_TIMEOUT_S, "environment": dict(environ)}
    with contextlib.closing(docker.from_env(**settings, **first)) as client:
        version = client.version(api_version=False)["ApiVersion"]
    with contextlib.closing(docker.from_env(**settings, version=version)) as client:
        yield client


def mounts_of(client: Any, container: str) -> Sequence[Mapping[str, Any]] | None:
    """A container's mounts as the engine tells them; None where it knows no such container."""
    errors = importlib.import_module("docker.errors")
    try:
        mounts: Sequence[Mapping[str, Any]] = client.api.inspect_container(container)["Mounts"]
    except errors.NotFound:
        return None
    return mounts


def check_live_restore(info: Mapping[str, Any]) -> Finding:
    """Whether jobs outlive a restart of the engine."""
    if info.get("LiveRestoreEnabled"):
        return Finding("docker live-restore", "ok", "on: jobs outlive a restart of the engine")
    advice = (
        'put {"live-restore": true} into /etc/docker/daemon.json, then: sudo systemctl reload docker '
        "(a swarm cannot have it)"
    )
    return Finding("docker live-restore", "warn", "off: a restart of the engine ends every running job", advice)


def check_log_driver(info: Mapping[str, Any]) -> Finding:
    """Whether the engine has the log driver `local`, which the docker launcher's containers use."""
    drivers = (info.get("Plugins") or {}).get("Log") or []
    if "local" in drivers:
        return Finding("docker log driver", "ok", "local is there")
    found = f"the engine has no log driver local (it has {', '.join(map(str, drivers)) or 'none'})"
    return Finding("docker log driver", "fail", found, "upgrade the engine: local is part of it since 18.09")


def check_limits(info: Mapping[str, Any]) -> Finding:
    """Whether the kernel lets the engine bound what a job takes."""
    missing = [what for key, what in LIMITS.items() if info.get(key) is False]
    if not missing:
        return Finding("docker limits", "ok", f"{', '.join(LIMITS.values())} of a job can be bounded")
    advice = (
        "switch the cgroup controllers on: on Debian and Ubuntu add cgroup_enable=memory swapaccount=1 to the kernel's "
        "command line and reboot; a rootless engine needs cgroup v2 with delegation"
    )
    return Finding("docker limits", "warn", f"cannot be bounded here: {', '.join(missing)}", advice)


def _knock(path: str) -> None:
    """Connects to a Unix socket and leaves: the system's own error, which docker's client would wrap thrice."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ENGINE_TIMEOUT_S)
        probe.connect(path)


def no_engine(error: Exception, where: str) -> tuple[str, str]:
    """What is wrong with the engine at `where`, and what to do about it."""
    causes = list(_causes(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        socket_path = where.removeprefix("unix://")
        return (
            f"an engine's socket is at {where}, but this user may not use it",
            "sudo usermod -aG docker $USER, then log in again (or use a rootless engine); a container needs "
            f"--group-add $(stat -c %g {socket_path}), a systemd unit SupplementaryGroups=docker",
        )
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return (
            f"the engine at {where} does not answer in {ENGINE_TIMEOUT_S:g} s",
            "see what it does (journalctl -u docker), and restart it: sudo systemctl restart docker",
        )
    if any(isinstance(cause, FileNotFoundError | ConnectionRefusedError) for cause in causes):
        return (
            f"no engine at {where}",
            "install one (https://docs.docker.com/engine/install/) or start it (sudo systemctl start docker); "
            "if it listens elsewhere, set DOCKER_HOST; a container needs its socket mounted",
        )
    if any(isinstance(cause, ModuleNotFoundError) and cause.name == "docker" for cause in causes):
        return "the Python package docker is not installed", "pip install docker"
    return f"{where}: {type(error).__name__}: {error}", "check DOCKER_HOST and the engine's log (journalctl -u docker)"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those it came from; HTTP libraries keep the system's own among their arguments."""
    seen: dict[int, BaseException] = {}
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen[id(cause)] = cause
            waiting += [cause.__cause__, cause.__context__, *cause.args]
    yield from seen.values()
