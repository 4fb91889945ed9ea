"""Starting, following, listing and stopping jobs with the command."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import K12ai

ENDLESS = "import time\nprint('epoch=1 loss=0.5', flush=True)\ntime.sleep(600)"
BUG = "def f():\n    return [][1]\nf()"


async def test_a_followed_job_that_finishes(here: K12ai) -> None:
    done = await here("train", "toy", "--set", "script=print('epoch=1 loss=0.25')", "--follow")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("job ")
    assert "metrics  epoch=1  loss=0.25" in lines
    assert lines[-1] == "status  finished"


async def test_a_followed_job_that_fails(here: K12ai) -> None:
    done = await here("train", "toy", "--set", f"script={BUG}", "--follow")
    assert done.code == 1
    assert "error 100911" in done.out
    assert "IndexError: list index out of range" in done.out
    assert done.out.splitlines()[-1] == "status  failed (exception, exit_code 1)"


async def test_json_is_the_answer_and_then_every_event(here: K12ai) -> None:
    done = await here("evaluate", "toy", "--user", "bob", "--uuid", "p7", "--follow", "--json")
    answer, *events = done.lines
    assert done.code == 0
    assert {e["job_id"] for e in events} == {answer["job_id"]}
    assert {(e["user"], e["service_uuid"], e["op"]) for e in events} == {("bob", "p7", "evaluate.start")}
    assert [e["seq"] for e in events] == sorted({e["seq"] for e in events})
    assert events[-1]["status"]["value"] == "finished"
    assert {"epoch": 1, "loss": 0.5} in [e.get("metrics") for e in events]


async def test_without_follow_it_says_how_to_look(here: K12ai, client: Any) -> None:
    done = await here("train", "toy")
    job_id = (await client.jobs())[0]["job_id"]
    assert done.code == 0
    assert f"k12ai watch --job {job_id}" in done.out
    assert f"k12ai stop {job_id}" in done.out


async def test_params_come_from_a_file_and_the_command_line(here: K12ai, client: Any, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('count = 3\nscript = "print(1)"\n')
    assert (await here("train", "toy", "--params", tmp_path / "p.toml", "--set", "count=4")).code == 0
    done = await here("run", "toy", "evaluate", "--uuid", "b", "--params", "-", stdin=b'{"count": 5}')
    assert done.code == 0, done.err
    asked = [job["request"]["service_params"] for job in await client.jobs()]
    assert [(p["count"], p["script"]) for p in asked] == [(5, "print('epoch=1 loss=0.5')"), (4, "print(1)")]


@pytest.mark.parametrize("json_", [False, True])
async def test_a_refusal_names_the_field(here: K12ai, json_: bool) -> None:
    done = await here("predict", "toy", "--set", "needed=10", *(["--json"] if json_ else []))
    assert done.code == 4
    assert "service_params.needed" in done.err
    if json_:
        assert done.lines[0]["error"]["detail"]["fields"][0]["loc"] == "service_params.needed"
    else:
        assert done.out == ""


async def test_ctrl_c_leaves_the_job_running_and_says_so(here: K12ai, client: Any) -> None:
    running = await here.begin("train", "toy", "--set", f"script={ENDLESS}", "--follow")
    await running.until("loss=0.5")
    done = await running.interrupt()
    job_id = (await client.jobs())[0]["job_id"]
    assert done.code == 130
    assert f"k12ai watch --job {job_id}" in done.err
    assert f"k12ai stop {job_id}" in done.err
    assert (await client.job(job_id))["status"]["value"] == "running"

    stopped = await here("stop", job_id, "--wait")
    assert (stopped.code, stopped.out) == (0, f"job {job_id}: stopped\n")
    again = await here("stop", job_id)
    assert again.code == 1
    assert "has ended already: stopped" in again.err


async def test_a_job_is_stopped_by_whose_it_is(here: K12ai, client: Any) -> None:
    await client.start(ENDLESS, uuid="p1", user="ann")
    assert (await here("stop", "--user", "ann", "--uuid", "p1", "--wait", "--json")).lines[0]["status"][
        "value"
    ] == "stopped"
    done = await here("stop", "--user", "ann", "--uuid", "p1")
    assert done.code == 1
    assert "no job of user ann and uuid p1 is active" in done.err


async def test_watching_a_job_that_was(here: K12ai, client: Any) -> None:
    job_id = await client.start(BUG)
    await client.until(job_id)
    done = await here("watch", "--job", job_id, "--type", "error,metrics")
    assert done.code == 1
    assert done.out.startswith("error 100911")
    assert "status" not in done.out
    assert (await here("watch", "--job", job_id, "--after", "now")).code == 1


async def test_watching_everything(here: K12ai, client: Any) -> None:
    running = await here.begin("watch", "--json", "--after", "start", "--type", "status", "--user", "ann")
    await client.start(uuid="other", user="bob")
    job_id = await client.start(user="ann")
    await running.until('"value":"finished"')
    done = await running.interrupt()
    assert done.code == 130
    assert {e["job_id"] for e in done.lines} == {job_id}


async def test_jobs_page_by_page(here: K12ai, client: Any) -> None:
    ids = [await client.start(uuid=f"p{n}") for n in range(3)]
    for job_id in ids:
        await client.until(job_id)
    page = (await here("jobs", "--limit", 2, "--json")).lines[0]
    assert [job["job_id"] for job in page["jobs"]] == ids[:0:-1]
    rest = (await here("jobs", "--cursor", page["next"], "--json")).lines[0]
    assert [job["job_id"] for job in rest["jobs"]] == ids[:1]
    plain = await here("jobs", "--status", "finished")
    assert [line.split()[0] for line in plain.out.splitlines()] == ["job", *reversed(ids)]
    assert (await here("jobs", "--user", "nobody")).out == "no jobs\n"
    assert (await here("jobs", ids[0], "--json")).lines[0]["job_id"] == ids[0]
    assert "metrics  epoch=1  loss=0.5" in (await here("jobs", ids[0])).out
    assert (await here("jobs", "unknown")).code == 4


async def test_services(here: K12ai) -> None:
    assert "toy      train, evaluate, predict" in (await here("services")).out
    schema = (await here("services", "toy", "predict", "--json")).lines[0]
    assert schema["properties"]["needed"]["maximum"] == 9
    assert "integer 1..9" in (await here("services", "toy", "predict")).out
    assert (await here("services", "nope")).code == 1
    assert (await here("services", "toy", "nope")).code == 1


async def test_statistics(here: K12ai) -> None:
    once = await here("stats", "--json", "--cpus")
    assert set(once.lines[0]) >= {"cpu_percent", "cpu_memory_total"}
    assert "disks" not in once.lines[0]
    running = await here.begin("stats", "--every", "0.2", "--disks")
    await running.until("%")
    await running.until("%")
    assert (await running.interrupt()).code == 130


async def test_the_language_is_the_callers(here: K12ai) -> None:
    done = await here("train", "toy", "--follow", LANG="zh_CN.UTF-8")
    assert done.out.splitlines()[-1] == "状态  已完成"
    refused = await here("train", "nope", "--lang", "zh")
    assert "服务不存在" in refused.err


async def test_following_over_a_killed_server(house: Any, k12ai: K12ai) -> None:
    client = await house.start()
    port = client.port
    script = "import time, pathlib\nprint('loss=1', flush=True)\np = pathlib.Path('go')\nprint(p.absolute())\n"
    script += "while not p.exists(): time.sleep(0.02)\nprint('loss=2')"
    job_id = await client.start(script)
    k12ai.environ["K12AI_SERVER_URL"] = client.address
    running = await k12ai.begin("watch", "--job", job_id, "--json", "--type", "status,metrics,log")
    place = json.loads(await running.until("/go"))["log"]["lines"][-1]
    await house.end(9)
    await house.start(server={"port": port})
    await asyncio.to_thread(Path(place).touch)
    done = await running.end()
    assert done.code == 0, done.err
    assert [e["metrics"] for e in done.lines if e["type"] == "metrics"] == [{"loss": 1}, {"loss": 2}]
    seqs = [e["seq"] for e in done.lines]
    assert seqs == sorted(set(seqs))
    assert done.lines[-1]["status"]["value"] == "finished"
    assert "connection lost" in done.err


async def test_nobody_there(k12ai: K12ai) -> None:
    for words in (["jobs"], ["train", "toy"], ["watch"], ["stats", "--every", "1"]):
        done = await k12ai(*words, "--server", "http://127.0.0.1:9")
        assert done.code == 3, words
        assert "nothing listens there" in done.err
        assert "k12ai serve" in done.err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nope"],
        ["jobs", "--limit", "0"],
        ["jobs", "--server", "ftp://x"],
        ["train", "toy", "--set", "novalue"],
        ["train", "toy", "--set", "a=1", "--set", "a.b=2"],
        ["train", "toy", "--params", "/nonexistent"],
        ["train", "toy", "--user", "../x"],
        ["watch", "--type", "nope"],
        ["watch", "--after", "-1"],
        ["stop"],
        ["stop", "--user", "ann"],
        ["stop", "id", "--user", "ann", "--uuid", "p"],
        ["stats", "--every", "0"],
        ["parse"],
        ["parse", "--parser", "nope", "-"],
        ["parse", "--batch", "x"],
    ],
)
async def test_a_wrong_command_line(k12ai: K12ai, words: list[str]) -> None:
    done = await k12ai(*words)
    assert done.code == 2
    assert (done.err or done.out).strip()
    assert "Traceback" not in done.err
