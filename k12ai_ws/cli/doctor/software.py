"""The interpreter, the packages and the plugins: what is installed, and what of it works."""

import contextlib
import importlib
import importlib.util
import platform
import sys
from collections.abc import Mapping
from importlib import metadata

from k12ai_ws.drivers.registry import Registry

from .finding import Finding, Verdict

MIN_PYTHON = (3, 11)
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
