"""Jobs for the process launcher's tests, and looks at the machine's processes."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from k12ai_ws.drivers.spec import LaunchSpec, Resources
from k12ai_ws.launchers.launcher import Handle, Launcher, LaunchRequest
from k12ai_ws.launchers.process.launcher import ProcessLauncher

PATIENCE_S = 90.0


async def until(condition: Callable[[], object], what: str) -> None:
    """Waits until something outside this process is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        await asyncio.sleep(0.005)


def processes_of(tag: str) -> list[int]:
    """The live processes whose environment or command line carries this tag."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                text = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
                state = (folder / "stat").read_bytes().rpartition(b")")[2].split()[0]
            except OSError:
                continue
            if tag.encode() in text and state not in b"ZX":
                found.append(int(folder.name))
    return found


class Jobs:
    """Makes, runs and reads jobs; `tag` marks all their processes."""

    def __init__(self, launcher: ProcessLauncher, folder: Path) -> None:
        self.launcher = launcher
        self.runs = folder / "runs"
        self.output = folder / "output"
        self.tag = f"k12ai-test-{os.getpid()}-{folder.name}"

    def request(self, *command: str, job_id: str = "job", time_limit_s: float | None = None, **spec) -> LaunchRequest:
        env = {"TEST_TAG": self.tag} | spec.pop("env", {})
        launch = LaunchSpec(command=command, env=env, resources=Resources(time_limit_s=time_limit_s), **spec)
        return LaunchRequest(job_id, "u", "s", "k12test", "train.start", launch, {"output": self.output})

    def python(self, source: str, *args: str, **more) -> LaunchRequest:
        return self.request("python", "-c", source, *args, **more)

    async def read(self, handle: Handle, position: int = 0, launcher: Launcher | None = None) -> dict[str, bytes]:
        """All that is printed from there on, by stream."""
        out = {"stdout": bytearray(), "stderr": bytearray()}
        async with asyncio.timeout(PATIENCE_S):
            async for batch in (launcher or self.launcher).logs(handle, position):
                for chunk in batch:
                    out[chunk.stream] += chunk.data
        return {stream: bytes(data) for stream, data in out.items()}

    async def run(self, request: LaunchRequest):
        """Runs a job to its end: (stdout, stderr, exit)."""
        handle = await self.launcher.launch(request)
        out = await self.read(handle)
        async with asyncio.timeout(PATIENCE_S):
            return out["stdout"], out["stderr"], await self.launcher.wait(handle)

    async def gone(self) -> None:
        """Waits until no process of these jobs is left."""
        await until(lambda: not processes_of(self.tag), f"the end of processes {processes_of(self.tag)}")

    def alive(self) -> list[int]:
        """The live processes of these jobs."""
        return processes_of(self.tag)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Waits until something outside this process is so."""
        await until(condition, what)

    async def until_there(self, name: str) -> str:
        """Waits for a file in the output folder to have something in it; what that is."""
        path = self.output / name
        await until(lambda: path.exists() and path.stat().st_size, f"{path}")
        return path.read_text()

    def supervisor(self, job_id: str = "job") -> int:
        """The supervisor's process id."""
        return int(json.loads((self.runs / job_id / "state.json").read_bytes())["supervisor"])


@pytest.fixture
async def jobs(tmp_path):
    launcher = ProcessLauncher(tmp_path / "runs", grace_s=0.2)
    jobs = Jobs(launcher, tmp_path)
    yield jobs
    for handle in (await launcher.adopt()).values():
        await launcher.stop(handle, 0)
        await launcher.wait(handle)
        await launcher.release(handle)
    await launcher.close()
    await jobs.gone()
