"""The manager: starts, stops and their races, limits, misbehaving drivers, launchers and stores."""

import asyncio
import errno
import threading

import pytest

from k12ai_ws.drivers import Fault, LaunchSpec, LogParser, Refused, Resources
from k12ai_ws.jobs.workspace import DRIVER_TURNS
from k12ai_ws.launchers.launcher import LaunchError, LaunchRequest
from k12ai_ws.store.store import StoreError
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit
from k12ai_ws.wire.requests import Refusal
from k12ai_ws.wire.status import Reason


async def refused(call) -> Fault:
    with pytest.raises(Refusal) as caught:
        await call
    return caught.value.fault


def in_turn(*does):
    """The first call does the first of `does`, and so on."""
    left = iter(does)

    def do(job):
        does_now = next(left)
        return does_now(job)

    return do


class TestOneJob:
    async def test_from_start_to_a_good_end(self, house, launcher) -> None:
        answer = await house.start(params={"epochs": 3})
        assert (answer["type"], answer["status"]["value"], answer["status"]["code"]) == ("status", "starting", 100001)
        assert (answer["user"], answer["service_uuid"], answer["service_name"], answer["op"]) == (
            "u", "p", "svc", "train.start"
        )  # fmt: skip
        job_id = answer["job_id"]
        run = await launcher.started(job_id)
        assert run.request.spec.command == ["python", "-m", "train"]
        run.print("epoch=1 loss=0.5\n")
        run.end()
        record = await house.ended(job_id)
        assert (record.reason, record.exit_code, record.params) == (
            Reason.COMPLETED,
            0,
            {"epochs": 3, "anything": None},
        )
        assert record.last_metrics["loss"] == 0.5
        assert await house.statuses(job_id) == ["queued", "starting", "running", "finished"]
        await run.until_released()
        await house.idle()
        assert await house.store.position(job_id) is None

    async def test_the_answer_is_the_stored_event(self, house) -> None:
        answer = await house.start()
        assert answer in await house.events(answer["job_id"])

    async def test_the_log_is_drained_before_the_end(self, house, launcher) -> None:
        def play(run) -> None:
            run.print("a\n" * 5000)
            run.print(
                'Traceback (most recent call last):\n  File "t.py", line 1, in <module>\n    f()\nValueError: x',
                "stderr",
            )
            run.end(exit_code=1)

        launcher._on_launch = play
        record = await house.ended((await house.start())["job_id"])
        assert (record.reason, record.code) == (Reason.EXCEPTION, Code.VALUE_ERROR)
        lines = [line for e in await house.events(record.job_id, "log") for line in e["log"]["lines"]]
        assert len(lines) == 5004

    async def test_a_pause_brings_out_what_was_held_back(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.print('Traceback (most recent call last):\n  File "t.py", line 1, in <module>\n    f()\nValueError: x\n')
        run.pause()
        async with asyncio.timeout(5):
            while not await house.events(job_id, "error"):
                run.pause()
                await asyncio.sleep(0.005)
        assert (await house.record(job_id)).last_error["detail"]["exc_type"] == "ValueError"

    async def test_the_operators_time_limit_holds_where_the_driver_asks_for_none(self, house, launcher, driver) -> None:
        house.time_limit_s = 60.0
        await house.restart()
        await house.start("a")
        await launcher.started("job-1")
        driver.does["launch"] = lambda _: LaunchSpec(command=["x"], resources=Resources(time_limit_s=5))
        await house.start("b")
        async with asyncio.timeout(5):
            limits = [(await launcher.started(f"job-{i}")).request.spec.resources.time_limit_s for i in (1, 2)]
        assert limits == [60.0, 5.0]


class TestRefusals:
    @pytest.mark.parametrize(
        ("request_", "code", "field"),
        [
            ({"service": "none"}, Code.SERVICE_NOT_FOUND, "service_name"),
            ({"op": "evaluate.start"}, Code.VALUE_INVALID, "op"),
            ({"op": "jobs.start"}, Code.VALUE_INVALID, "op"),
            ({"params": {"epochs": "many"}}, Code.PARAMS_INVALID, "service_params.epochs"),
            ({"params": {"unknown": 1}}, Code.PARAMS_INVALID, "service_params.unknown"),
            ({"params": {"epochs": 1e30}}, Code.PARAMS_INVALID, "service_params.epochs"),
            ({"params": {"epochs": True}}, Code.PARAMS_INVALID, "service_params.epochs"),
            ({"params": {"epochs": "3"}}, Code.PARAMS_INVALID, "service_params.epochs"),
        ],
    )
    async def test_bad_requests_change_nothing(self, house, request_, code, field) -> None:
        fault = await refused(house.start(**request_))
        assert fault.code == code
        if field is not None:
            assert [f["loc"] for f in fault.detail["fields"]] == [field]
        assert (house.store.head, house.jobs.active(), (await house.store.jobs()).jobs) == (0, [], [])
        assert (await house.start())["status"]["value"] == "starting", "the pair is free"

    async def test_a_whole_number_is_one_however_it_is_spelt(self, house) -> None:
        job_id = (await house.start(params={"epochs": 3.0}))["job_id"]
        assert (await house.store.job(job_id)).params["epochs"] == 3

    async def test_params_too_deep_to_be_stored(self, house) -> None:
        deep: list = []
        for _ in range(600):
            deep = [deep]
        fault = await refused(house.start(params={"anything": deep}))
        assert fault.code == Code.PARAMS_INVALID
        assert house.store.head == 0

    async def test_a_drivers_refusal(self, house, driver) -> None:
        def check(job) -> None:
            raise Refused(Code.DATASET_MISSING, "there is no dataset 'x'", field="dataset")

        driver.does["check"] = check
        fault = await refused(house.start())
        assert (fault.code, fault.message) == (Code.DATASET_MISSING, "there is no dataset 'x'")
        assert fault.detail["fields"][0]["loc"] == "service_params.dataset"

    async def test_a_store_that_fails_changes_nothing(self, house) -> None:
        house.store.failing_appends = 1
        with pytest.raises(StoreError):
            await house.start()
        assert house.jobs.active() == []
        assert (await house.start())["status"]["value"] == "starting"

    async def test_a_store_that_fails_at_the_admission_only_delays_it(self, house, launcher) -> None:
        create = house.store.append

        async def second_fails(change):
            house.store.append = create
            stored = await create(change)
            house.store.failing_appends = 1
            return stored

        house.store.append = second_fails
        answer = await house.start()
        assert answer["status"]["value"] == "queued"
        (await launcher.started(answer["job_id"])).end()
        await house.ended(answer["job_id"])
        assert await house.statuses(answer["job_id"]) == ["queued", "starting", "running", "finished"]


class TestOnePerPair:
    async def test_the_second_is_refused_and_told_which(self, house) -> None:
        job_id = (await house.start())["job_id"]
        fault = await refused(house.start(op="predict.start"))
        assert (fault.code, fault.detail) == (Code.ALREADY_RUNNING, {"job_id": job_id})
        await house.start("another")
        await house.start(user="another")

    async def test_of_many_at_once_one_wins(self, house) -> None:
        results = await asyncio.gather(*(house.start() for _ in range(20)), return_exceptions=True)
        assert sum(isinstance(r, dict) for r in results) == 1
        assert {r.fault.code for r in results if isinstance(r, Refusal)} == {Code.ALREADY_RUNNING}
        assert len((await house.store.jobs()).jobs) == 1

    async def test_after_the_end_it_is_free_again(self, house, launcher) -> None:
        first = (await house.start())["job_id"]
        (await launcher.started(first)).end()
        await house.ended(first)
        await house.idle()
        second = (await house.start())["job_id"]
        assert second != first


class TestIdempotency:
    async def test_the_same_key_gives_the_same_job(self, house, launcher) -> None:
        first = await house.start(key="k", digest="d")
        again = await house.start(key="k", digest="d")
        assert again["job_id"] == first["job_id"]
        assert again["status"]["value"] in ("starting", "running")
        assert again in await house.events(first["job_id"]), "the stored event, so that it says where to follow from"
        (await launcher.started(first["job_id"])).end()
        await house.ended(first["job_id"])
        await house.idle()
        ended = await house.start(key="k", digest="d")
        assert (ended["job_id"], ended["status"]["value"]) == (first["job_id"], "finished")
        await house.restart()
        assert await house.start(key="k", digest="d") == ended == (await house.events(first["job_id"]))[-1]

    async def test_a_job_of_the_server_before(self, house, launcher) -> None:
        first = await house.start(key="k", digest="d")
        await house.until_status(first["job_id"], "running")
        await house.restart()
        again = await house.start(key="k", digest="d")
        assert again == (await house.events(first["job_id"], "status"))[-1]
        assert again["status"]["value"] == "running"

    async def test_concurrent_starts_with_one_key_make_one_job(self, house) -> None:
        answers = await asyncio.gather(*(house.start(key="k", digest="d") for _ in range(20)))
        assert len({a["job_id"] for a in answers}) == 1
        assert len((await house.store.jobs()).jobs) == 1

    async def test_the_key_for_another_request_is_refused(self, house) -> None:
        await house.start(key="k", digest="d")
        fault = await refused(house.start("another", key="k", digest="e"))
        assert fault.code == Code.VALUE_INVALID
        assert "Idempotency-Key" in fault.message
        assert [f["loc"] for f in fault.detail["fields"]] == ["Idempotency-Key"]

    async def test_keys_are_each_users_own(self, house) -> None:
        answers = [await house.start(user=user, key="k", digest="d") for user in ("a", "b")]
        assert answers[0]["job_id"] != answers[1]["job_id"]

    async def test_a_refused_start_does_not_use_up_its_key(self, house) -> None:
        await refused(house.start(key="k", digest="d", params={"epochs": "x"}))
        assert (await house.start(key="k", digest="d2"))["status"]["value"] == "starting"


class TestQueueing:
    async def test_limits_and_order(self, house, launcher) -> None:
        ids = [(await house.start(f"p{i}"))["job_id"] for i in range(5)]
        assert [(await house.record(j)).status for j in ids[2:]] == ["queued"] * 3
        for i, job_id in enumerate(ids):
            (await launcher.started(job_id)).end()
            await house.ended(job_id)
            if i < 3:
                await house.until_status(ids[i + 2], "running")
        assert [r.job_id for r in launcher.launches] == ids

    async def test_a_full_queue_refuses_also_of_many_at_once(self, house) -> None:
        house.limits |= {"max_running": 1, "max_queued": 2}
        await house.restart()
        results = await asyncio.gather(*(house.start(f"p{i}", user=f"u{i}") for i in range(20)), return_exceptions=True)
        assert sum(isinstance(r, dict) for r in results) == 3
        assert {r.fault.code for r in results if isinstance(r, Refusal)} == {Code.QUEUE_FULL}
        assert len((await house.store.jobs()).jobs) == 3

    async def test_one_users_jobs_do_not_hold_up_anothers(self, house) -> None:
        house.limits |= {"max_running_per_user": 1, "max_queued_per_user": 1}
        await house.restart()
        await house.start("a1", user="a")
        waiting = await house.start("a2", user="a")
        assert waiting["status"]["value"] == "queued"
        assert (await refused(house.start("a3", user="a"))).code == Code.QUEUE_FULL
        assert (await house.start("b", user="b"))["status"]["value"] == "starting"

    async def test_a_failed_launch_makes_room(self, house, launcher) -> None:
        house.limits |= {"max_running": 1}
        await house.restart()
        launcher.fail("no such thing")
        first, second = [(await house.start(f"p{i}"))["job_id"] for i in range(2)]
        record = await house.ended(first)
        assert (record.reason, record.code) == (Reason.LAUNCH_FAILED, Code.START_FAILED)
        await house.until_status(second, "running")


class TestStops:
    async def test_a_running_job(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        await house.until_status(job_id, "running")
        answer = await house.stop()
        assert (answer["status"]["value"], answer["status"]["requested_by"]) == ("stopping", "u")
        assert run.stops == [3.0]
        record = await house.ended(job_id)
        assert (record.status, record.reason, record.signal) == ("stopped", Reason.STOPPED_BY_USER, 15)
        assert await house.statuses(job_id) == ["queued", "starting", "running", "stopping", "stopped"]

    async def test_a_waiting_job_never_starts(self, house, launcher) -> None:
        for i in range(3):
            await house.start(f"p{i}")
        answer = await house.stop("p2")
        assert answer["status"]["value"] == "stopping"
        assert (await house.ended("job-3")).reason == Reason.STOPPED_BY_USER
        assert await house.statuses("job-3") == ["queued", "stopping", "stopped"]
        (await launcher.started("job-1")).end()
        await house.ended("job-1")
        assert "job-3" not in launcher.runs
        await house.start("p2")

    async def test_while_it_is_being_launched(self, house, launcher, driver) -> None:
        reached, go_on = threading.Event(), threading.Event()

        def launch(job) -> LaunchSpec:
            reached.set()
            go_on.wait(0.15)
            return LaunchSpec(command=["x"])

        driver.does["launch"] = in_turn(lambda _: LaunchSpec(command=["x"]), launch)
        job_id = (await house.start())["job_id"]
        await asyncio.get_running_loop().run_in_executor(None, reached.wait, 5)
        assert (await house.stop())["status"]["value"] == "stopping"
        go_on.set()
        record = await house.ended(job_id)
        assert (record.status, record.reason) == ("stopped", Reason.STOPPED_BY_USER)
        assert await house.statuses(job_id) == ["queued", "starting", "stopping", "stopped"]
        assert launcher.launches == [], "a stop that comes before the launch means no launch at all"

    async def test_while_the_launcher_launches_it(self, house, launcher, monkeypatch) -> None:
        launch, reached, go_on = launcher.launch, asyncio.Event(), asyncio.Event()

        async def slow(request):
            reached.set()
            await go_on.wait()
            return await launch(request)

        monkeypatch.setattr(launcher, "launch", slow)
        job_id = (await house.start())["job_id"]
        await reached.wait()
        await house.stop()
        go_on.set()
        assert (await house.ended(job_id)).status == "stopped"
        assert launcher.runs[job_id].stops == [3.0]

    @pytest.mark.usefixtures("impatient")
    async def test_while_it_is_being_checked(self, house, launcher, driver) -> None:
        reached = threading.Event()
        driver.does["check"] = lambda _: reached.set() or hang()
        start = asyncio.create_task(refused(house.start()))
        await asyncio.get_running_loop().run_in_executor(None, reached.wait, 5)
        answer = await house.stop()
        status = answer["status"]
        assert (status["value"], status["reason"], status["requested_by"]) == ("stopped", "stopped_by_user", "u")
        assert "seq" not in answer
        assert (await start).code == Code.STOPPED
        assert (house.store.head, house.jobs.active(), launcher.launches) == (0, [], [])
        del driver.does["check"]
        assert (await house.start())["status"]["value"] == "starting", "the pair is free"

    async def test_the_check_of_another_task_is_left_alone(self, house, driver) -> None:
        reached, go_on = threading.Event(), threading.Event()
        driver.does["check"] = lambda _: reached.set() or go_on.wait(0.15)
        start = asyncio.create_task(house.start())
        await asyncio.get_running_loop().run_in_executor(None, reached.wait, 5)
        assert (await refused(house.stop(op="predict.stop"))).code == Code.NOT_FOUND
        go_on.set()
        assert (await start)["status"]["value"] == "starting"

    async def test_while_it_is_being_stored(self, house, launcher, monkeypatch) -> None:
        append, reached, go_on = house.store.append, asyncio.Event(), asyncio.Event()

        async def slow(change):
            reached.set()
            await go_on.wait()
            return await append(change)

        monkeypatch.setattr(house.store, "append", slow)
        start = asyncio.create_task(house.start())
        await reached.wait()
        stop = asyncio.create_task(house.stop())
        await asyncio.sleep(0)
        assert not stop.done()
        go_on.set()
        job_id = (await start)["job_id"]
        assert (await stop)["status"]["value"] == "stopping"
        assert (await house.ended(job_id)).status == "stopped"

    async def test_twice_and_after_the_end(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.on_stop = None
        await house.until_status(job_id, "running")
        answers = await asyncio.gather(*(house.stop() for _ in range(5)))
        assert {a["status"]["value"] for a in answers} == {"stopping"}
        assert (await house.statuses(job_id)).count("stopping") == 1
        assert len(run.stops) == 5, "each is delivered: the one before may have been lost"
        run.end(signal=9)
        assert (await house.ended(job_id)).status == "stopped"
        await house.idle()
        assert (await refused(house.stop())).code == Code.NOT_FOUND

    async def test_at_the_same_time_as_the_start(self, house, launcher) -> None:
        seen = set()
        for i in range(20):
            task = asyncio.create_task(house.start(f"p{i}"))
            for _ in range(i):
                await asyncio.sleep(0)
            try:
                answer = await house.stop(f"p{i}")
            except Refusal:  # it came before the job was there
                await task
                answer = await house.stop(f"p{i}")
            if answer["status"]["value"] == "stopped":  # while it was being checked
                assert (await refused(task)).code == Code.STOPPED
                assert await house.record(answer["job_id"]) is None
                seen.add("checked")
                continue
            seen.add("taken")
            job_id = (await task)["job_id"]
            assert (await house.ended(job_id)).status == "stopped"
        assert seen == {"checked", "taken"}, "both were tried"
        await house.idle()

    @pytest.mark.parametrize("request_", [{"uuid": "q"}, {"user": "v"}, {"op": "predict.stop"}, {"service": "other"}])
    async def test_what_is_not_running_cannot_be_stopped(self, house, request_) -> None:
        await house.start()
        assert (await refused(house.stop(**request_))).code == Code.NOT_FOUND

    async def test_a_job_that_dies_of_something_else_meanwhile(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.on_stop = lambda run, _: run.end(Exit(signal=11, stop_delivered=True))
        await house.until_status(job_id, "running")
        await house.stop()
        record = await house.ended(job_id)
        assert (record.status, record.reason, record.requested_by) == ("failed", Reason.SIGNAL, "u")

    async def test_a_stop_that_the_launcher_fails_at_says_so_and_can_be_repeated(
        self, house, launcher, monkeypatch
    ) -> None:
        job_id = (await house.start())["job_id"]
        await house.until_status(job_id, "running")
        stop = launcher.stop

        async def fails(handle, grace_s) -> None:
            raise LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, "no answer")

        monkeypatch.setattr(launcher, "stop", fails)
        fault = await refused(house.stop())
        assert fault.code == Code.ENGINE_FAILED
        assert "no answer" in fault.message
        monkeypatch.setattr(launcher, "stop", stop)
        await house.stop()
        assert (await house.ended(job_id)).status == "stopped"


def hang(*_) -> None:
    threading.Event().wait(1.5)


def exit_(*_) -> None:
    raise SystemExit(3)


def nothing_found(*_):
    return next(iter(()))


class Odd(BaseException):
    pass


def odd(*_) -> None:
    raise Odd("odd")


MISBEHAVIOUR = {
    "raises": (lambda *_: 1 / 0, "ZeroDivisionError: division by zero"),
    "exits": (exit_, "SystemExit was raised"),
    "finds nothing": (nothing_found, "StopIteration was raised"),
    "odd": (odd, "Odd was raised"),
    "hangs": (hang, "it did not answer within 0.5 s"),
    "undecodable": (lambda *_: (_ for _ in ()).throw(ValueError("\udcff")), "ValueError"),
}


@pytest.fixture
async def impatient(house):
    """Drivers have half a second to answer; where one hangs, that is waited for."""
    house.driver_timeout_s = 0.5
    await house.restart()


@pytest.mark.usefixtures("impatient")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
class TestDrivers:
    """Whatever a driver does, it fails its own job alone, with an error that names it."""

    @pytest.mark.parametrize("kind", MISBEHAVIOUR)
    async def test_check(self, house, driver, kind: str) -> None:
        driver.does["check"], why = MISBEHAVIOUR[kind]
        async with asyncio.timeout(5):
            fault = await refused(house.start())
        assert fault.code == Code.START_FAILED
        assert fault.message.startswith("the driver of 'svc' failed in check: ")
        assert why in fault.message
        assert house.store.head == 0
        del driver.does["check"]
        await house.start()

    @pytest.mark.parametrize("kind", MISBEHAVIOUR)
    async def test_launch_when_it_is_asked_first(self, house, driver, kind: str) -> None:
        driver.does["launch"], why = MISBEHAVIOUR[kind]
        fault = await refused(house.start())
        assert fault.code == Code.START_FAILED
        assert "the driver of 'svc' failed in launch: " in fault.message
        assert why in fault.message
        assert house.store.head == 0

    @pytest.mark.parametrize("kind", MISBEHAVIOUR)
    async def test_launch_of_a_job_that_was_taken(self, house, driver, kind: str) -> None:
        misbehaves, why = MISBEHAVIOUR[kind]
        driver.does["launch"] = in_turn(lambda _: LaunchSpec(command=["x"]), misbehaves)
        record = await house.ended((await house.start())["job_id"])
        assert (record.status, record.reason, record.code) == ("failed", Reason.LAUNCH_FAILED, Code.START_FAILED)
        assert "the driver of 'svc' failed in launch: " in record.last_error["message"]
        assert why in record.last_error["message"]

    @pytest.mark.parametrize("rubbish", [None, "python train.py", {"command": ["x"]}, ["x"], LaunchSpec])
    async def test_launch_that_returns_rubbish(self, house, driver, rubbish) -> None:
        driver.does["launch"] = lambda _: rubbish
        fault = await refused(house.start())
        assert fault.code == Code.START_FAILED
        assert "launch() must return a LaunchSpec" in fault.message

    @pytest.mark.parametrize("kind", MISBEHAVIOUR)
    async def test_parsers(self, house, driver, launcher, kind: str) -> None:
        driver.does["parsers"], why = MISBEHAVIOUR[kind]
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.print("loss=0.5\n")
        run.end()
        assert (await house.ended(job_id)).last_metrics["loss"] == 0.5
        (warning,) = await house.events(job_id, "error")
        assert warning["error"]["severity"] == "warning"
        assert why in warning["error"]["message"]

    @pytest.mark.parametrize("rubbish", [None, "auto", 3, [None], ["no such preset"], [LogParser], {"auto"}])
    async def test_parsers_that_are_rubbish(self, house, driver, launcher, rubbish) -> None:
        driver.does["parsers"] = lambda _: rubbish
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.print("loss=0.5\n")
        run.end()
        assert (await house.ended(job_id)).last_metrics["loss"] == 0.5
        assert len(await house.events(job_id, "error")) == 1

    @pytest.mark.parametrize("kind", ["raises", "exits", "finds nothing", "odd"])
    async def test_classify(self, house, driver, launcher, kind: str) -> None:
        driver.does["classify"], _ = MISBEHAVIOUR[kind]
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.print('Traceback (most recent call last):\n  File "t.py", line 1, in <module>\n    f()\nValueError: x\n')
        run.end(exit_code=1)
        record = await house.ended(job_id)
        assert (record.status, record.code) == ("failed", Code.VALUE_ERROR)

    async def test_a_drivers_own_time_out_is_not_ours(self, house, driver) -> None:
        def check(job) -> None:
            raise TimeoutError("the dataset's server does not answer")

        driver.does["check"] = check
        fault = await refused(house.start())
        assert fault.message.endswith("TimeoutError: the dataset's server does not answer")

    async def test_no_thread_to_be_had_costs_no_turn(self, house, monkeypatch) -> None:
        def fails(self) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", fails)
        for _ in range(DRIVER_TURNS + 1):
            fault = await refused(house.start())
            assert "no thread could be started for it: can't start new thread" in fault.message
        monkeypatch.undo()
        assert (await house.start())["status"]["value"] == "starting"

    async def test_a_hanging_driver_does_not_hold_up_another(self, house, driver, launcher) -> None:
        other = type(driver)()
        house.services["other"] = type(house.services["svc"])(other, "plugin", "dist", "1", {})
        await house.restart()
        driver.does["check"] = hang
        hanging = [asyncio.create_task(refused(house.start(f"h{i}"))) for i in range(10)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            assert (await house.start("good", service="other"))["status"]["value"] == "starting"
        assert {f.code for f in await asyncio.gather(*hanging)} == {Code.START_FAILED}

    async def test_a_parser_whose_state_cannot_be_stored_does_not_stop_the_job(self, house, driver, launcher) -> None:
        class Remembers(LogParser):
            def feed(self, line: str):
                self.state = {"seen": {line}}
                return ()

        driver.does["parsers"] = lambda _: [Remembers()]
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.print("a\n")
        run.end()
        assert (await house.ended(job_id)).status == "finished"


class TestTroubleWhileRunning:
    async def test_a_launch_failure_keeps_the_launchers_reason(self, house, launcher) -> None:
        launcher.fail(LaunchError(Code.IMAGE_NOT_FOUND, Reason.IMAGE_MISSING, "no image x"))
        record = await house.ended((await house.start())["job_id"])
        assert (record.status, record.reason, record.code) == ("failed", Reason.IMAGE_MISSING, Code.IMAGE_NOT_FOUND)
        assert record.last_error["message"] == "no image x"

    async def test_a_store_that_fails_during_the_log_is_asked_again(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        await house.until_status(job_id, "running")
        house.store.failing_appends = 1
        run = await launcher.started(job_id)
        run.print("loss=0.5\n")
        run.print("loss=0.25\n")
        run.end()
        await house.ended(job_id)
        assert [e["metrics"]["loss"] for e in await house.events(job_id, "metrics")] == [0.5, 0.25]

    async def test_a_store_that_cannot_be_read_for_a_while_loses_no_job(self, house, launcher) -> None:
        house.store.failing_positions = 2
        job_id = (await house.start())["job_id"]
        (await launcher.started(job_id)).end()
        assert (await house.ended(job_id)).status == "finished"
        assert house.store.failing_positions == 0

    async def test_a_log_that_breaks_is_taken_up_from_the_stored_position(self, house, launcher, monkeypatch) -> None:
        logs = launcher.logs
        asked = []

        async def breaks(handle, position):
            asked.append(position)
            async for batch in logs(handle, position):
                yield batch
                if len(asked) < 3:
                    raise OSError("the connection is gone")

        monkeypatch.setattr(launcher, "logs", breaks)
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.print("loss=1\n")
        async with asyncio.timeout(10):
            while len(asked) < 2:  # noqa: ASYNC110 - what is waited for is the manager's own retry
                await asyncio.sleep(0.01)
        run.print("loss=2\n")
        async with asyncio.timeout(10):
            while len(asked) < 3:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        run.print("loss=3\n")
        run.end()
        assert (await house.ended(job_id)).status == "finished"
        assert [e["metrics"]["loss"] for e in await house.events(job_id, "metrics")] == [1, 2, 3]
        assert asked == [0, 7, 14]

    async def test_a_log_that_never_works_makes_the_job_lost_and_the_run_is_stopped(
        self, house, launcher, monkeypatch
    ) -> None:
        async def breaks(handle, position):
            raise ValueError("no log here")
            yield

        monkeypatch.setattr(launcher, "logs", breaks)
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        record = await house.ended(job_id, patience_s=20)
        assert (record.status, record.reason) == ("lost", Reason.HOST_LOST)
        assert "no log here" in record.last_error["message"]
        assert run.exit is not None, "it must not go on writing into the pair's folder unseen"

    @pytest.mark.parametrize(
        "error",
        [
            OSError(errno.EMFILE, "too many open files"),
            LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, "no answer"),
        ],
        ids=["no file", "no engine"],
    )
    async def test_a_log_that_cannot_be_read_for_long_costs_no_job(self, house, launcher, monkeypatch, error) -> None:
        logs, pauses, sleep = launcher.logs, [], asyncio.sleep

        async def breaks(handle, position):
            if len(pauses) < 12:
                raise error
            async for batch in logs(handle, position):
                yield batch

        async def at_once(seconds: float) -> None:
            pauses.append(seconds)
            await sleep(0)

        monkeypatch.setattr(launcher, "logs", breaks)
        monkeypatch.setattr("k12ai_ws.jobs.carrier.asyncio.sleep", lambda s: at_once(s) if s >= 1 else sleep(s))
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.end()
        assert (await house.ended(job_id)).status == "finished"
        assert run.stops == []
        assert pauses == [1, 2, 4, 8, 16, *[30] * 7]

    async def test_a_log_that_is_gone_makes_the_job_lost(self, house, launcher, monkeypatch) -> None:
        async def breaks(handle, position):
            raise FileNotFoundError(errno.ENOENT, "no such file")
            yield

        monkeypatch.setattr(launcher, "logs", breaks)
        monkeypatch.setattr("k12ai_ws.jobs.carrier.ATTEMPTS", 1)
        assert (await house.ended((await house.start())["job_id"])).status == "lost"

    async def test_a_job_whose_task_fails_is_lost_and_its_pair_is_free(
        self, house, launcher, monkeypatch, caplog
    ) -> None:
        def fails(record):
            raise RuntimeError("the driver table is broken, says the test")

        of, calls = house.jobs._hosts.of, []
        monkeypatch.setattr(
            house.jobs._hosts,
            "of",
            lambda record: of(record) if not calls.append(record) and len(calls) < 2 else fails(0),
        )
        job_id = (await house.start())["job_id"]
        record = await house.ended(job_id)
        assert (record.status, record.reason) == ("lost", Reason.HOST_LOST)
        assert "the driver table is broken" in record.last_error["message"]
        await house.idle()
        assert "carrying it failed" in caplog.text
        monkeypatch.undo()
        assert (await house.start())["status"]["value"] == "starting"

    async def test_a_vanished_run_is_lost(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        (await launcher.started(job_id)).lose()
        record = await house.ended(job_id)
        assert (record.status, record.code) == ("lost", Code.LOST)


class TestRestart:
    """The next server on the same store and machine goes on with every job as it was."""

    async def test_a_running_job_is_read_on_without_loss_or_repeat(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.print("loss=1\nlos")
        async with asyncio.timeout(5):
            while not await house.events(job_id, "metrics"):  # noqa: ASYNC110 - the store is the only witness
                await asyncio.sleep(0.005)
        await house.close()
        run.print("s=2\n")
        await house.open()
        run.print("loss=3\n")
        run.end()
        assert (await house.ended(job_id)).status == "finished"
        assert [e["metrics"]["loss"] for e in await house.events(job_id, "metrics")] == [1, 2, 3]
        assert await house.statuses(job_id) == ["queued", "starting", "running", "finished"]
        assert len(launcher.launches) == 1

    async def test_a_job_that_ended_meanwhile(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        await house.until_status(job_id, "running")
        await house.close()
        run.print("loss=1\n")
        run.end(exit_code=4)
        await house.open()
        assert (await house.ended(job_id)).exit_code == 4
        await run.until_released()

    async def test_waiting_jobs_keep_their_order(self, house, launcher) -> None:
        house.limits |= {"max_running": 1}
        await house.restart()
        ids = [(await house.start(f"p{i}"))["job_id"] for i in range(4)]
        await house.until_status(ids[0], "running")
        await house.restart()
        assert (await refused(house.start("p3"))).code == Code.ALREADY_RUNNING
        for job_id in ids:
            (await launcher.started(job_id)).end()
            await house.ended(job_id)
        assert [r.job_id for r in launcher.launches] == ids

    async def test_a_job_that_was_being_launched(self, house, launcher, driver) -> None:
        calls = iter([lambda: None, hang])
        driver.does["launch"] = lambda _: next(calls)() or LaunchSpec(command=["x"])
        job_id = (await house.start())["job_id"]
        await house.close()
        del driver.does["launch"]
        await house.open()
        await house.until_status(job_id, "running")
        assert list(launcher.runs) == [job_id]

    async def test_a_stop_that_was_not_delivered_is_delivered_by_the_next(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.on_stop = None
        await house.until_status(job_id, "running")
        await house.stop()
        run.stops.clear()
        await house.close()
        await house.open()
        async with asyncio.timeout(5):
            await run.until_stopped()
        run.end(signal=15)
        assert (await house.ended(job_id)).status == "stopped"

    async def test_a_job_whose_driver_is_gone(self, house, launcher) -> None:
        house.limits |= {"max_running": 1}
        await house.restart()
        running, waiting = [(await house.start(f"p{i}"))["job_id"] for i in range(2)]
        run = await launcher.started(running)
        await house.until_status(running, "running")
        house.services.clear()
        await house.restart()
        run.print("loss=1\n")
        run.end()
        assert (await house.ended(running)).status == "finished", "its log is read with the preset auto"
        assert [e["metrics"]["loss"] for e in await house.events(running, "metrics")] == [1]
        record = await house.ended(waiting)
        assert (record.status, record.code) == ("failed", Code.SERVICE_NOT_FOUND)

    async def test_a_run_whose_end_is_stored_is_released(self, house, launcher, monkeypatch) -> None:
        async def dies(handle) -> None:
            raise OSError("the server died just then")

        release = launcher.release
        monkeypatch.setattr(launcher, "release", dies)
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        run.end()
        await house.ended(job_id)
        await house.close()
        monkeypatch.setattr(launcher, "release", release)
        await house.open()
        assert run.released

    async def test_a_run_of_an_unknown_job_is_ended(self, house, launcher, caplog) -> None:
        request = LaunchRequest("nobody", "u", "p", "svc", "train.start", LaunchSpec(command=["x"]), {})
        await launcher.launch(request)
        run = launcher.runs["nobody"]
        await house.restart()
        async with asyncio.timeout(5):
            await run.until_released()
        assert (run.stops, run.exit.signal) == ([0.0], 15)
        assert "job nobody, which this server's store does not know" in caplog.text

    async def test_a_stop_before_the_launch_holds_over_a_restart(self, house, launcher, driver) -> None:
        calls = iter([lambda: None, hang])
        driver.does["launch"] = lambda _: next(calls)() or LaunchSpec(command=["x"])
        job_id = (await house.start())["job_id"]
        await house.stop()
        await house.close()
        del driver.does["launch"]
        await house.open()
        assert (await house.ended(job_id)).status == "stopped"
        assert launcher.launches == []

    async def test_a_run_whose_launch_was_not_stored_is_stopped(self, house, launcher, monkeypatch) -> None:
        launch, launched = launcher.launch, asyncio.Event()

        async def dies(request):
            await launch(request)
            launched.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(launcher, "launch", dies)
        job_id = (await house.start())["job_id"]
        await launched.wait()
        await house.stop()
        await house.close()
        await house.open()
        assert (await house.ended(job_id)).status == "stopped"
        assert launcher.runs[job_id].stops == [3.0]

    async def test_a_server_that_closes_leaves_its_jobs_alone(self, house, launcher) -> None:
        job_id = (await house.start())["job_id"]
        run = await launcher.started(job_id)
        await house.until_status(job_id, "running")
        await house.close()
        assert (run.exit, run.stops, run.released) == (None, [], False)
        await house.open()
        assert (await house.record(job_id)).status == "running"

    async def test_restarts_at_any_moment(self, house, launcher) -> None:
        """Ten jobs in all states, and a restart after every few steps: each ends once, with all its metrics."""
        house.limits |= {"max_running": 3, "max_running_per_user": 3}
        await house.restart()
        ids = []
        for i in range(10):
            ids.append((await house.start(f"p{i}"))["job_id"])
            for run in list(launcher.runs.values()):
                if run.exit is None:
                    run.print(f"loss={len(launcher.runs)}\n")
            if i % 3 == 2:
                await house.restart()
        for number, job_id in enumerate(ids):
            run = await launcher.started(job_id)
            run.print("loss=99\n")
            if number % 2:
                await house.restart()
            run.end()
            record = await house.ended(job_id)
            assert record.status == "finished"
            shown = b"".join(c.data for c in run._chunks).decode().splitlines()
            told = [f"loss={e['metrics']['loss']:g}" for e in await house.events(job_id, "metrics")]
            assert told == shown
        assert len(launcher.runs) == 10
