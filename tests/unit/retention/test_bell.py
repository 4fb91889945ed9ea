"""Asking a server to look: an answer, or the word that it ended."""

import asyncio
import stat
from pathlib import Path

import pytest

from k12ai_ws.retention import bell
from k12ai_ws.retention.bell import Bell, answer, ring


@pytest.fixture(params=["short", "l" * 150])
def folder(request, tmp_path: Path) -> Path:
    (tmp_path / request.param).mkdir()
    return tmp_path / request.param


async def test_who_rings_is_answered(folder: Path) -> None:
    async def rung() -> bytes:
        return b"done\n"

    assert ring(folder) is None
    one = Bell(folder, rung)
    await one.open()
    assert stat.S_IMODE((folder / bell.NAME).stat().st_mode) == 0o600
    for _ in range(2):
        asking = await asyncio.to_thread(ring, folder)
        assert asking is not None
        with asking:
            assert await asyncio.to_thread(answer, asking, 30.0) == b"done\n"
    one.close()
    assert ring(folder) is None
    assert not (folder / bell.NAME).exists()


async def test_who_waits_notices_that_the_server_ends(folder: Path) -> None:
    heard = asyncio.Event()

    async def rung() -> bytes:
        heard.set()
        await asyncio.Event().wait()
        raise AssertionError

    one = Bell(folder, rung)
    await one.open()
    asking = await asyncio.to_thread(ring, folder)
    assert asking is not None
    with asking:
        await heard.wait()
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(answer, asking, 0.01)
        waiting = asyncio.create_task(asyncio.to_thread(answer, asking, 30.0))
        one.close()
        assert await waiting == b""
