"""A driver's log parser that never comes back costs its own job's special reading, and nobody else anything."""

import asyncio
import threading

import pytest

from k12ai_ws.drivers import LogParser, Metrics
from k12ai_ws.jobs.runner import HUNG_LIMIT, PARSING_AT_ONCE
from k12ai_ws.jobs.threads import DaemonThreads, Hung, Turns
from k12ai_ws.logs.rules import read_configured


@pytest.fixture
async def house(house):
    """With a patience that a test can wait for."""
    house.parsing_timeout_s = 0.3
    await house.restart()
    return house


@pytest.fixture
def hanging(driver):
    """The driver's parsers: each gives a metric per line, and hangs at the line `hang` until the test is over."""
    over = threading.Event()

    class Hangs(LogParser):
        def feed(self, line: str):
            if line == "hang":
                over.wait(60)
            return [Metrics({"special": 1.0})]

    driver.does["parsers"] = lambda _: [Hangs()]
    yield over
    over.set()


async def warnings_of(house, job_id: str) -> list[str]:
    return [e["error"]["message"] for e in await house.events(job_id, "error")]


async def test_the_log_is_read_again_from_the_stored_position_with_auto(house, launcher, hanging) -> None:
    job_id = (await house.start())["job_id"]
    run = await launcher.started(job_id)
    run.print("before\n")
    async with asyncio.timeout(10):
        while not await house.events(job_id, "metrics"):  # noqa: ASYNC110 - the store is the only witness
            await asyncio.sleep(0.01)
    run.print("hang\nloss=0.5\n")
    run.end()
    assert (await house.ended(job_id)).status == "finished"
    assert [e["metrics"] for e in await house.events(job_id, "metrics")] == [{"special": 1.0}, {"loss": 0.5}]
    lines = [line for e in await house.events(job_id, "log") for line in e["log"]["lines"]]
    assert lines == ["before", "hang", "loss=0.5"], "each line once"
    (warning,) = await warnings_of(house, job_id)
    assert "hangs: it did not come back within 0.3 s" in warning
    assert "preset auto" in warning


async def test_the_rules_of_the_configuration_read_on(house, launcher, driver) -> None:
    over = threading.Event()

    class Hangs(LogParser):
        def feed(self, line: str):
            return over.wait(60) if line == "hang" else ()

    driver.does["parsers"] = lambda _: [Hangs()]
    house.log_rules = read_configured([{"pattern": r"reward is (?P<reward>\S+)"}])
    await house.restart()
    job_id = (await house.start())["job_id"]
    run = await launcher.started(job_id)
    run.print("reward is 1\n")
    async with asyncio.timeout(10):
        while not await house.events(job_id, "metrics"):  # noqa: ASYNC110 - the store is the only witness
            await asyncio.sleep(0.01)
    run.print("hang\nloss=0.5\n")
    async with asyncio.timeout(10):
        while not await warnings_of(house, job_id):  # noqa: ASYNC110 - the store is the only witness
            await asyncio.sleep(0.01)
    over.set()
    run.print("reward is 2\n")
    await house.restart()
    run.print("reward is 3\n")
    run.end()
    await house.ended(job_id)
    found = [e["metrics"] for e in await house.events(job_id, "metrics")]
    assert found == [{"reward": 1}, {"loss": 0.5}, {"reward": 2}, {"reward": 3}]
    assert len(await warnings_of(house, job_id)) == 1


async def test_it_hangs_at_the_end_of_the_log(house, launcher, driver) -> None:
    over = threading.Event()

    class Hangs(LogParser):
        def feed(self, line: str):
            return ()

        def close(self):
            over.wait(60)
            return ()

    driver.does["parsers"] = lambda _: [Hangs()]
    job_id = (await house.start())["job_id"]
    run = await launcher.started(job_id)
    run.print("loss=0.5\n")
    run.end(exit_code=3)
    record = await house.ended(job_id)
    over.set()
    assert (record.status, record.exit_code) == ("failed", 3)
    assert len([w for w in await warnings_of(house, job_id) if "hangs" in w]) == 1
    assert run.released


async def test_more_hung_parsers_than_turns_hold_up_nobody(house, launcher, driver, hanging) -> None:
    other = type(driver)()
    house.services["other"] = type(house.services["svc"])(other, "plugin", "dist", "1", {})
    house.limits |= {"max_running": 20, "max_running_per_user": 20}
    await house.restart()
    hung = [(await house.start(f"h{i}"))["job_id"] for i in range(PARSING_AT_ONCE + 1)]
    for job_id in hung:
        (await launcher.started(job_id)).print("hang\n")
    good = (await house.start("good", service="other"))["job_id"]
    run = await launcher.started(good)
    run.print("loss=0.5\n")
    run.end()
    assert (await house.ended(good)).last_metrics["loss"] == 0.5
    for job_id in hung:
        (await launcher.started(job_id)).end()
        assert (await house.ended(job_id)).status == "finished"
        assert len(await warnings_of(house, job_id)) == 1


async def test_the_threads_that_hang_are_bounded(house, launcher, hanging) -> None:
    for number in range(HUNG_LIMIT + 2):
        job_id = (await house.start(f"p{number}"))["job_id"]
        run = await launcher.started(job_id)
        run.print("hang\nloss=0.5\n")
        run.end()
        assert (await house.ended(job_id)).last_metrics["loss"] == 0.5
        (warning,) = await warnings_of(house, job_id)
        assert ("hang in other jobs" in warning) == (number >= HUNG_LIMIT)
    assert len([t for t in threading.enumerate() if t.name == "k12ai-parse"]) == HUNG_LIMIT


async def test_after_a_restart_it_goes_on_with_auto_and_says_nothing_new(house, launcher, hanging) -> None:
    job_id = (await house.start())["job_id"]
    run = await launcher.started(job_id)
    run.print("hang\nloss=0.5\n")
    async with asyncio.timeout(10):
        while not await warnings_of(house, job_id):  # noqa: ASYNC110 - the store is the only witness
            await asyncio.sleep(0.01)
    await house.restart()
    run.print("hang\nloss=0.25\n")
    run.end()
    assert (await house.ended(job_id)).last_metrics["loss"] == 0.25
    assert len(await warnings_of(house, job_id)) == 1


async def test_parsers_that_cannot_load_their_state_are_asked_for_anew(house, launcher, driver) -> None:
    made = []

    class Picky(LogParser):
        def __init__(self) -> None:
            made.append(self)
            self.used = False

        def feed(self, line: str):
            if self.used is None:
                return [Metrics({"half": 1.0})]
            return [Metrics({"whole": 1.0})]

        def __setattr__(self, name, value) -> None:
            super().__setattr__(name, value)
            if name == "state" and value:
                self.used = None  # half loaded
                raise ValueError("says the parser")

        def __new__(cls, *args, **kwargs):
            self = super().__new__(cls)
            self.state["some"] = 1
            return self

    driver.does["parsers"] = lambda _: [Picky()]
    job_id = (await house.start())["job_id"]
    run = await launcher.started(job_id)
    run.print("a\n")
    async with asyncio.timeout(10):
        while not await house.events(job_id, "metrics"):  # noqa: ASYNC110 - the store is the only witness
            await asyncio.sleep(0.01)
    await house.restart()
    run.print("b\n")
    run.end()
    await house.ended(job_id)
    assert [e["metrics"] for e in await house.events(job_id, "metrics")] == [{"whole": 1.0}, {"whole": 1.0}]
    (warning,) = await warnings_of(house, job_id)
    assert "is lost" in warning
    assert "says the parser" in warning


async def test_no_thread_to_be_had_is_waited_out(house, launcher, monkeypatch) -> None:
    job_id = (await house.start())["job_id"]
    run = await launcher.started(job_id)
    submit, failures, pauses, sleep = DaemonThreads.submit, 3 * PARSING_AT_ONCE, [], asyncio.sleep

    def fails(self, fn, /, *args, **kwargs):
        if self._name != "k12ai-parse" or len(pauses) >= failures:
            return submit(self, fn, *args, **kwargs)
        raise RuntimeError("can't start new thread")

    async def at_once(seconds: float) -> None:
        if seconds >= 1:
            pauses.append(seconds)
        await sleep(0 if seconds >= 1 else seconds)

    monkeypatch.setattr(DaemonThreads, "submit", fails)
    monkeypatch.setattr("k12ai_ws.jobs.carrier.asyncio.sleep", at_once)
    run.print("loss=0.5\n")
    run.end()
    record = await house.ended(job_id)
    assert (record.status, record.last_metrics["loss"]) == ("finished", 0.5), "it is no fault of the job's"
    assert len(pauses) == failures


class TestTurns:
    async def test_a_thread_that_cannot_be_started_keeps_no_turn(self, monkeypatch) -> None:
        def fails(self) -> None:
            raise RuntimeError("can't start new thread")

        turns = Turns(DaemonThreads("test"), at_once=2, timeout_s=10)
        monkeypatch.setattr(threading.Thread, "start", fails)
        for _ in range(3):
            async with asyncio.timeout(5):
                with pytest.raises(OSError, match="no thread could be started for it: can't start new thread"):
                    await turns.call("me", str, 1)
        monkeypatch.undo()
        async with asyncio.timeout(5):
            assert await turns.call("me", str, 1) == "1"

    async def test_a_thread_that_comes_back_late_is_counted_no_more(self) -> None:
        turns = Turns(DaemonThreads("test"), at_once=1, timeout_s=0.05)
        over = threading.Event()
        with pytest.raises(Hung, match=r"0\.05 s"):
            await turns.call("me", over.wait, 60)
        assert (turns.hung("me"), turns.hung("other")) == (1, 0)
        assert await turns.call("other", str, 7) == "7"
        over.set()
        async with asyncio.timeout(10):
            while turns.hung("me"):  # noqa: ASYNC110 - the thread's own end
                await asyncio.sleep(0.005)

    async def test_no_more_at_one_time_than_there_are_turns(self) -> None:
        turns = Turns(DaemonThreads("test"), at_once=2, timeout_s=10)
        now, most = [0], [0]
        lock = threading.Lock()

        def work(pause: threading.Event) -> None:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            pause.wait(0.01)
            with lock:
                now[0] -= 1

        await asyncio.gather(*(turns.call("me", work, threading.Event()) for _ in range(20)))
        assert most == [2]

    async def test_whoever_is_cancelled_keeps_the_turn_until_the_thread_is_back(self) -> None:
        turns = Turns(DaemonThreads("test"), at_once=1, timeout_s=60)
        over = threading.Event()
        first = asyncio.create_task(turns.call("me", over.wait, 60))
        await asyncio.sleep(0)
        second = asyncio.create_task(turns.call("me", str, 1))
        await asyncio.sleep(0)
        first.cancel()
        done, _ = await asyncio.wait({first, second}, timeout=0.1)
        assert done == {first}
        over.set()
        assert await asyncio.wait_for(second, 10) == "1"

    async def test_what_the_work_raises_comes_out(self) -> None:
        turns = Turns(DaemonThreads("test"), at_once=1, timeout_s=60)
        for raised in (TimeoutError("its own"), ValueError("x")):

            def work(error: Exception) -> None:
                raise error

            with pytest.raises(type(raised)):
                await turns.call("me", work, raised)
        assert await turns.call("me", str, 1) == "1"
