"""What a driver has for its jobs' logs is made off the loop, and where it is broken, at nobody's cost but its own."""

import threading

from k12ai_ws.drivers import Advice, Code, LogParser

CRASH = 'Traceback (most recent call last):\n  File "train.py", line 2, in <module>\n    x\n{}\n'
SURVEY = Advice(
    r"only (\d+) rows", en="{1} rows are too few", zh="{1}行太少", types="SurveyError", code=Code.DATASET_MISSING
)


async def died_of(house, launcher, exception: str, uuid: str = "p"):
    """The last error of a job that dies of this exception."""
    job_id = (await house.start(uuid))["job_id"]
    run = await launcher.started(job_id)
    run.print(CRASH.format(exception))
    run.end(exit_code=1)
    record = await house.ended(job_id)
    assert record.status == "failed"
    return record.last_error


async def test_it_is_made_once_for_all_jobs_of_a_driver_and_off_the_loop(house, launcher, driver, monkeypatch) -> None:
    asked = []

    def advice(_driver) -> list[Advice]:
        asked.append(threading.current_thread())
        return [SURVEY]

    monkeypatch.setattr(type(driver), "advice", property(advice))
    for uuid in ("a", "b", "c"):
        error = await died_of(house, launcher, "lab.SurveyError: only 3 rows", uuid)
        assert (error["code"], error["message"]) == (Code.DATASET_MISSING, "3 rows are too few")
    (thread,) = asked
    assert thread is not threading.main_thread()
    error = await died_of(house, launcher, "KeyError: 'x'")
    assert error["code"] == Code.KEY_ERROR
    assert "'x'" in error["message"], "what is said of every job's errors comes after"


async def test_advice_that_cannot_be_had_costs_only_itself(house, launcher, driver, monkeypatch) -> None:
    def advice(_driver) -> list[Advice]:
        raise OSError("says the test")

    monkeypatch.setattr(type(driver), "advice", property(advice))
    driver.does["classify"] = lambda _: Code.MODEL_MISSING
    error = await died_of(house, launcher, "KeyError: 'x'")
    assert error["code"] == Code.MODEL_MISSING, "the rest of the driver is used"
    assert "'x'" in error["message"]


async def test_advice_that_breaks_at_an_error_leaves_the_job_its_end(house, launcher, driver, monkeypatch) -> None:
    class Clumsy(Advice):
        def match(self, said):
            raise LookupError("says the test")

    monkeypatch.setattr(type(driver), "advice", [Clumsy("x", "a", "b")])
    error = await died_of(house, launcher, "KeyError: 'x'")
    assert error["code"] == Code.KEY_ERROR


async def test_signs_that_cannot_work_are_told_of_and_the_log_is_read(house, launcher, driver) -> None:
    class Lap(LogParser):
        signs = "lap 1"

        def feed(self, line: str):
            return ()

    driver.does["parsers"] = lambda _: [Lap()]
    job_id = (await house.start())["job_id"]
    run = await launcher.started(job_id)
    run.print("loss=0.5\n")
    run.end()
    assert (await house.ended(job_id)).last_metrics["loss"] == 0.5
    (event,) = await house.events(job_id, "error")
    assert "signs 'lap 1' of the log parser Lap have a 1 that no line has" in event["error"]["message"]
    assert event["error"]["severity"] == "warning"
