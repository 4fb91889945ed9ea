"""A secret among the parameters goes to the job, and is shown nowhere else."""

import json
import logging
import re
from typing import ClassVar

import pytest

from k12ai_ws.access.serverlog import clean
from k12ai_ws.drivers import Code, Driver, Job, LaunchSpec, Params, Refused
from k12ai_ws.drivers.registry import Registry, Service, examine
from k12ai_ws.serverlog import About, console_line, json_line

SECRET = "hunter2-is-my-password"
TRAIN, JOBS = "/k12ai/framework/train", "/k12ai/framework/jobs"
ALL = ["log", "status", "error", "metrics", "progress", "info"]
TELLS = """
import os
key = os.environ["KEY"]
print("the key is", key)
print("loss=0.5 key=" + key)
raise ValueError("wrong key: " + key)
"""


class Keyed(Params):
    script: str = "print(1)"
    api_key: str | None = None
    password: str | None = None
    colour: str | None = None
    pad_token: str | None = None
    max_tokens: int = 0
    tokenizer: str = ""
    epochs: int = 1


class Vault(Driver):
    """Its jobs get a key; it complains of keys in its own words."""

    service_name = "toy"
    description = "has a key"
    tasks: ClassVar = {"train": Keyed}

    def check(self, job: Job) -> None:
        if job.params.password == SECRET:
            raise Refused(Code.DATASET_MISSING, f"nothing opens with {SECRET}", field="password")
        if job.params.tokenizer == "broken":
            raise RuntimeError(f"cannot log in with api_key={job.params.api_key}")

    def launch(self, job: Job) -> LaunchSpec:
        return LaunchSpec(command=["python", "-c", job.params.script], env={"KEY": job.params.api_key or ""})


@pytest.fixture(scope="module")
def vault():
    driver = Vault()
    return Registry({"toy": Service(driver, "vault", "vault", "0.1", examine(driver))})


@pytest.fixture
async def client(serve, vault):
    return await serve(registry=vault)


@pytest.fixture
async def told(client):
    """A job that was given a secret, and told it in its log and in its error; with a channel that listened."""
    channel = await client.channel()
    await channel.subscribe("s", "start", type=ALL)
    job_id = await client.start(TELLS, api_key=SECRET)
    return client, job_id, await channel.until_end(job_id)


async def test_no_view_and_no_event_shows_it(told) -> None:
    client, job_id, seen = told
    job = await client.job(job_id)
    assert job["request"]["service_params"]["api_key"] == "[redacted]"
    assert "[redacted]" in json.dumps(job["error"])
    for what in (job, await client.jobs(), await client.events(job_id), [message for message, _ in seen]):
        assert SECRET not in json.dumps(what)
    lines = await client.lines(job_id)
    assert "the key is [redacted]" in lines
    assert "wrong key: [redacted]" in json.dumps(await client.events(job_id, "error"))


async def test_a_replay_has_the_same_bytes(told) -> None:
    client, job_id, seen = told
    channel = await client.channel()
    await channel.subscribe("s", "start", type=ALL)
    assert [raw for _, raw in await channel.until_end(job_id)] == [raw for _, raw in seen]


async def test_the_job_gets_it_also_after_a_restart(serve, vault, tmp_path) -> None:
    """Queued when its server ends; the next one launches it with what was sent, and still tells nobody."""
    first = await serve({"jobs": {"max_running": 1}}, registry=vault)
    await first.until(await first.start("import time; time.sleep(120)", uuid="blocker"), "running")
    script = f"import os; open({str(tmp_path / 'seen')!r}, 'w').write(os.environ['KEY']); print(os.environ['KEY'])"
    job_id = await first.start(script, uuid="b", api_key=SECRET)
    assert SECRET not in json.dumps(await first.job(job_id))
    await first.server.close()
    first.server.closed_by_test = True
    second = await serve({"jobs": {"max_running": 1}}, registry=vault)
    await second.stop(uuid="blocker")
    await second.until(job_id)
    assert (tmp_path / "seen").read_text() == SECRET
    assert await second.lines(job_id) == ["[redacted]"]


async def test_bad_requests_do_not_show_it(client, caplog) -> None:
    for params, code in (
        ({"password": SECRET}, 100212),
        ({"api_key": SECRET, "tokenizer": "broken"}, 100202),
        ({"api_key": SECRET, "epochs": SECRET}, 100231),
        ({"api_key": [SECRET]}, 100231),
    ):
        reply = await client.post(TRAIN, client.order("train.start", **params))
        assert reply.message["error"]["code"] == code
        assert SECRET not in json.dumps(reply.message), params
    reply = await client.post(TRAIN, client.order("train.start") | {"password": SECRET})
    assert SECRET not in json.dumps(reply.message)
    reply = await client.post("/k12ai/platform/stats", {"username": "u", "password": [SECRET]})
    assert reply.status == 400
    assert SECRET not in json.dumps(reply.message)


async def test_the_audit_log_and_the_servers_log_do_not_hold_it(told, keys, caplog) -> None:
    client, job_id, _ = told
    await client.server.close()
    client.server.closed_by_test = True
    noted = keys.audit()
    assert SECRET not in json.dumps(noted)
    assert SECRET not in caplog.text
    start = next(e for e in noted if e["op"] == "train.start")
    assert (start["outcome"], start["job_id"], start["user"], start["who"]["by"]) == ("ok", job_id, "u", "local")


@pytest.mark.parametrize("spell", [json_line, console_line])
def test_the_servers_log_is_cleaned(spell) -> None:
    token = "k12ai_aaaaaaaaaaaa_" + "B" * 43
    log, lines = logging.Logger("k12ai.test.cleaned"), []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(spell(record, About(), clean))

    log.addHandler(Handler())
    log.error("got %s and %s", token, "Authorization: Bearer abcdef")
    log.error("%s", {"password": SECRET, "user": "ann", "tokens": 512})
    log.error('{"password": "%s"}', SECRET)
    log.error('GET /password=abc"x HTTP/1.1')
    try:
        raise ValueError(f"api_key={SECRET}\n2026-01-01 ERROR a line of its own")
    except ValueError:
        log.exception("it failed")
    text = "\n".join(lines)
    assert "B" * 43 not in text
    assert "k12ai_aaaaaaaaaaaa_[redacted]" in text, "the public id stays"
    assert "abcdef" not in text
    assert SECRET not in text
    assert "'user': 'ann'" in text
    assert re.search(r"ValueError: api_key=\[redacted\]", text)
    if spell is json_line:
        assert [json.loads(line)["level"] for line in lines] == ["error"] * 5
    else:
        assert not re.search(r"^2026-01-01 ERROR", text, re.MULTILINE), "what was told begins no line"


async def test_a_secret_that_is_a_word_of_the_contract_leaves_the_status_readable(client) -> None:
    job_id = await client.start("print('done')", api_key="finished")
    job = await client.until(job_id)
    assert job["status"]["value"] == "finished"
    assert job["request"]["service_params"]["api_key"] == "[redacted]"


async def test_nothing_else_is_hidden(client) -> None:
    job_id = await client.start("print('tokens: 512 pad=[PAD]')", pad_token="[PAD]", max_tokens=512, tokenizer="bert")
    job = await client.until(job_id)
    params = job["request"]["service_params"]
    assert (params["pad_token"], params["max_tokens"], params["tokenizer"]) == ("[PAD]", 512, "bert")
    assert await client.lines(job_id) == ["tokens: 512 pad=[PAD]"]


async def test_patterns_are_the_operators(serve, vault) -> None:
    client = await serve({"access": {"redact": ["colour"]}}, registry=vault)
    job_id = await client.start("print(1)", colour="blue", api_key=SECRET)
    params = (await client.until(job_id))["request"]["service_params"]
    assert (params["colour"], params["api_key"]) == ("[redacted]", SECRET)
