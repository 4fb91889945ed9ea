"""What this machine has and lacks to run the server, and what to do about it: the checks behind `k12ai doctor`.

Every check only looks: what it writes to find out is a temporary file, removed at once. Checks run side by side, each
in a daemon thread with a time limit, because what they look at (a driver, a network filesystem, an engine) can hang.
"""

import contextlib
import errno
import http.client
import importlib
import importlib.util
import json
import os
import platform
import resource
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Literal

from k12ai_ws.drivers.registry import Registry, discover
from k12ai_ws.monitor.gpus import GpuReader
from k12ai_ws.monitor.nvml import NvmlReader
from k12ai_ws.wire.bodies import Json

Verdict = Literal["ok", "warn", "fail"]

MIN_PYTHON = (3, 11)
MIN_SQLITE = (3, 37, 0)
"""The store's tables are STRICT."""
PACKAGES: Mapping[str, str] = {
    "tornado": "tornado",
    "orjson": "orjson",
    "pluggy": "pluggy",
    "psutil": "psutil",
    "pydantic": "pydantic",
    "docker": "docker",
    "pynvml": "nvidia-ml-py",
}
"""Module -> the distribution that brings it."""
OPTIONAL = frozenset({"docker", "pynvml"})
"""The server runs without these, and does less."""
ENGINE_TIMEOUT_S = 3.0
FREE_WARN, FREE_FAIL = 2 << 30, 100 << 20
"""Bytes left on the data folder's filesystem."""
OPEN_FILES = 4096
"""A connection takes one descriptor, a running job a few: this is room for some thousand subscribers."""
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""This software did not exist before: a clock that says so is wrong."""
PCI_DEVICES = Path("/sys/bus/pci/devices")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `ok`, `warn` (it works, with less) or `fail` (it does not), and what was found.

    `advice` says what to do; every finding that is not ok has one (ValueError without).
    """

    name: str
    status: Verdict
    found: str
    advice: str | None = None

    def __post_init__(self) -> None:
        if self.status != "ok" and not self.advice:
            raise ValueError(f"finding {self.name!r} is {self.status} and gives no advice")

    def to_json(self) -> dict[str, Json]:
        """`{name, status, found, advice}`; advice is null where there is none."""
        return {"name": self.name, "status": self.status, "found": self.found, "advice": self.advice}


def diagnose(
    *,
    data_dir: Path,
    host: str,
    port: int,
    launcher: Literal["auto", "docker", "process"] = "auto",
    drivers: Callable[[], Registry] = discover,
    gpus: GpuReader | None = None,
    pci_devices: Path = PCI_DEVICES,
    environ: Mapping[str, str] = os.environ,
    now: Callable[[], float] = time.time,
    timeout_s: float = 15.0,
) -> list[Finding]:
    """Looks at everything, in a fixed order. Blocking, `timeout_s` seconds at most; raises nothing."""
    checks: list[tuple[str, Callable[[], Sequence[Finding]]]] = [
        ("python", lambda: [check_python(sys.version_info[:3])]),
        *((f"package {module}", partial(_one, check_package, module)) for module in PACKAGES),
        ("drivers", lambda: check_drivers(drivers())),
        ("data directory", lambda: [check_data_dir(data_dir)]),
        ("sqlite", lambda: [check_sqlite(data_dir)]),
        ("docker", lambda: [check_docker(environ, required=launcher == "docker")]),
        ("gpus", lambda: [check_gpus(gpus or NvmlReader(), pci_devices)]),
        ("pytorch", lambda: [check_torch()]),
        ("port", lambda: [check_port(host, port)]),
        ("clock", lambda: [check_clock(now())]),
        ("open files", lambda: [check_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])]),
    ]
    end = time.monotonic() + timeout_s
    running = [(name, *_start(name, check)) for name, check in checks]
    findings: list[Finding] = []
    for name, thread, result in running:
        thread.join(max(0.0, end - time.monotonic()))
        hung = Finding(name, "fail", f"no answer in {timeout_s:g} s", "find out why it hangs, then run this again")
        findings += result or [hung]
    return findings


def _one(check: Callable[[str], Finding], argument: str) -> list[Finding]:
    return [check(argument)]


def _start(name: str, check: Callable[[], Sequence[Finding]]) -> tuple[threading.Thread, list[Finding]]:
    result: list[Finding] = []

    def run() -> None:
        try:
            result.extend(check())
        except Exception as error:  # noqa: BLE001 - one check's surprise must not hide what the others found
            advice = "this check did not expect that: please report it, with this line"
            result.append(Finding(name, "fail", f"{type(error).__name__}: {error}", advice))

    thread = threading.Thread(target=run, name=f"doctor-{name}", daemon=True)
    thread.start()
    return thread, result


def check_python(version: tuple[int, int, int]) -> Finding:
    """The interpreter's version."""
    found = f"{'.'.join(map(str, version))} ({sys.executable}, {platform.machine()})"
    if version >= MIN_PYTHON:
        return Finding("python", "ok", found)
    return Finding("python", "fail", found, f"install Python {'.'.join(map(str, MIN_PYTHON))} or newer")


def check_package(module: str) -> Finding:
    """Whether a package that the server needs can be imported, and its version."""
    name, distribution = f"package {module}", PACKAGES.get(module, module)
    try:
        importlib.import_module(module)
        return Finding(name, "ok", metadata.version(distribution))
    except Exception as error:  # noqa: BLE001 - a broken binary package raises whatever it likes
        advice = f"pip install --force-reinstall {distribution}"
        verdict: Verdict = "warn" if module in OPTIONAL else "fail"
        return Finding(name, verdict, f"not importable: {type(error).__name__}: {error}", advice)


def check_drivers(registry: Registry) -> list[Finding]:
    """The driver plugins that are served, and each one that is not."""
    served = [
        f"{name} ({', '.join(service.driver.tasks)}; {service.distribution} {service.version})"
        for name, service in sorted(registry.services.items())
    ]
    if served:
        findings = [Finding("drivers", "ok", "; ".join(served))]
    else:
        advice = "install one: pip install ./plugins/k12cv ./plugins/k12nlp (or any that declares the group k12ai_ws)"
        findings = [Finding("drivers", "fail", "no driver plugin: no job can be started", advice)]
    for broken in registry.broken:
        advice = f"repair or upgrade {broken.distribution or broken.plugin}, or uninstall it; the others are served"
        findings.append(Finding(f"driver plugin {broken.plugin}", "warn", broken.error, advice))
    return findings


def _ground(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next((each for each in (path, *path.parents) if each.exists()), path)


def check_data_dir(data_dir: Path) -> Finding:
    """Whether the data folder can be written (or made), and the space left there."""
    name, ground = "data directory", _ground(data_dir.absolute())
    try:
        with tempfile.TemporaryFile(dir=ground) as probe:
            probe.write(b"k12ai")
        free = shutil.disk_usage(ground).free
    except OSError as error:
        advice = f"make {ground} a folder that this user may write, or choose another with --data-dir"
        return Finding(name, "fail", f"{data_dir}: cannot write in {ground}: {error.strerror or error}", advice)
    found = f"{data_dir} {'is writable' if ground == data_dir.absolute() else 'can be made'}, {_size(free)} free"
    if free >= FREE_WARN:
        return Finding(name, "ok", found)
    return Finding(name, "fail" if free < FREE_FAIL else "warn", found, "free some space there, or use --data-dir")


def check_sqlite(data_dir: Path) -> Finding:
    """SQLite's version, and whether its write-ahead log works on the data folder's filesystem."""
    found = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        needed = ".".join(map(str, MIN_SQLITE))
        return Finding("sqlite", "fail", found, f"use a Python built with SQLite {needed} or newer")
    try:
        with tempfile.TemporaryDirectory(dir=_ground(data_dir.absolute()), prefix=".k12ai-doctor-") as folder:
            mode = _try_wal(Path(folder, "probe.db"))
    except (OSError, sqlite3.Error) as error:
        advice = f"put the data on a local filesystem that can be written, with --data-dir ({data_dir} is not one)"
        return Finding("sqlite", "fail", f"{found}, no database could be made: {error}", advice)
    if mode == "wal":
        return Finding("sqlite", "ok", f"{found}, write-ahead log works in {data_dir}")
    advice = "put the data on a local filesystem with --data-dir: network ones have no shared memory for it"
    return Finding("sqlite", "fail", f"{found}, no write-ahead log in {data_dir} (journal mode {mode})", advice)


def _try_wal(path: Path) -> str:
    """The journal mode that SQLite agreed to, after a reader read beside an open write."""
    with (
        contextlib.closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as writer,
        contextlib.closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as reader,
    ):
        mode = str(writer.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        if mode == "wal":
            writer.execute("CREATE TABLE probe (value)")
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("INSERT INTO probe VALUES (1)")
            reader.execute("SELECT count(*) FROM probe").fetchone()
            writer.execute("COMMIT")
        return mode


def check_docker(environ: Mapping[str, str], *, required: bool = False) -> Finding:
    """Whether a Docker engine answers; a missing right told apart from a missing engine."""
    where = environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    verdict: Verdict = "fail" if required else "warn"
    try:
        docker = importlib.import_module("docker")
        if where.startswith("unix://"):
            _knock(where.removeprefix("unix://"))
        # A version of our own, so that making the client asks nothing yet: one that fails there is never closed.
        version = docker.constants.DEFAULT_DOCKER_API_VERSION
        settings = {"version": version, "timeout": ENGINE_TIMEOUT_S, "environment": dict(environ)}
        with contextlib.closing(docker.from_env(**settings)) as client:
            engine = client.version(api_version=False)
        return Finding("docker", "ok", f"engine {engine['Version']} (API {engine['ApiVersion']}) at {where}")
    except Exception as error:  # noqa: BLE001 - docker, requests, urllib3 and ssl each raise their own
        found, advice = _no_engine(error, where)
        return Finding("docker", verdict, found, f"{advice}. The process launcher needs no engine.")


def _knock(path: str) -> None:
    """Connects to a Unix socket and leaves: the system's own error, which docker's client would wrap thrice."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ENGINE_TIMEOUT_S)
        probe.connect(path)


def _no_engine(error: Exception, where: str) -> tuple[str, str]:
    causes = list(_causes(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        return (
            f"an engine's socket is at {where}, but this user may not use it",
            "sudo usermod -aG docker $USER, then log in again (or use a rootless engine)",
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
            "if it listens elsewhere, set DOCKER_HOST",
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


def check_gpus(reader: GpuReader, pci_devices: Path = PCI_DEVICES) -> Finding:
    """NVIDIA's GPUs. None is fine; one in the machine that no driver serves is not."""
    with contextlib.closing(reader):
        reading = reader.read()
    if reading.gpus:
        parts = [f"{gpu.name or 'GPU'} ({_size(gpu.memory_total)})" for gpu in reading.gpus]
        found = "; ".join((", ".join(parts), *reading.problems))
        advice = "see nvidia-smi and the kernel's log (dmesg | grep -i nvrm)"
        return Finding("gpus", "warn", found, advice) if reading.problems else Finding("gpus", "ok", found)
    why = reading.absence or "; ".join(reading.problems) or "no reason given"
    if reading.problems or _has_nvidia_card(pci_devices):
        advice = (
            "install the NVIDIA driver that fits this kernel, or reboot if it was just upgraded; then run nvidia-smi"
        )
        return Finding("gpus", "warn", f"an NVIDIA card or driver is here, but not usable: {why}", advice)
    return Finding("gpus", "ok", f"none, jobs run on the CPU: {why}")


def _has_nvidia_card(pci_devices: Path) -> bool:
    """Whether a display (PCI class 03) or accelerator (12) of NVIDIA's (vendor 10de) is plugged in."""
    for device in pci_devices.glob("*"):
        with contextlib.suppress(OSError):
            kind = (device / "class").read_text()[:4]
            if (device / "vendor").read_text().strip() == "0x10de" and kind in ("0x03", "0x12"):
                return True
    return False


def check_torch() -> Finding:
    """Whether PyTorch is installed, without importing it, which takes seconds."""
    if importlib.util.find_spec("torch") is not None:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return Finding("pytorch", "ok", metadata.version("torch"))
        return Finding("pytorch", "ok", "found, version not told")
    advice = (
        "only for k12cv's cnn and k12nlp's transformer: pip install './plugins/k12cv[torch]' './plugins/k12nlp[torch]'"
    )
    return Finding("pytorch", "warn", "not installed", advice)


def check_port(host: str, port: int) -> Finding:
    """Whether the server could listen there; a server of ours that does already is told apart."""
    where = f"{host or '*'}:{port}"
    if not 0 <= port <= 65535:
        return Finding(
            "port", "fail", f"{where} is no TCP port", "choose a --port of 1024 to 65535, or 0 for any free one"
        )
    try:
        places = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        return Finding("port", "fail", f"{where}: {error}", "give --host an address of this machine, as 127.0.0.1")
    refusal: OSError | None = None
    free = 0
    for family, kind, protocol, _, address in places:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                free += 1
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return _taken(where, host, port, error)
            refusal = error  # a name may stand for an address family that this machine has not (localhost: ::1)
    if refusal is not None and not free:
        return _taken(where, host, port, refusal)
    return Finding("port", "ok", f"{where} is free" if port else "any free port")


def _taken(where: str, host: str, port: int, error: OSError) -> Finding:
    if error.errno == errno.EADDRINUSE:
        if _answers_as_ours(host, port):
            return Finding("port", "ok", f"{where}: a server of k12ai listens there and answers")
        return Finding("port", "fail", f"{where} is in use by another program", "stop it, or choose another --port")
    if error.errno == errno.EACCES:
        return Finding("port", "fail", f"{where}: not allowed", "choose a --port of 1024 or above")
    advice = "give --host an address of this machine, as 127.0.0.1"
    return Finding("port", "fail", f"{where}: {error.strerror or error}", advice)


def _answers_as_ours(host: str, port: int) -> bool:
    """Whether `/health` there gives an envelope of the contract."""
    local = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    with contextlib.closing(http.client.HTTPConnection(local, port, timeout=1.0)) as connection:
        try:
            connection.request("GET", "/health")
            answer = json.loads(connection.getresponse().read(1 << 16))
        except (OSError, http.client.HTTPException, ValueError):
            return False
    return isinstance(answer, dict) and {"version", "type", "tag", "op", "timestamp"} <= answer.keys()


def check_clock(now_s: float) -> Finding:
    """Whether the wall clock, which dates every event, can be true."""
    try:
        found = datetime.fromtimestamp(now_s, UTC)
    except (ValueError, OverflowError, OSError) as error:
        return Finding("clock", "fail", f"{now_s}: {error}", "set the clock: sudo timedatectl set-ntp true")
    if found >= EARLIEST and found.year < EARLIEST.year + 100:
        return Finding("clock", "ok", found.isoformat(timespec="seconds"))
    advice = "set the clock (sudo timedatectl set-ntp true): events carry its time"
    return Finding("clock", "fail", f"{found.isoformat(timespec='seconds')} cannot be now", advice)


def check_open_files(limit: int) -> Finding:
    """How many files and connections this process may hold open (the soft limit)."""
    if limit == resource.RLIM_INFINITY or limit >= OPEN_FILES:
        return Finding("open files", "ok", "no limit" if limit == resource.RLIM_INFINITY else str(limit))
    advice = "for many subscribers raise it: ulimit -n 65536, or LimitNOFILE=65536 in the systemd unit"
    return Finding("open files", "warn", f"{limit}: room for about {max(0, limit - 100)} connections", advice)


def _size(count: int | None) -> str:
    return "size not told" if count is None else f"{count / (1 << 30):.1f} GiB"
