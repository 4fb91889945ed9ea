"""All checks, side by side."""

import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from k12ai_ws.drivers.registry import Registry, discover
from k12ai_ws.monitor.gpus import GpuReader
from k12ai_ws.monitor.nvml import NvmlReader

from .engine import check_docker
from .finding import Finding
from .images import check_images
from .machine import PCI_DEVICES, check_clock, check_gpus, check_open_files
from .port import check_port
from .software import PACKAGES, check_drivers, check_package, check_python, check_torch
from .storage import check_access, check_data_dir, check_log, check_sqlite


def diagnose(
    *,
    data_dir: Path,
    host: str,
    port: int,
    folders: Sequence[Path] = (),
    launcher: Literal["auto", "docker", "process"] = "auto",
    drivers: Callable[[], Registry] = discover,
    gpus: GpuReader | None = None,
    pci_devices: Path = PCI_DEVICES,
    environ: Mapping[str, str] = os.environ,
    now: Callable[[], float] = time.time,
    timeout_s: float = 15.0,
) -> list[Finding]:
    """Looks at everything, in a fixed order. Blocking, `timeout_s` seconds at most; raises nothing.

    `folders`: those that jobs see, beside the data folder (datasets, pretrained models).
    """
    drivers = _Once(drivers)
    shared = list(dict.fromkeys(folder.absolute() for folder in (data_dir, *folders)))
    containers = launcher != "process"
    checks: list[tuple[str, Callable[[], Sequence[Finding]]]] = [
        ("python", lambda: [check_python(sys.version_info[:3])]),
        *((f"package {module}", partial(_one, check_package, module)) for module in PACKAGES),
        ("drivers", lambda: check_drivers(drivers())),
        ("data directory", lambda: [check_data_dir(data_dir)]),
        ("sqlite", lambda: [check_sqlite(data_dir)]),
        ("event log", lambda: [check_log(data_dir)]),
        ("access file", lambda: [check_access(data_dir, int(now() * 1000))]),
        ("docker", lambda: check_docker(environ, required=launcher == "docker", used=containers, folders=shared)),
        ("images", lambda: check_images(environ, drivers) if containers else []),
        ("gpus", lambda: [check_gpus(gpus or NvmlReader(), pci_devices)]),
        ("pytorch", lambda: [check_torch()]),
        ("port", lambda: [check_port(host, port)]),
        ("clock", lambda: [check_clock(now())]),
        ("open files", lambda: [check_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1])]),
    ]
    end = time.monotonic() + timeout_s
    running = [(name, *_start(name, check)) for name, check in checks]
    findings: list[Finding] = []
    for name, thread, result in running:
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive() and not result:
            advice = "find out why it hangs, then run this again"
            findings.append(Finding(name, "fail", f"no answer in {timeout_s:g} s", advice))
        findings += result
    return findings


class _Once:
    """Discovery for all checks that need it: made by the first that asks, while the others wait."""

    def __init__(self, make: Callable[[], Registry]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Registry | None = None

    def __call__(self) -> Registry:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


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
