"""Admission: what jobs ask for against what the machine has, the GPU pool, places in the queue; also over a restart."""

import asyncio

import pytest

from k12ai_ws.drivers import Fault, LaunchSpec, Resources
from k12ai_ws.jobs.admission import Budget
from k12ai_ws.launchers.launcher import Capacity, LaunchError
from k12ai_ws.monitor.gpus import GpuReading, GpuStats
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import Refusal
from k12ai_ws.wire.status import Reason

GIB = 1 << 30


async def refused(call) -> Fault:
    with pytest.raises(Refusal) as caught:
        await call
    return caught.value.fault


def gpus(*names: str) -> GpuReading:
    return GpuReading(tuple(GpuStats(name="a GPU", uuid=name, index=i) for i, name in enumerate(names)))


def asks(**resources):
    return lambda _: LaunchSpec(command=["x"], resources=Resources(**resources))


def in_turn(*does):
    """The first call does the first of `does`, and so on."""
    left = iter(does)

    def do(job):
        does_now = next(left)
        return does_now(job)

    return do


@pytest.fixture
async def machine(house, driver):
    """A house with 8 GiB, 4 cores and two GPUs, and room for many jobs."""
    house.limits |= {"max_running": 10, "max_running_per_user": 10}
    house.budget = Budget(cpus=4.0, memory=8 * GIB)
    house.gpus = gpus("GPU-a", "GPU-b")
    await house.restart()

    asked: dict = {}

    async def start(uuid: str, *, user: str = "u", **resources):
        asked[uuid] = resources
        driver.does["launch"] = lambda job: asks(**asked[job.service_uuid])(job)
        return await house.start(uuid, user=user)

    house.ask = start
    return house


class TestResources:
    async def test_what_was_admitted_is_stored_and_launched(self, machine, launcher) -> None:
        answer = await machine.ask("p", memory=GIB, cpus=1.5, shm=1 << 20, time_limit_s=60)
        record = await machine.record(answer["job_id"])
        assert record.resources == {"cpus": 1.5, "memory": GIB, "gpus": 0, "shm": 1 << 20, "time_limit_s": 60.0}
        run = await launcher.started(answer["job_id"])
        assert run.request.spec.resources == Resources(memory=GIB, cpus=1.5, shm=1 << 20, time_limit_s=60)

    async def test_what_the_launcher_fills_in_counts(self, machine, launcher, monkeypatch) -> None:
        async def check(spec):
            return spec.resources.model_copy(update={"memory": 5 * GIB})

        monkeypatch.setattr(launcher, "check", check)
        first, second = await machine.ask("a"), await machine.ask("b")
        assert (first["status"]["value"], second["status"]["value"]) == ("starting", "queued")
        assert (await launcher.started(first["job_id"])).request.spec.resources.memory == 5 * GIB

    async def test_what_the_launcher_cuts_is_what_is_launched(self, machine, launcher, monkeypatch) -> None:
        async def check(spec):
            return spec.resources.model_copy(update={"shm": 1 << 20})

        monkeypatch.setattr(launcher, "check", check)
        answer = await machine.ask("a", shm=1 << 30)
        assert (await launcher.started(answer["job_id"])).request.spec.resources.shm == 1 << 20

    async def test_what_the_policy_does_not_allow_is_refused(self, machine, launcher, monkeypatch) -> None:
        async def check(spec):
            raise LaunchError(Code.NOT_ALLOWED, Reason.LAUNCH_FAILED, "the image is not allowed")

        monkeypatch.setattr(launcher, "check", check)
        fault = await refused(machine.ask("a"))
        assert (fault.code, fault.message) == (Code.NOT_ALLOWED, "the image is not allowed")
        assert (machine.store.head, machine.jobs.active()) == (0, [])

    @pytest.mark.parametrize("name", ["memory", "cpus", "gpus"])
    async def test_a_driver_that_asks_for_more_at_the_launch(self, machine, driver, name: str) -> None:
        driver.does["launch"] = in_turn(asks(**{name: 1}), asks(**{name: 2}))
        record = await machine.ended((await machine.start())["job_id"])
        assert (record.status, record.reason, record.code) == ("failed", Reason.LAUNCH_FAILED, Code.START_FAILED)
        number = "{}.0" if name == "cpus" else "{}"
        said = f"asks for {name} = {number} at the launch, and the job was admitted with {number}:".format(2, 1)
        assert said in record.last_error["message"]


class TestTooMuch:
    @pytest.mark.parametrize(
        ("resources", "said"),
        [
            ({"memory": 9 * GIB}, "asks for 9 GiB of memory, and there are 8 GiB for all jobs (jobs.memory)"),
            ({"cpus": 4.5}, "asks for 4.5 CPUs, and there are 4 for all jobs (jobs.cpus)"),
            ({"gpus": 3}, "asks for 3 GPUs, and this machine has 2"),
        ],
    )
    async def test_more_than_there_is_is_refused_at_once(self, machine, resources, said: str) -> None:
        fault = await refused(machine.ask("p", **resources))
        assert fault.code == Code.CONFIGURATION
        assert said in fault.message
        (name,) = resources
        assert (fault.detail["resource"], fault.detail["asked"]) == (name, resources[name])
        assert fault.detail["fields"][0]["loc"] == "service_params"
        assert machine.store.head == 0

    async def test_without_any_gpu_it_says_why(self, house, driver) -> None:
        house.gpus = GpuReading(absence="no NVIDIA driver (it is not loaded)")
        driver.does["launch"] = asks(gpus=1)
        fault = await refused(house.start())
        assert fault.code == Code.CONFIGURATION
        assert "this machine has none (no NVIDIA driver (it is not loaded))" in fault.message

    async def test_gpus_that_cannot_be_read_now_are_waited_for(self, machine, driver, launcher) -> None:
        machine.gpus = GpuReading(problems=("no answer for 2.0 s",))
        answer = await machine.ask("p", gpus=1)
        assert answer["status"]["message"] == "waits for 1 GPU: the GPUs cannot be read now: no answer for 2.0 s"
        machine.gpus = gpus("GPU-a")
        assert (await launcher.started(answer["job_id"])).request.gpus == ("GPU-a",)

    async def test_by_default_it_is_what_the_launcher_has(self, house, driver, launcher, monkeypatch) -> None:
        async def capacity() -> Capacity:
            return Capacity(2.0, GIB)

        monkeypatch.setattr(launcher, "capacity", capacity)
        await house.restart()
        driver.does["launch"] = asks(memory=2 * GIB)
        assert "1 GiB for all jobs" in (await refused(house.start())).message


class TestBusy:
    async def test_memory(self, machine, launcher) -> None:
        first = await machine.ask("a", memory=5 * GIB)
        second = await machine.ask("b", memory=4 * GIB)
        assert second["status"]["value"] == "queued"
        assert second["status"]["message"] == "waits for memory: 4 GiB asked, 3 GiB of 8 GiB free"
        (await launcher.started(first["job_id"])).end()
        await launcher.started(second["job_id"])
        assert await machine.statuses(second["job_id"]) in (["queued", "starting"], ["queued", "starting", "running"])

    async def test_cpus(self, machine) -> None:
        await machine.ask("a", cpus=2.5)
        answer = await machine.ask("b", cpus=2)
        assert answer["status"]["message"] == "waits for CPUs: 2 asked, 1.5 of 4 free"

    async def test_gpus_are_leased_to_one_job_at_a_time(self, machine, launcher) -> None:
        one, two = await machine.ask("a", gpus=1), await machine.ask("b", gpus=2)
        assert two["status"]["message"] == "waits for 2 GPUs: 1 of 2 is free"
        three = await machine.ask("c", user="v", gpus=1)
        assert three["status"]["value"] == "starting", "another user's small job goes before"
        runs = [await launcher.started(job["job_id"]) for job in (one, three)]
        assert [run.request.gpus for run in runs] == [("GPU-a",), ("GPU-b",)]
        assert (await machine.record(one["job_id"])).resources["gpu_ids"] == ["GPU-a"]
        for run in runs:
            run.end()
        assert (await launcher.started(two["job_id"])).request.gpus == ("GPU-a", "GPU-b")

    async def test_a_gpu_is_free_only_once_the_run_is_dead(self, machine, launcher) -> None:
        first = await machine.ask("a", gpus=2)
        run = await launcher.started(first["job_id"])
        run.on_stop = None
        await machine.until_status(first["job_id"], "running")
        second = await machine.ask("b", gpus=1)
        await machine.stop("a")
        for _ in range(20):
            await asyncio.sleep(0)
        assert second["job_id"] not in launcher.runs
        run.end(signal=9)
        await launcher.started(second["job_id"])

    async def test_a_gpu_that_vanished_is_not_leased(self, machine, launcher) -> None:
        await machine.ask("a", gpus=1)
        machine.gpus = gpus("GPU-a")
        answer = await machine.ask("b", gpus=1)
        assert answer["status"]["message"] == "waits for 1 GPU: none of 2 is free"
        machine.gpus = gpus("GPU-a", "GPU-b")
        assert (await launcher.started(answer["job_id"])).request.gpus == ("GPU-b",)

    async def test_a_gpu_that_does_not_answer_is_told_from_a_busy_one(self, machine, launcher) -> None:
        first = await machine.ask("a", gpus=1)
        machine.gpus = gpus("GPU-a")
        answer = await machine.ask("b", gpus=2)
        assert answer["status"]["message"] == "waits for 2 GPUs: 1 of 2 answers now"
        (await launcher.started(first["job_id"])).end()
        machine.gpus = gpus("GPU-a", "GPU-b")
        assert (await launcher.started(answer["job_id"])).request.gpus == ("GPU-a", "GPU-b")

    async def test_a_failed_launch_gives_everything_back(self, machine, launcher) -> None:
        launcher.fail("no such thing")
        await machine.ended((await machine.ask("a", gpus=2, memory=8 * GIB))["job_id"])
        await machine.idle()
        assert (await machine.ask("b", gpus=2, memory=8 * GIB))["status"]["value"] == "starting"


class TestUnknown:
    async def test_an_engine_that_does_not_answer_at_the_start(self, house, driver, launcher, monkeypatch) -> None:
        capacity, asked = launcher.capacity, []

        async def silent() -> Capacity:
            asked.append(1)
            if len(asked) == 1:
                raise LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, "no engine answers")
            return await capacity()

        monkeypatch.setattr("k12ai_ws.jobs.admission.ASK_AGAIN_S", 0.0)
        monkeypatch.setattr(launcher, "capacity", silent)
        await house.restart()
        asked.clear()
        await house.close()
        await house.open()
        assert house.jobs.places() == {}
        answer = await house.start()
        (await launcher.started(answer["job_id"])).end()
        assert (await house.ended(answer["job_id"])).status == "finished"

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, "no engine answers"), "no engine answers"),
            (ConnectionResetError(104, "reset"), "reset"),
            (TimeoutError(), "no answer within 5 s"),
            (KeyError("NCPU"), "NCPU"),
        ],
        ids=["no engine", "reset", "silence", "odd"],
    )
    async def test_jobs_wait_with_the_reason(self, house, launcher, monkeypatch, error, said: str) -> None:
        async def silent() -> Capacity:
            raise error

        monkeypatch.setattr(launcher, "capacity", silent)
        await house.restart()
        answer = await house.start()
        assert answer["status"]["value"] == "queued"
        assert "the place where jobs run does not say what it has: " in answer["status"]["message"]
        assert said in answer["status"]["message"]
        place = house.jobs.places()[answer["job_id"]]
        assert (place.position, place.waiting, place.reason) == (1, 1, answer["status"]["message"])


class TestRestart:
    async def test_queued_jobs_keep_their_place_and_leases_are_found_again(self, machine, launcher) -> None:
        running = await machine.ask("a", gpus=2, memory=GIB)
        waiting = [await machine.ask(f"w{i}", gpus=1, memory=GIB) for i in range(3)]
        ids = [job["job_id"] for job in waiting]
        await machine.until_status(running["job_id"], "running")
        before = machine.jobs.places()
        await machine.restart()
        after = machine.jobs.places()
        assert [after[job_id].position for job_id in ids] == [before[job_id].position for job_id in ids] == [1, 2, 3]
        assert after[ids[0]].reason == "waits for 1 GPU: none of 2 is free"
        assert (await machine.record(ids[0])).resources == {"memory": GIB, "gpus": 1}
        (await launcher.started(running["job_id"])).end()
        runs = [await launcher.started(job_id) for job_id in ids[:2]]
        assert [run.request.gpus for run in runs] == [("GPU-a",), ("GPU-b",)]

    async def test_a_job_that_was_being_launched_gets_the_same_gpus(self, machine, launcher, monkeypatch) -> None:
        launch, reached = launcher.launch, asyncio.Event()

        async def hangs(request):
            reached.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(launcher, "launch", hangs)
        job_id = (await machine.ask("a", gpus=1))["job_id"]
        await reached.wait()
        await machine.close()
        monkeypatch.setattr(launcher, "launch", launch)
        machine.gpus = gpus("GPU-b", "GPU-a")
        await machine.open()
        assert (await launcher.started(job_id)).request.gpus == ("GPU-a",)

    async def test_a_job_that_asks_for_more_than_there_is_now_holds_up_nobody(self, machine, launcher) -> None:
        running = await machine.ask("a", memory=8 * GIB)
        big, small = await machine.ask("b", memory=7 * GIB), await machine.ask("c", memory=GIB)
        await machine.until_status(running["job_id"], "running")
        machine.budget = Budget(cpus=4.0, memory=2 * GIB)
        await machine.restart()
        (await launcher.started(running["job_id"])).end()
        await launcher.started(small["job_id"])
        reason = machine.jobs.places()[big["job_id"]].reason
        assert reason.startswith("asks for 7 GiB of memory, and there are 2 GiB")


class TestPlaces:
    async def test_position_and_reason(self, house) -> None:
        house.limits |= {"max_running": 2, "max_running_per_user": 1}
        await house.restart()
        await house.start("a1", user="a")
        a2 = await house.start("a2", user="a")
        assert a2["status"]["message"] == "1 of 1 jobs of this user are running (jobs.max_running_per_user)"
        await house.start("b1", user="b")
        c1 = await house.start("c1", user="c")
        assert c1["status"]["message"] == "2 of 2 jobs are running (jobs.max_running)"
        places = house.jobs.places()
        assert {job: (p.position, p.waiting) for job, p in places.items()} == {
            c1["job_id"]: (1, 2),
            a2["job_id"]: (2, 2),
        }
        assert await house.statuses(a2["job_id"]) == ["queued"], "no event for every move in the queue"

    async def test_a_job_that_runs_at_once_has_no_reason_to_wait(self, house) -> None:
        job_id = (await house.start())["job_id"]
        first = (await house.events(job_id, "status"))[0]
        assert first["status"]["value"] == "queued"
        assert "message" not in first["status"]
