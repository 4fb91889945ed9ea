"""Real containers of a real engine: launchers as a server makes them, and jobs for them."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from k12ai_ws.drivers.spec import LaunchSpec, Resources
from k12ai_ws.launchers.docker.container import PLACE, name_of
from k12ai_ws.launchers.docker.engine import Engine
from k12ai_ws.launchers.docker.launcher import DockerLauncher
from k12ai_ws.launchers.docker.place import place_of
from k12ai_ws.launchers.docker.policy import Policy
from k12ai_ws.launchers.launcher import Chunk, Handle, LaunchRequest
from k12ai_ws.wire.job import Exit

PATIENCE_S = 60.0


class Place:
    """One data folder, the servers that work in it one after the other, and their jobs."""

    def __init__(self, folder: Path, image: str) -> None:
        self.folder = folder
        self.image = image
        self.output = folder / "output"
        self.server_id = uuid.uuid4().hex

    def launcher(self, **more: Any) -> DockerLauncher:
        policy = more.pop("policy", Policy(images=["*"]))
        server_id = more.pop("server_id", self.server_id)
        engine = more.pop("engine", None) or Engine()
        return DockerLauncher(
            self.folder / "containers", engine, policy, server_id=server_id, data_dir=self.folder, **more
        )

    def request(self, *command: str, job_id: str | None = None, **spec: Any) -> LaunchRequest:
        resources = Resources(**{"memory": 256 << 20, **spec.pop("resources", {})})
        launch = LaunchSpec(command=command, image=spec.pop("image", self.image), resources=resources, **spec)
        folders = {"output": self.output}
        job = job_id or uuid.uuid4().hex
        return LaunchRequest(job, "ada", "lesson-1", "k12test", "train.start", launch, folders)

    def python(self, source: str, *args: str, **more: Any) -> LaunchRequest:
        return self.request("python3", "-c", source, *args, **more)

    async def read(self, launcher: DockerLauncher, handle: Handle, position: int = 0) -> list[Chunk]:
        """All that is printed from there on."""
        async with asyncio.timeout(PATIENCE_S):
            return [chunk async for batch in launcher.logs(handle, position) for chunk in batch]

    async def first(self, launcher: DockerLauncher, handle: Handle) -> Chunk:
        """The first thing that is printed."""
        async with asyncio.timeout(PATIENCE_S):
            async for batch in launcher.logs(handle, 0):
                for chunk in batch:
                    return chunk
        raise AssertionError("the container ended without a word")

    async def run(self, launcher: DockerLauncher, request: LaunchRequest) -> tuple[bytes, Exit]:
        """Runs a job to its end: what it printed, and how it ended."""
        handle = await launcher.launch(request)
        printed = b"".join(chunk.data for chunk in await self.read(launcher, handle))
        async with asyncio.timeout(PATIENCE_S):
            return printed, await launcher.wait(handle)


@pytest.fixture
def place(tmp_path: Path, engine: Any, base_image: str) -> Iterator[Place]:
    """A place of its own; whatever containers it has at the end are removed."""
    place = Place(tmp_path, base_image)
    yield place
    for found in engine.api.containers(all=True, filters={"label": f"{PLACE}={place_of(tmp_path)}"}):
        with contextlib.suppress(docker.errors.APIError):  # it is being removed at this moment
            engine.api.remove_container(found["Id"], force=True, v=True)


@pytest.fixture
async def launcher(place: Place) -> Any:
    """A launcher with the default policy's numbers, for any image."""
    launcher = place.launcher()
    yield launcher
    await launcher.close()


@pytest.fixture
def container_of(engine: Any) -> Callable[[LaunchRequest], Any]:
    """The container of a launched job, as the `docker` package sees it."""
    return lambda request: engine.containers.get(name_of(request.job_id))
