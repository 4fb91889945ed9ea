"""What every launcher must do, as tests: subclass `LauncherContract`, give it your launcher, and let pytest run it.

class TestMyLauncher(LauncherContract):
    @pytest.fixture
    async def launcher(self, tmp_path):
        launcher = MyLauncher(...)
        yield launcher
        await launcher.close()
"""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names say what

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from k12ai_ws.drivers.spec import LaunchSpec, Resources
from k12ai_ws.launchers.launcher import Chunk, Handle, Launcher, LaunchRequest

LINES: Final = 20_000
PATIENCE_S: Final = 30.0

PROGRAMS: Final[Mapping[str, str]] = {
    "hello": "import sys; sys.stdout.write('out\\n'); sys.stdout.flush(); sys.stderr.write('err\\n')",
    "silent": "pass",
    "exit3": "print('bye'); raise SystemExit(3)",
    "killed": "import os, signal; print('bye', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
    "many": f"import sys\nfor i in range({LINES}): sys.stdout.write(f'{{i}}\\n')",
    "sleeper": "import time; print('ready', flush=True); time.sleep(600)",
    "stubborn": (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); "
        "time.sleep(600)"
    ),
    "graceful": (
        "import signal, sys, time\n"
        "def end(*_): print('saved', flush=True); sys.exit(5)\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(600)"
    ),
}
"""The programs that the contract runs: name -> Python source."""


@pytest.mark.asyncio
class LauncherContract:
    """The contract's tests. A subclass gives the fixture `launcher`; `spec` is overridden where there is no Python."""

    def spec(self, program: str) -> LaunchSpec:
        """How to run one of `PROGRAMS`."""
        return LaunchSpec(command=["python", "-c", PROGRAMS[program]], resources=Resources())

    @pytest.fixture
    def launcher(self) -> Launcher:
        """The launcher under test, new for each test."""
        raise NotImplementedError

    @pytest.fixture
    def output(self, tmp_path: Path) -> Path:
        """The output folder of the jobs."""
        return tmp_path / "output"

    def request_for(self, program: str, output: Path, job_id: str = "job-1") -> LaunchRequest:
        """The request to run `program`."""
        return LaunchRequest(job_id, "user", "uuid", "k12test", "train.start", self.spec(program), {"output": output})

    async def read(self, launcher: Launcher, handle: Handle, position: int = 0) -> list[Chunk]:
        """The whole log from `position`."""
        async with asyncio.timeout(PATIENCE_S):
            return [chunk async for batch in launcher.logs(handle, position) for chunk in batch]

    async def ready(self, launcher: Launcher, handle: Handle) -> None:
        """Waits until the program has printed something."""
        async with asyncio.timeout(PATIENCE_S):
            logs = launcher.logs(handle, 0)
            async for batch in logs:
                if batch:
                    return
        raise AssertionError("the program ended without a word")

    async def test_both_streams_are_read_and_the_exit_code_is_reported(self, launcher: Launcher, output: Path) -> None:
        handle = await launcher.launch(self.request_for("hello", output))
        chunks = await self.read(launcher, handle)
        assert b"".join(c.data for c in chunks if c.stream == "stdout") == b"out\n"
        assert b"".join(c.data for c in chunks if c.stream == "stderr") == b"err\n"
        end = await launcher.wait(handle)
        assert (end.exit_code, end.signal, end.lost, end.stop_delivered, end.timed_out) == (
            0,
            None,
            False,
            False,
            False,
        )
        assert end.started_ms is not None
        assert end.ended_ms is not None
        assert end.started_ms <= end.ended_ms

    async def test_a_silent_job_has_an_empty_log(self, launcher: Launcher, output: Path) -> None:
        handle = await launcher.launch(self.request_for("silent", output))
        assert await self.read(launcher, handle) == []
        assert (await launcher.wait(handle)).exit_code == 0

    async def test_an_exit_code_is_told(self, launcher: Launcher, output: Path) -> None:
        handle = await launcher.launch(self.request_for("exit3", output))
        assert b"".join(c.data for c in await self.read(launcher, handle)) == b"bye\n"
        end = await launcher.wait(handle)
        assert (end.exit_code, end.signal) == (3, None)

    async def test_a_signal_is_told_apart_from_an_exit_code(self, launcher: Launcher, output: Path) -> None:
        handle = await launcher.launch(self.request_for("killed", output))
        assert b"".join(c.data for c in await self.read(launcher, handle)) == b"bye\n"
        end = await launcher.wait(handle)
        assert (end.exit_code, end.signal, end.stop_delivered) == (None, 9, False)

    async def test_every_line_comes_once_and_again_the_same_from_any_position(
        self, launcher: Launcher, output: Path
    ) -> None:
        handle = await launcher.launch(self.request_for("many", output))
        live = await self.read(launcher, handle)
        assert b"".join(c.data for c in live) == b"".join(b"%d\n" % i for i in range(LINES))
        assert await self.read(launcher, handle) == live
        positions = [chunk.position for chunk in live]
        assert positions == sorted(set(positions))
        middle = len(live) // 2
        assert await self.read(launcher, handle, live[middle].position) == live[middle + 1 :]
        assert await self.read(launcher, handle, live[-1].position) == []

    async def test_launching_again_starts_nothing(self, launcher: Launcher, output: Path) -> None:
        request = self.request_for("hello", output)
        first = await launcher.launch(request)
        assert await launcher.launch(request) == first
        chunks = await self.read(launcher, first)
        await launcher.wait(first)
        assert await launcher.launch(request) == first
        assert await self.read(launcher, first) == chunks

    async def test_a_stop_ends_the_job_with_sigterm(self, launcher: Launcher, output: Path) -> None:
        handle = await launcher.launch(self.request_for("sleeper", output))
        await self.ready(launcher, handle)
        await launcher.stop(handle, PATIENCE_S)
        await self.read(launcher, handle)
        end = await launcher.wait(handle)
        assert end.stop_delivered
        assert end.exit_code is not None or end.signal == 15

    async def test_a_job_may_use_its_grace(self, launcher: Launcher, output: Path) -> None:
        handle = await launcher.launch(self.request_for("graceful", output))
        await self.ready(launcher, handle)
        await launcher.stop(handle, PATIENCE_S)
        assert b"".join(c.data for c in await self.read(launcher, handle)) == b"ready\nsaved\n"
        end = await launcher.wait(handle)
        assert (end.exit_code, end.signal, end.stop_delivered) == (5, None, True)

    async def test_a_job_that_ignores_sigterm_is_killed_after_its_grace(self, launcher: Launcher, output: Path) -> None:
        handle = await launcher.launch(self.request_for("stubborn", output))
        await self.ready(launcher, handle)
        await launcher.stop(handle, 0.1)
        await self.read(launcher, handle)
        end = await launcher.wait(handle)
        assert (end.signal, end.stop_delivered) == (9, True)

    async def test_stopping_what_has_ended_changes_nothing(self, launcher: Launcher, output: Path) -> None:
        handle = await launcher.launch(self.request_for("hello", output))
        await self.read(launcher, handle)
        end = await launcher.wait(handle)
        await launcher.stop(handle, 1.0)
        assert await launcher.wait(handle) == end
        assert not end.stop_delivered

    async def test_runs_are_found_again(self, launcher: Launcher, output: Path) -> None:
        handles = {job_id: await launcher.launch(self.request_for("hello", output, job_id)) for job_id in ("a", "b")}
        assert await launcher.adopt() == handles
        for handle in handles.values():
            await self.read(launcher, handle)
            await launcher.wait(handle)
        assert await launcher.adopt() == handles

    async def test_statistics_name_the_living_alone(self, launcher: Launcher, output: Path) -> None:
        over = await launcher.launch(self.request_for("hello", output, "over"))
        await self.read(launcher, over)
        await launcher.wait(over)
        alive = await launcher.launch(self.request_for("sleeper", output, "alive"))
        await self.ready(launcher, alive)
        stats = await launcher.stats({"over": over, "alive": alive})
        assert list(stats) == ["alive"]
        assert stats["alive"].cpu_percent >= 0
        assert 0 <= stats["alive"].memory_usage <= stats["alive"].memory_total
        await launcher.stop(alive, 0)
        await launcher.wait(alive)

    async def test_a_released_run_keeps_its_log(self, launcher: Launcher, output: Path) -> None:
        handle = await launcher.launch(self.request_for("hello", output))
        chunks = await self.read(launcher, handle)
        await launcher.wait(handle)
        await launcher.release(handle)
        assert await self.read(launcher, handle) == chunks
        await launcher.release(handle)
