"""The command as a user calls it: in a process of its own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 60.0


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Standard output, JSON by line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Running:
    """A command that has not ended yet."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._seen: list[str] = []

    async def line(self) -> str:
        """The next line of its standard output."""
        assert self.process.stdout is not None
        line = (await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)).decode()
        self._seen.append(line)
        return line

    async def until(self, text: str) -> str:
        """The first line that holds the text."""
        while text not in (line := await self.line()):
            assert line, f"it ended without saying {text!r}: {''.join(self._seen)}"
        return line

    async def end(self, stdin: bytes = b"") -> Result:
        out, err = await asyncio.wait_for(self.process.communicate(stdin), PATIENCE_S)
        assert self.process.returncode is not None
        return Result(self.process.returncode, "".join(self._seen) + out.decode(), err.decode())

    async def interrupt(self, number: int = signal.SIGINT) -> Result:
        self.process.send_signal(number)
        return await self.end()


class K12ai:
    """`await k12ai("jobs", "--json")`; `await k12ai.begin(...)` for one that goes on."""

    def __init__(self, folder: Path) -> None:
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith(("K12AI_", "LC_", "LANG", "COLUMNS"))}
        self.environ |= {
            "K12AI_JOBS__LAUNCHER": "process",
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "USER": "ann",
        }
        self.environ.pop("LOGNAME", None)
        (folder / "tmp").mkdir()
        self.running: list[Running] = []

    async def begin(self, *words: object, **environ: str) -> Running:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "k12ai_ws.cli",
            *map(str, words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environ | environ,
            limit=1 << 24,
        )
        self.running.append(Running(process))
        return self.running[-1]

    async def __call__(self, *words: object, stdin: bytes = b"", **environ: str) -> Result:
        return await (await self.begin(*words, **environ)).end(stdin)


@pytest.fixture
async def k12ai(tmp_path: Path) -> AsyncIterator[K12ai]:
    k12ai = K12ai(tmp_path)
    yield k12ai
    for running in k12ai.running:
        if running.process.returncode is None:
            running.process.kill()
            await running.process.communicate()


@pytest.fixture
async def here(k12ai: K12ai, client: Any) -> K12ai:
    """The command, with a fresh server (the toy driver's) to talk to."""
    k12ai.environ["K12AI_SERVER_URL"] = client.address
    return k12ai
