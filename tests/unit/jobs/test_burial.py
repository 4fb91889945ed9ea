"""Runs that no job follows any more: they are ended and released; until they are dead, what they hold stays theirs."""

import asyncio
import errno
import threading

import pytest

from k12ai_ws.drivers import LaunchSpec, LogParser, Resources
from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.monitor.gpus import GpuReading, GpuStats
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.status import Reason


@pytest.fixture
def unreadable(launcher, monkeypatch):
    """No log can be read, so that every job is given up at once."""

    async def breaks(handle, position):
        raise ValueError("no log here")
        yield

    monkeypatch.setattr(launcher, "logs", breaks)
    monkeypatch.setattr("k12ai_ws.jobs.carrier.ATTEMPTS", 1)


@pytest.fixture
async def one_gpu(house, driver):
    house.gpus = GpuReading((GpuStats(name="a GPU", uuid="GPU-a", index=0),))
    driver.does["launch"] = lambda _: LaunchSpec(command=["x"], resources=Resources(gpus=1))
    await house.restart()
    return house


async def until_released(run) -> None:
    async with asyncio.timeout(10):
        await run.until_released()


@pytest.mark.usefixtures("unreadable")
class TestGivenUp:
    async def test_the_run_is_released_once_it_is_dead(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.on_stop = None
        assert (await house.ended(job_id)).status == "lost"
        assert (run.stops, run.released) == ([3.0], False), "it has its grace"
        run.end(signal=9)
        await until_released(run)
        await house.idle()

    async def test_its_gpu_is_kept_until_it_is_dead_and_its_pair_is_not(self, one_gpu, launcher, monkeypatch) -> None:
        monkeypatch.setattr("k12ai_ws.jobs.carrier.DEATH_S", 0.0)
        job_id = (await one_gpu.start())["job_id"]
        run = await launcher.started(job_id)
        run.on_stop = None
        assert (await one_gpu.ended(job_id)).status == "lost"
        await one_gpu.idle()
        following = await one_gpu.start()
        assert following["status"]["message"] == "waits for 1 GPU: none of 1 is free"
        await asyncio.sleep(0.1)  # the machine is looked at again and again meanwhile
        assert following["job_id"] not in launcher.runs
        run.end(signal=9)
        assert (await launcher.started(following["job_id"])).request.gpus == ("GPU-a",)
        await until_released(run)

    async def test_a_death_that_cannot_be_seen_for_a_while_is_waited_for(self, one_gpu, launcher, monkeypatch) -> None:
        wait, stop, pauses, sleep = launcher.wait, launcher.stop, [], asyncio.sleep
        errors = [
            LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, "no answer"),
            OSError(errno.EMFILE, "too many open files"),
            KeyError("State"),
            TimeoutError("no answer"),
        ] * 2

        async def fails(handle):
            if len(pauses) < len(errors):
                raise errors[len(pauses)]
            return await wait(handle)

        async def at_once(seconds: float) -> None:
            if seconds >= 1:
                pauses.append(seconds)
                assert following not in launcher.runs
            await sleep(0 if seconds >= 1 else seconds)

        async def fails_at_first(handle, grace_s) -> None:
            if not pauses:
                raise errors[0]
            await stop(handle, grace_s)

        following = "job-2"
        monkeypatch.setattr(launcher, "wait", fails)
        monkeypatch.setattr(launcher, "stop", fails_at_first)
        monkeypatch.setattr("k12ai_ws.jobs.carrier.asyncio.sleep", at_once)
        job_id = (await one_gpu.start())["job_id"]
        run = await launcher.started(job_id)
        assert (await one_gpu.start("another"))["job_id"] == following
        await until_released(run)
        assert (run.stops, pauses) == ([0.0], [1, 2, 4, 8, 16, 30, 30, 30]), "the stop that failed is repeated"
        await launcher.started(following)

    async def test_a_server_that_closes_meanwhile_leaves_it_alone(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.on_stop = None
        await house.ended(job_id)
        async with asyncio.timeout(5):
            await house.jobs.close()
        assert (run.exit, run.released) == (None, False)

    async def test_a_release_that_fails_frees_the_place(self, one_gpu, launcher, monkeypatch) -> None:
        async def fails(handle) -> None:
            raise OSError("says the test")

        monkeypatch.setattr(launcher, "release", fails)
        await one_gpu.ended((await one_gpu.start())["job_id"])
        await one_gpu.idle()
        assert (await one_gpu.start())["status"]["value"] == "starting"


class TestFound:
    """A run that an earlier server had started, and could not say so, of a job that ends without it."""

    @pytest.fixture
    async def half_launched(self, one_gpu, launcher, monkeypatch):
        """The server is dead: its job is `starting`, and its run is there."""
        launch, launched = launcher.launch, asyncio.Event()

        async def dies(request):
            await launch(request)
            launched.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(launcher, "launch", dies)
        await one_gpu.start()
        await launched.wait()
        await one_gpu.close()
        monkeypatch.setattr(launcher, "launch", launch)
        return one_gpu

    async def test_the_driver_is_gone(self, half_launched, launcher) -> None:
        run = launcher.runs["job-1"]
        half_launched.services.clear()
        await half_launched.open()
        assert (await half_launched.ended("job-1")).code == Code.SERVICE_NOT_FOUND
        await until_released(run)
        assert run.stops == [0.0]

    async def test_the_launcher_fails(self, half_launched, launcher, monkeypatch) -> None:
        async def fails(request):
            raise LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, "no answer")

        run = launcher.runs["job-1"]
        run.on_stop = None
        launch = launcher.launch
        monkeypatch.setattr(launcher, "launch", fails)
        await half_launched.open()
        assert (await half_launched.ended("job-1")).reason == Reason.ENGINE_FAILED
        monkeypatch.setattr(launcher, "launch", launch)
        async with asyncio.timeout(5):
            assert await run.until_stopped() == 0.0
        following = await half_launched.start("another")
        assert following["status"]["message"] == "waits for 1 GPU: none of 1 is free", "the run may still use it"
        run.end(signal=9)
        await until_released(run)
        assert (await launcher.started(following["job_id"])).request.gpus == ("GPU-a",)

    async def test_a_stop_comes_before_it_is_taken_up(self, half_launched, launcher, driver) -> None:
        asked, go_on = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def launch(_):
            loop.call_soon_threadsafe(asked.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(5)
            return LaunchSpec(command=["x"], resources=Resources(gpus=1))

        driver.does["launch"] = launch
        run = launcher.runs["job-1"]
        await half_launched.open()
        async with asyncio.timeout(5):
            await asked.wait()
        await half_launched.stop()
        go_on.set()
        assert (await half_launched.ended("job-1")).status == "stopped"
        await until_released(run)
        assert run.stops == [0.0]

    async def test_the_server_fails_before_it_is_taken_up(self, half_launched, launcher, monkeypatch) -> None:
        def fails(self, record):
            raise RuntimeError("says the test")

        monkeypatch.setattr("k12ai_ws.jobs.hosts.Hosts.of", fails)
        run = launcher.runs["job-1"]
        await half_launched.open()
        assert (await half_launched.ended("job-1")).status == "lost"
        await until_released(run)
        assert run.stops == [0.0]

    async def test_one_that_is_taken_up_is_left_alone(self, half_launched, launcher) -> None:
        run = launcher.runs["job-1"]
        await half_launched.open()
        await half_launched.until_status("job-1", "running")
        assert (run.stops, run.released) == ([], False)


async def test_a_run_of_an_unknown_job_is_ended_also_where_that_fails_at_first(house, launcher, monkeypatch) -> None:
    stop, failures = launcher.stop, [OSError("says the test")]

    async def fails(handle, grace_s) -> None:
        if failures:
            raise failures.pop()
        await stop(handle, grace_s)

    job_id = (await house.start())["job_id"]
    run = await launcher.started(job_id)
    await house.close()
    for file in house.folder.glob("k12ai.sqlite3*"):
        file.rename(house.folder / f"lost-{file.name}")
    monkeypatch.setattr(launcher, "stop", fails)
    monkeypatch.setattr("k12ai_ws.jobs.carrier.RETRY_S", 0.01)
    await house.open()
    await until_released(run)
    assert run.stops == [0.0]


async def test_a_dead_job_gives_its_place_before_its_log_is_read(house, launcher, driver) -> None:
    """Much log takes long to read; who waits must not wait for that."""
    read_on = threading.Event()

    class Slow(LogParser):
        def feed(self, line: str):
            read_on.wait(60)
            return ()

    driver.does["parsers"] = lambda _: [Slow()]
    house.limits["max_running"] = 1
    await house.restart()
    first = (await house.start())["job_id"]
    run = await launcher.started(first)
    second = (await house.start("else", user="somebody"))["job_id"]
    assert (await house.record(second)).status == "queued"
    run.print("much\n")
    run.end()
    await launcher.started(second)
    assert (await house.record(first)).status == "running"
    read_on.set()
    assert (await house.ended(first)).status == "finished"


async def test_whoever_sees_the_end_may_start_the_next_job_at_once(house, launcher, monkeypatch) -> None:
    """What is left of the run takes its time to be removed: a container takes long."""
    release, going = launcher.release, asyncio.Event()

    async def slowly(handle):
        await going.wait()
        await release(handle)

    monkeypatch.setattr(launcher, "release", slowly)
    first = (await house.start())["job_id"]
    (await launcher.started(first)).end()
    await house.until_status(first, "finished")
    second = (await house.start())["job_id"]
    (await launcher.started(second)).end()
    going.set()
    assert (await house.ended(second)).status == "finished"
