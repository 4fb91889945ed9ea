"""The launcher's contract, kept by the docker launcher with real containers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from k12ai_ws.drivers.spec import LaunchSpec
from k12ai_ws.launchers.docker.launcher import DockerLauncher
from k12ai_ws.testing.launcher_contract import PROGRAMS, LauncherContract

pytestmark = pytest.mark.docker


class TestDockerLauncher(LauncherContract):
    """Every line of the contract."""

    @pytest.fixture(autouse=True)
    def _place(self, place):
        self.place = place

    def spec(self, program: str) -> LaunchSpec:
        return LaunchSpec(command=["python3", "-c", PROGRAMS[program]], image=self.place.image)

    @pytest.fixture
    async def launcher(self, place) -> AsyncIterator[DockerLauncher]:
        launcher = place.launcher()
        yield launcher
        await launcher.close()

    @pytest.fixture
    def output(self, tmp_path: Path) -> Path:
        return tmp_path / "output"
