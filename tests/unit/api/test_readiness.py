"""What a launcher says of itself becomes a check of `/ready`: asked live, seldom, and never waited for too long."""

import asyncio
import contextlib

import pytest

from k12ai_ws.api import readiness
from k12ai_ws.api.readiness import LauncherProbe
from k12ai_ws.launchers.launcher import Capacity, LaunchError
from k12ai_ws.testing.fake_launcher import FakeLauncher
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.status import Reason

GONE = LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, "the engine at unix:///x.sock does not answer")


class Asked(FakeLauncher):
    """Counts the questions; answers once `silent` is over, with `error` where there is one."""

    name = "asked"

    def __init__(self):
        super().__init__()
        self.times = 0
        self.error = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def capacity(self):
        self.times += 1
        await self.answers.wait()
        if self.error:
            raise self.error
        return Capacity(1.0, 1 << 30)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
async def parts():
    launcher, clock = Asked(), Clock()
    probe = LauncherProbe(launcher, "asked, because", now=clock)
    yield probe, launcher, clock
    await probe.close()


async def test_a_launcher_that_answers(parts):
    probe, _, _ = parts
    assert await probe.check() == {"ok": True, "name": "asked", "message": "asked, because"}


async def test_one_that_does_not_is_told_and_asked_again(parts):
    probe, launcher, clock = parts
    launcher.error = GONE
    assert await probe.check() == {"ok": False, "name": "asked", "message": GONE.message}
    launcher.error = None
    assert (await probe.check())["ok"] is False, "what it said holds for a while"
    clock.now += readiness.KEEP_S
    assert (await probe.check())["ok"] is True
    launcher.error = GONE
    clock.now += readiness.KEEP_S
    assert (await probe.check())["ok"] is False
    assert launcher.times == 3


async def test_many_who_ask_at_once_ask_it_once(parts):
    probe, launcher, _ = parts
    found = await asyncio.gather(*(probe.check() for _ in range(50)))
    assert all(each["ok"] for each in found)
    assert launcher.times == 1


async def test_a_silent_one_is_asked_once_and_waited_for_once(parts, monkeypatch):
    probe, launcher, clock = parts
    monkeypatch.setattr(readiness, "PATIENCE_S", 0.05)
    launcher.answers.clear()
    found = await probe.check()
    assert (found["ok"], "no answer yet" in found["message"]) == (False, True)
    clock.now += 120
    monkeypatch.setattr(readiness, "PATIENCE_S", 60.0)
    found = await asyncio.wait_for(probe.check(), 5)
    assert "asked 120 s ago" in found["message"]
    assert launcher.times == 1
    launcher.answers.set()
    for _ in range(5):
        await asyncio.sleep(0)  # its turn comes
    assert (await probe.check())["ok"] is True


async def test_who_hangs_up_leaves_the_question_to_the_others(parts):
    probe, launcher, _ = parts
    launcher.answers.clear()
    first, second = (asyncio.create_task(probe.check()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    launcher.answers.set()
    assert (await second)["ok"] is True


async def test_a_fault_of_the_launcher_is_a_problem_and_is_logged(parts, caplog):
    probe, launcher, _ = parts
    launcher.error = KeyError("NCPU")
    assert await probe.check() == {"ok": False, "name": "asked", "message": "'NCPU'"}
    assert "asking the launcher asked what it has failed" in caplog.text


async def test_closing_waits_for_no_answer(parts):
    probe, launcher, _ = parts
    launcher.answers.clear()
    asking = asyncio.create_task(probe.check())
    await asyncio.sleep(0)
    await asyncio.wait_for(probe.close(), 5)
    assert (await asking)["name"] == "asked"
