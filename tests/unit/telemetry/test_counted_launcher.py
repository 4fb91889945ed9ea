"""The launcher that counts: nothing of the contract passes it by, and what it gives is what is within."""

import inspect

import pytest
from prometheus_client import CollectorRegistry

from k12ai_ws.launchers.launcher import Chunk, Launcher, LaunchError
from k12ai_ws.telemetry.counted import Counted
from k12ai_ws.telemetry.launcher import CountedLauncher
from k12ai_ws.wire.status import Reason

CALLS = {name for name, f in vars(Launcher).items() if inspect.isfunction(f) and not name.startswith("_")}


class Within:
    """Not a launcher of ours: only what is asked of it is there."""

    name = "within"

    def __init__(self) -> None:
        self.closed = False

    async def stop(self, handle, grace_s) -> None:
        raise LaunchError(100203, Reason.ENGINE_FAILED, "away")

    async def logs(self, handle, position):
        try:
            yield [Chunk(b"a\nb", "stdout", 1, 3)]
            yield []
            yield [Chunk(b"\n", "stderr", 2, 4)]
            raise LaunchError(100203, Reason.ENGINE_FAILED, "away")
        finally:
            self.closed = True


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def launcher(registry) -> CountedLauncher:
    return CountedLauncher(Within(), Counted(registry))  # type: ignore[arg-type]


def test_every_call_of_the_contract_is_passed_on() -> None:
    assert vars(CountedLauncher).keys() >= CALLS
    assert len(CALLS) >= 9


async def test_a_call_that_fails_is_counted_and_fails(launcher, registry) -> None:
    with pytest.raises(LaunchError):
        await launcher.stop({}, 1.0)
    assert registry.get_sample_value("k12ai_launcher_calls_total", {"call": "stop"}) == 1
    assert registry.get_sample_value("k12ai_launcher_errors_total", {"call": "stop"}) == 1


async def test_what_is_read_is_counted(launcher, registry) -> None:
    logs = launcher.logs({}, 0)
    assert [len(await anext(logs)) for _ in range(3)] == [1, 0, 1]
    with pytest.raises(LaunchError):
        await anext(logs)
    assert registry.get_sample_value("k12ai_log_read_bytes_total") == 4
    assert registry.get_sample_value("k12ai_log_read_lines_total") == 2
    assert registry.get_sample_value("k12ai_launcher_errors_total", {"call": "logs"}) == 1


async def test_reading_that_is_left_ends_what_is_within(launcher) -> None:
    logs = launcher.logs({}, 0)
    await anext(logs)
    await logs.aclose()
    assert launcher._within.closed
