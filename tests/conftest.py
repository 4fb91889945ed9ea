"""What all tests share: the signals of a terminal, and for those marked docker, the engine."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import docker
import pytest

STANDS_IN = "k12ai/base:bookworm"
"""A Debian with Python, where no registry is at hand."""
PUBLIC = "python:3.11-slim-bookworm"


def pytest_configure() -> None:
    """A run in a shell's background ignores these signals, and so would every process that the tests start."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


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
