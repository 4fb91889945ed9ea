"""The process launcher fulfils the launcher's contract."""

import pytest

from k12ai_ws.launchers.process.launcher import ProcessLauncher
from k12ai_ws.testing.launcher_contract import LauncherContract


class TestProcessLauncher(LauncherContract):
    @pytest.fixture
    async def launcher(self, tmp_path):
        launcher = ProcessLauncher(tmp_path / "runs")
        yield launcher
        await launcher.close()
