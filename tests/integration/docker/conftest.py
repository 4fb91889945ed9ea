"""Servers whose jobs run in containers of a real engine."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from k12ai_ws.launchers.docker.container import PLACE, name_of
from k12ai_ws.launchers.docker.place import place_of


@pytest.fixture(autouse=True)
def _swept(tmp_path: Path, engine: Any) -> Iterator[None]:
    """Whatever containers the test's servers left are removed."""
    yield
    for name in ("data", "other"):
        for found in engine.api.containers(all=True, filters={"label": f"{PLACE}={place_of(tmp_path / name)}"}):
            with contextlib.suppress(docker.errors.APIError):  # it is being removed at this moment
                engine.api.remove_container(found["Id"], force=True, v=True)


@pytest.fixture
def boxed(base_image: str) -> Callable[..., dict[str, Any]]:
    """Settings of a server with the docker launcher."""

    def settings(jobs: dict[str, Any] | None = None, **docker: Any) -> dict[str, Any]:
        return {
            "jobs": {"launcher": "docker", "max_running": 16, "max_running_per_user": 16, "cpus": 64} | (jobs or {}),
            "docker": {"images": ["*"], "memory": 256 << 20} | docker,
        }

    settings.image = base_image  # type: ignore[attr-defined]
    return settings


@pytest.fixture
async def client(serve: Callable[..., Any], boxed: Callable[..., dict[str, Any]]) -> Any:
    """A client of a fresh server in this process, whose toy jobs run in containers."""
    return await serve(boxed())


@pytest.fixture
def box(engine: Any) -> Callable[[str], Any]:
    """The container of a job, as the `docker` package sees it."""
    return lambda job_id: engine.containers.get(name_of(job_id))


@pytest.fixture
def run(client: Any, base_image: str) -> Callable[..., Any]:
    """Runs a script in a container to its end; its job's view."""

    async def run(script: str = "", uuid: str = "p", **params: Any) -> dict[str, Any]:
        return await client.until(await client.start(script, uuid, **({"image": base_image} | params)))

    run.image = base_image  # type: ignore[attr-defined]
    return run


@pytest.fixture
async def boxes(house: Any, boxed: Callable[..., dict[str, Any]], base_image: str) -> Any:
    """A server in a process of its own, not started yet, with its settings made."""
    house.settings = boxed()
    house.image = base_image
    return house


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if re.search(r"tests/integration/docker/", item.nodeid):
            item.add_marker(pytest.mark.docker)
