"""What all tests share: the signals of a terminal, and for those marked docker, the engine."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

ROOT = Path(__file__).resolve().parents[1]
STANDS_IN = "k12ai/base:bookworm"
"""A Debian with Python, where no registry is at hand."""
PUBLIC = "python:3.11-slim-bookworm"


def pytest_configure() -> None:
    """A run in a shell's background ignores these signals, and so would every process that the tests start."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    """What was logged may hold half surrogates (the names of odd files), which a worker cannot send to its master."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """The `docker` package's client, to look from outside."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def base_image(engine: Any) -> str:
    """An image with `python3` in it: `$K12AI_TEST_BASE`, or one that is there, or a public one that is fetched."""
    wanted = os.environ.get("K12AI_TEST_BASE")
    for name in (wanted,) if wanted else (STANDS_IN, PUBLIC):
        if engine.images.list(name=name):
            return name
    engine.images.pull(wanted or PUBLIC)
    return wanted or PUBLIC


@pytest.fixture(scope="session")
def built(engine: Any) -> Callable[[str, str], str]:
    """`built(target, image)`: the image, made by that target of the Makefile where it is not there yet."""

    def built(target: str, image: str) -> str:
        if engine.images.list(name=image):
            return image
        base = os.environ.get("K12AI_TEST_BASE") or (STANDS_IN if engine.images.list(name=STANDS_IN) else "")
        done = subprocess.run(
            ["make", target, f"BASE={base}", "BUILD=--network host"],
            cwd=ROOT, env=os.environ | {"DOCKER_BUILDKIT": "0"}, capture_output=True, text=True, timeout=900,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return image

    return built
