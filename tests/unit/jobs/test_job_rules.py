"""Rules of a job's log: from its driver, its request and the configuration, and what becomes of them."""

import asyncio

import pytest

from k12ai_ws.drivers import LogParser, Rule
from k12ai_ws.logs.rules import read_configured
from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import FrameworkRequest, Refusal, validate

REWARD = {"pattern": r"reward is (?P<reward>\S+)"}


@pytest.fixture
def allowed(driver, monkeypatch) -> None:
    monkeypatch.setattr(type(driver), "log_rules_allowed", True)


async def started(house, launcher, log_rules=None, printed="", *, go_on=False):
    """A job with these rules that has printed this; its id and run."""
    request = house.request().model_copy(update={"log_rules": log_rules})
    await house.jobs.start(request, language="en")
    (record,) = house.jobs.active()
    run = await launcher.started(record.job_id)
    run.print(printed)
    if not go_on:
        run.end()
        await house.ended(record.job_id)
    return record.job_id, run


async def refused(house, log_rules) -> Fault:
    with pytest.raises(Refusal) as caught:
        await house.jobs.start(house.request().model_copy(update={"log_rules": log_rules}), language="en")
    assert not house.jobs.active()
    return caught.value.fault


async def metrics(house, job_id) -> list[dict]:
    return [event["metrics"] for event in await house.events(job_id, "metrics")]


async def test_a_drivers_rules_stand_among_its_parsers(house, driver, launcher) -> None:
    driver.does["parsers"] = lambda _: ["auto", Rule(**REWARD)]
    job_id, _ = await started(house, launcher, None, "reward is 3 loss=9\nepoch=1 loss=0.5\n")
    assert await metrics(house, job_id) == [{"reward": 3}, {"epoch": 1, "loss": 0.5}]


@pytest.mark.usefixtures("allowed")
async def test_a_requests_rules_come_before_the_drivers(house, driver, launcher) -> None:
    driver.does["parsers"] = lambda _: [Rule(r"is (?P<reward>\d+)"), Rule(r"at (?P<step>\d+)"), "auto"]
    job_id, _ = await started(house, launcher, [{**REWARD, "scale": 2}], "reward is 3 at 7\n")
    assert await metrics(house, job_id) == [{"step": 7, "reward": 6}]
    assert (await house.record(job_id)).log_rules == [{**REWARD, "scale": 2}]


async def test_without_leave_a_request_brings_none(house) -> None:
    fault = await refused(house, [REWARD])
    assert fault.code == Code.NOT_ALLOWED
    assert fault.detail["fields"][0]["loc"] == "log_rules"
    assert "'svc'" in fault.message


@pytest.mark.parametrize("nothing", [None, []])
async def test_no_rules_need_no_leave(house, launcher, nothing) -> None:
    job_id, _ = await started(house, launcher, nothing, "loss=1\n")
    assert (await house.record(job_id)).log_rules is None


@pytest.mark.usefixtures("allowed")
async def test_wrong_rules_are_refused_with_their_places(house) -> None:
    fault = await refused(house, [REWARD, {"pattern": "loss(?=x)"}, {"patern": ""}, 3])
    assert fault.code == Code.VALUE_INVALID
    fields = fault.detail["fields"]
    assert [field["loc"] for field in fields] == ["log_rules.1.pattern", "log_rules.2.patern", "log_rules.3"]
    assert "at character 5, `(?=`" in fields[0]["msg"]


def test_how_many_a_request_may_bring() -> None:
    body = {"op": "train.start", "user": "u", "service_name": "s", "service_uuid": "p", "service_params": {}}
    assert validate(FrameworkRequest, body | {"log_rules": [REWARD] * 50}).log_rules == [REWARD] * 50
    with pytest.raises(Refusal) as caught:
        validate(FrameworkRequest, body | {"log_rules": [REWARD] * 51})
    assert caught.value.fault.detail["fields"][0]["loc"] == "log_rules"


async def test_what_the_operator_configured_is_for_whom_it_says(house, launcher) -> None:
    house.log_rules = read_configured(
        [
            {**REWARD, "services": ["svc"], "tasks": ["train"]},
            {"pattern": r"is (?P<other>\S+)", "services": ["another"]},
            {"pattern": r"is (?P<task>\S+)", "tasks": ["predict"]},
        ]
    )
    await house.restart()
    job_id, _ = await started(house, launcher, None, "reward is 3\nloss=1\n")
    assert await metrics(house, job_id) == [{"reward": 3}, {"loss": 1}]
    record = await house.record(job_id)
    assert (record.log_rules, record.configured_rules) == (None, [REWARD])


@pytest.mark.usefixtures("allowed")
async def test_a_restarted_server_reads_on_with_the_rules_of_the_start(house, launcher) -> None:
    house.log_rules = read_configured([{"pattern": r"round (?P<epoch>\d+)"}])
    await house.restart()
    job_id, run = await started(house, launcher, [REWARD], "round 4\nreward is 1\n", go_on=True)
    house.log_rules = read_configured([{"pattern": r"reward is (?P<changed>\d+)"}])
    await house.restart()
    run.print("reward is 2\n")
    run.end()
    await house.ended(job_id)
    assert await metrics(house, job_id) == [{"epoch": 4, "reward": 1}, {"epoch": 4, "reward": 2}]
    assert not await house.events(job_id, "error")


async def test_rules_that_found_nothing_are_told_of_once(house, driver, launcher) -> None:
    driver.does["parsers"] = lambda _: [Rule(**REWARD)]
    job_id, run = await started(house, launcher, None, "reward: 1\n", go_on=True)
    await house.restart()
    run.print("reward: 2\n")
    run.end()
    record = await house.ended(job_id)
    (warning,) = [event["error"] for event in await house.events(job_id, "error")]
    assert (warning["code"], warning["severity"]) == (Code.WARNING, "warning")
    assert warning["detail"] == {"rules": [REWARD]}
    assert (record.status, record.last_error) == ("finished", None)


async def test_rules_whose_finds_are_forgotten_are_not_blamed(house, driver, launcher) -> None:
    class Forgets(LogParser):
        """Keeps what cannot be stored, so that nothing of the parsers is."""

        def feed(self, line: str):
            self.state["kept"] = {1, 2}

    driver.does["parsers"] = lambda _: [Rule(**REWARD), Forgets()]
    job_id, run = await started(house, launcher, None, "reward is 1\n\n", go_on=True)
    async with asyncio.timeout(10):
        while not await metrics(house, job_id):  # noqa: ASYNC110 - the store is the only witness
            await asyncio.sleep(0.01)
    driver.does["parsers"] = lambda _: [Rule(**REWARD)]
    for end in (17, 21):  # the second knows again what the first read
        await house.restart()
        run.print("bye\n")
        async with asyncio.timeout(10):
            while (await house.store.position(job_id)).offset != end:  # noqa: ASYNC110 - the store is the only witness
                await asyncio.sleep(0.01)
    run.end()
    await house.ended(job_id)
    said = [event["error"]["message"] for event in await house.events(job_id, "error")]
    assert any("is lost" in text for text in said)
    assert not [text for text in said if "found nothing" in text]


async def test_a_job_that_printed_nothing_is_not_blamed(house, driver, launcher) -> None:
    driver.does["parsers"] = lambda _: [Rule(**REWARD)]
    job_id, _ = await started(house, launcher)
    assert not await house.events(job_id, "error")


@pytest.mark.usefixtures("allowed")
async def test_where_the_driver_fails_the_requests_rules_read_all_the_same(house, driver, launcher) -> None:
    def fails(job) -> list[str | LogParser]:
        raise OSError("says the test")

    driver.does["parsers"] = fails
    job_id, _ = await started(house, launcher, [REWARD], "reward is 1\nloss=2\n")
    assert await metrics(house, job_id) == [{"reward": 1}, {"loss": 2}]


async def test_a_driver_with_too_many_rules(house, driver, launcher) -> None:
    driver.does["parsers"] = lambda _: [Rule(rf"(?P<a{n}>x)") for n in range(51)]
    job_id, _ = await started(house, launcher, None, "loss=2\n")
    assert await metrics(house, job_id) == [{"loss": 2}]
    (warning,) = await house.events(job_id, "error")
    assert "there are 51 rules: 50 are the most" in warning["error"]["message"]
