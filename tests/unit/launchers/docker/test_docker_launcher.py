"""The docker launcher with an engine that takes its time: no kind of call waits for another kind."""

import asyncio
import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from k12ai_ws.drivers.spec import LaunchSpec
from k12ai_ws.launchers.docker.engine import Engine, EngineGone
from k12ai_ws.launchers.docker.launcher import DockerLauncher
from k12ai_ws.launchers.docker.policy import Policy
from k12ai_ws.launchers.docker.usage import ContainerMeter
from k12ai_ws.launchers.launcher import Capacity, LaunchError, LaunchRequest

PATIENCE_S = 90.0
SPEC = LaunchSpec(command=["true"], image="k12ai/x")


class Slow(Engine):
    """Launches hang in `inspect` until `going`, and `info` until `telling`."""

    def __init__(self) -> None:
        super().__init__("unix:///nowhere.sock", environ={})
        self.going = threading.Event()
        self.telling = threading.Event()
        self.launching = threading.Semaphore(0)
        self.removed: list[str] = []
        self.told = 0

    def inspect(self, container):
        self.launching.release()
        assert self.going.wait(PATIENCE_S)
        raise EngineGone("gone")

    def remove(self, container):
        self.removed.append(container)

    def info(self):
        self.told += 1
        assert self.telling.wait(PATIENCE_S)
        return {"NCPU": 2, "MemTotal": 1 << 30}


@pytest.fixture
def slow():
    slow = Slow()
    yield slow
    slow.going.set()
    slow.telling.set()


@pytest.fixture
async def launcher(slow, tmp_path):
    launcher = DockerLauncher(tmp_path / "runs", slow, Policy(images=["*"]), server_id="s", data_dir=tmp_path)
    yield launcher
    await launcher.close()


async def all_launching(launcher, slow, tmp_path, count=8):
    requests = [LaunchRequest(f"j{n}", "u", "s", "n", "op", SPEC, {"output": tmp_path}) for n in range(count)]
    launches = [asyncio.ensure_future(launcher.launch(request)) for request in requests]
    for _ in launches:
        assert await asyncio.to_thread(slow.launching.acquire, timeout=PATIENCE_S)
    return launches


async def test_slow_launches_hold_up_nothing_else(launcher, slow, tmp_path):
    launches = await all_launching(launcher, slow, tmp_path)
    late = asyncio.ensure_future(launcher.launch(LaunchRequest("late", "u", "s", "n", "op", SPEC, {})))
    slow.telling.set()
    async with asyncio.timeout(PATIENCE_S / 2):
        assert await launcher.capacity() == Capacity(2.0, 1 << 30)
        await launcher.check(SPEC)
        await launcher.stop({"run": "other", "container": "c"}, 0.0)
        await launcher.release({"run": "other", "container": "c"})
        assert not [launch async for launch in launcher.logs({"run": "other", "container": "c"}, 0)]
    assert slow.removed == ["c"]
    assert not any(launch.done() for launch in launches)
    slow.going.set()
    ends = await asyncio.gather(*launches, late, return_exceptions=True)
    assert all(isinstance(end, LaunchError) for end in ends)


async def test_one_question_at_a_time_what_the_engine_has(launcher, slow):
    """However many ask, and give up: a hung engine holds one thread."""
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await launcher.capacity()
    asking = [asyncio.ensure_future(launcher.capacity()) for _ in range(5)]
    await asyncio.sleep(0)
    slow.telling.set()
    async with asyncio.timeout(PATIENCE_S):
        assert set(await asyncio.gather(*asking)) == {Capacity(2.0, 1 << 30)}
        assert slow.told == 1
        await launcher.capacity()
    assert slow.told == 2, "an answer is shared, and not kept"


async def test_an_answer_that_nobody_waits_for_is_no_complaint(launcher, slow, monkeypatch):
    complaints, asked, failed = [], slow.info, asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))

    def fails():
        try:
            asked()
            raise EngineGone("gone")
        finally:
            loop.call_soon_threadsafe(loop.call_later, 0.01, failed.set)

    monkeypatch.setattr(slow, "info", fails)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await launcher.capacity()
    slow.telling.set()
    async with asyncio.timeout(PATIENCE_S):
        await failed.wait()
        monkeypatch.setattr(slow, "info", asked)
        await launcher.capacity()  # and the failure is forgotten
    gc.collect()
    assert complaints == []


async def test_closing_waits_for_no_call_and_takes_the_meter_along(launcher, slow, tmp_path, monkeypatch):
    closed, close = [], ContainerMeter.close
    monkeypatch.setattr(ContainerMeter, "close", lambda meter: (closed.append(meter), close(meter)))
    launches = await all_launching(launcher, slow, tmp_path)
    late = asyncio.ensure_future(launcher.launch(LaunchRequest("late", "u", "s", "n", "op", SPEC, {})))
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S / 2):
        await launcher.close()
        assert isinstance((await asyncio.gather(late, return_exceptions=True))[0], asyncio.CancelledError)
    assert len(closed) == 1
    assert not any(launch.done() for launch in launches)
    slow.going.set()
    await asyncio.gather(*launches, return_exceptions=True)
    assert slow.launching.acquire(blocking=False) is False, "what had not begun never begins"


def test_the_process_ends_with_a_hung_engine(tmp_path: Path):
    """Threads that wait for an engine are not waited for at the interpreter's end."""
    program = """
import asyncio, pathlib, socket, sys
from k12ai_ws.launchers.docker.engine import Engine
from k12ai_ws.launchers.docker.launcher import DockerLauncher
from k12ai_ws.launchers.docker.policy import Policy

async def main(folder):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind("engine.sock")
        silent.listen()
        engine = Engine("unix://" + str(folder / "engine.sock"), environ={}, timeout_s=600)
        launcher = DockerLauncher(folder / "runs", engine, Policy(images=["*"]), server_id="s", data_dir=folder)
        try:
            async with asyncio.timeout(0.5):
                await launcher.capacity()
        except TimeoutError:
            print("silent")
        await launcher.close()

asyncio.run(main(pathlib.Path(sys.argv[1])))
"""
    folder = Path(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], cwd=folder, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"silent\n", b"")
