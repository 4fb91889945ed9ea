"""A browser, a profile of its own for each test, and a server."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from browserrig.browser import Browser, DevTools
from browserrig.page import Profile
from browserrig.server import Server, Told


@pytest.fixture(scope="session")
def chromium() -> Iterator[str]:
    """The address of a browser: of the program that `K12AI_CHROMIUM` names, else of the `chromium` that is here."""
    program = os.environ.get("K12AI_CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium is here (Debian's package chromium has it; K12AI_CHROMIUM may name the program)")
    with tempfile.TemporaryDirectory(prefix="k12ai-browser-", ignore_cleanup_errors=True) as folder:
        browser = Browser(program, Path(folder))
        try:
            yield browser.address()
        finally:
            browser.close()


@pytest.fixture
async def profile(chromium: str) -> AsyncIterator[Profile]:
    """A profile without cookies, that is gone with the test and all its pages."""
    async with DevTools.connected(chromium) as tools:
        yield await Profile.fresh(tools)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """Not started yet."""
    server = Server(tmp_path)
    yield server
    await server.close()
    assert "Traceback" not in server.log(), server.log()


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """A job's script that prints what it is told."""
    told = Told(tmp_path)
    yield told
    told.close()
