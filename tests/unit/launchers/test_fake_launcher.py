"""The fake launcher fulfils the contract, and plays what a test says."""

import signal

import pytest

from k12ai_ws.drivers.spec import LaunchSpec
from k12ai_ws.launchers.launcher import LaunchError, LaunchRequest
from k12ai_ws.testing.fake_launcher import FakeLauncher, FakeRun
from k12ai_ws.testing.launcher_contract import LINES, LauncherContract
from k12ai_ws.wire.job import Exit


def play(run: FakeRun) -> None:
    """Plays the contract's programs, which the spec names."""
    program = run.request.spec.command[0]
    if program == "hello":
        run.print("out\n")
        run.print("err\n", "stderr")
        run.end()
    elif program == "silent":
        run.end()
    elif program == "exit3":
        run.print("bye\n")
        run.end(exit_code=3)
    elif program == "killed":
        run.print("bye\n")
        run.end(signal=signal.SIGKILL)
    elif program == "many":
        for i in range(LINES):
            run.print(f"{i}\n")
        run.end()
    else:
        run.print("ready\n")
    if program == "stubborn":
        run.on_stop = lambda run, grace_s: run.end(signal=signal.SIGKILL)
    if program == "graceful":
        run.on_stop = save


def save(run: FakeRun, grace_s: float) -> None:
    run.print("saved\n")
    run.end(exit_code=5)


class TestFakeLauncher(LauncherContract):
    @pytest.fixture
    def launcher(self) -> FakeLauncher:
        return FakeLauncher(play)

    def spec(self, program: str) -> LaunchSpec:
        return LaunchSpec(command=[program])


def request(job_id: str, tmp_path) -> LaunchRequest:
    return LaunchRequest(job_id, "u", "s", "k12test", "train.start", LaunchSpec(command=["x"]), {"output": tmp_path})


async def test_a_test_plays_a_run_from_outside(tmp_path):
    fake = FakeLauncher()
    handle = await fake.launch(request("a", tmp_path))
    run = await fake.started("a")
    batches = fake.logs(handle, 0)
    run.print("one\n")
    run.print(b"two\n", "stderr")
    assert [(c.data, c.stream, c.at_ms, c.position) for c in await anext(batches)] == [
        (b"one\n", "stdout", 1, 4),
        (b"two\n", "stderr", 2, 8),
    ]
    run.pause()
    assert list(await anext(batches)) == []
    run.on_stop = None
    await fake.stop(handle, 2.5)
    assert await run.until_stopped() == 2.5
    assert run.exit is None
    run.lose()
    assert [batch async for batch in batches] == []
    end = await fake.wait(handle)
    assert (end.lost, end.started_ms, end.ended_ms) == (True, 1, 3)
    await fake.release(handle)
    await run.until_released()
    assert await fake.adopt() == {}


async def test_launches_fail_as_often_as_was_said(tmp_path):
    fake = FakeLauncher()
    fake.fail("no room")
    with pytest.raises(LaunchError, match="no room"):
        await fake.launch(request("a", tmp_path))
    assert fake.runs == {}
    await fake.launch(request("a", tmp_path))
    assert list(fake.runs) == ["a"]
    assert len(fake.launches) == 2


async def test_a_run_that_ended_cannot_go_on(tmp_path):
    fake = FakeLauncher()
    await fake.launch(request("a", tmp_path))
    run = await fake.started()
    run.end(Exit(exit_code=1, started_ms=7, ended_ms=9))
    assert run.exit == Exit(exit_code=1, started_ms=7, ended_ms=9)
    with pytest.raises(AssertionError, match="prints no more"):
        run.print("x")
    with pytest.raises(AssertionError, match="ended already"):
        run.end()
