"""Requests, answers and refusals."""

import asyncio
import json
from typing import Any

import pytest

from k12ai_ws.client import (
    AddressError,
    Client,
    Conflict,
    Invalid,
    JobOver,
    NotAllowed,
    NotFound,
    ProtocolError,
    Pruned,
    Refused,
    ServerFailed,
    TooMany,
    Unreachable,
)
from k12ai_ws.client.rest import normal_address
from k12ai_ws.wire.bodies import Fault, Info, Status
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.status import JobStatus

from .conftest import JOB, Script

QUEUED = Status(JobStatus.QUEUED, Code.QUEUED)


async def test_a_start_is_the_contracts_request(script: Script) -> None:
    script.answer("/k12ai/framework/train", QUEUED, 202, job_id=JOB)
    async with Client(script.address, language="zh") as client:
        answer = await client.start(
            "k12cv", "train", user="ann", service_uuid="p1", params={"epochs": 5}, idempotency_key="k"
        )
    assert (answer.job_id, answer.type, answer.body["value"]) == (JOB, "status", "queued")
    method, uri, body, headers = script.requests[0]
    assert (method, uri) == ("POST", "/k12ai/framework/train")
    assert json.loads(body) == {
        "op": "train.start",
        "user": "ann",
        "service_name": "k12cv",
        "service_uuid": "p1",
        "service_params": {"epochs": 5},
    }
    assert (headers["Accept-Language"], headers["Idempotency-Key"]) == ("zh", "k")


def job(value: str) -> Info:
    record = {"service_name": "k12cv", "task": "train", "user": "ann", "service_uuid": "p1"}
    return Info({"job": {**record, "status": {"value": value}}})


async def test_a_job_is_stopped_by_its_id(script: Script) -> None:
    script.answer(f"/k12ai/framework/jobs/{JOB}", job("running"), op="job")
    script.answer("/k12ai/framework/train", Status(JobStatus.STOPPING, Code.RUNNING), 202)
    async with Client(script.address) as client:
        await client.stop_job(JOB)
    assert json.loads(script.requests[1][2])["op"] == "train.stop"


async def test_a_job_that_has_ended_is_not_stopped(script: Script) -> None:
    """The stop would reach whichever job of the project runs now."""
    script.answer(f"/k12ai/framework/jobs/{JOB}", job("failed"), op="job")
    async with Client(script.address) as client:
        with pytest.raises(JobOver, match="failed"):
            await client.stop_job(JOB)
    assert len(script.requests) == 1


async def test_events_are_read_page_by_page(script: Script) -> None:
    path = f"/k12ai/framework/jobs/{JOB}/events"
    script.answer(path, Info({"events": [{"seq": 1}], "next": 1, "epoch": "e1", "head": 2}), op="events")
    got = []
    async with Client(script.address) as client:
        async for event in client.events(JOB, types=["status", "error"]):
            got.append(event.seq)
            script.answer(path, Info({"events": [{"seq": 2}], "next": None, "epoch": "e1", "head": 2}), op="events")
    assert got == [1, 2]
    assert [r[1].partition("?")[2] for r in script.requests] == [
        "after=0&type=error%2Cstatus",
        "after=1&type=error%2Cstatus&epoch=e1",
    ]


async def test_a_job_id_cannot_leave_its_place_in_the_path(script: Script) -> None:
    script.answer("/k12ai/framework/jobs/..%2Fservices", job("running"), op="job")
    async with Client(script.address) as client:
        await client.job("../services")
    assert script.requests[0][1] == "/k12ai/framework/jobs/..%2Fservices"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.VALUE_INVALID, Invalid),
        (Code.PARAMS_INVALID, Invalid),
        (Code.SERVICE_NOT_FOUND, NotFound),
        (Code.ALREADY_RUNNING, Conflict),
        (Code.QUEUE_FULL, TooMany),
        (Code.EVENTS_PRUNED, Pruned),
        (Code.NOT_ALLOWED, NotAllowed),
        (Code.ENGINE_FAILED, ServerFailed),
    ],
)
async def test_an_error_is_raised_as_its_kind_with_the_whole_envelope(
    script: Script, code: Code, kind: type[Refused]
) -> None:
    fields = [{"loc": "service_params.epochs", "msg": "too many", "type": "x"}]
    script.answer("/k12ai/framework/services", Fault(code, "why", detail={"fields": fields}), 400, op="services")
    async with Client(script.address) as client:
        with pytest.raises(kind) as raised:
            await client.services()
    error = raised.value
    assert type(error) is kind
    assert (error.code, error.message, error.fields, error.http_status) == (code, "why", fields, 400)
    assert error.descr
    assert error.envelope.op == "services"


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b'{"type":"info"}', b""])
async def test_something_else_at_the_address_is_told_apart(script: Script, body: bytes) -> None:
    script.answers["/health"] = (200, body)
    async with Client(script.address) as client:
        with pytest.raises(ProtocolError, match="no k12ai server"):
            await client.health()


async def test_nothing_at_the_address_is_told_apart() -> None:
    async with Client("127.0.0.1:9") as client:
        with pytest.raises(Unreachable, match="nothing listens there"):
            await client.health()


async def test_a_server_that_is_silent_is_unreachable(script: Script) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server, Client(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=0.2) as client:
        with pytest.raises(Unreachable, match="no answer in time"):
            await client.health()


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("127.0.0.1:8170", "http://127.0.0.1:8170"),
        ("http://[::1]:8170/", "http://[::1]:8170"),
        ("https://school.example/ai", "https://school.example/ai"),
    ],
)
def test_addresses(given: str, normal: str) -> None:
    assert normal_address(given) == normal


@pytest.mark.parametrize("given", ["", "ftp://x", "http://", "http://x:99999", "http://x?y", "http://[::1"])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(AddressError, match="give one like"):
        Client(given)


async def test_params_that_json_cannot_carry_are_refused_before_they_are_sent(script: Script) -> None:
    params: dict[str, Any] = {"x": object()}
    async with Client(script.address) as client:
        with pytest.raises(TypeError):
            await client.start("k12cv", "train", user="ann", service_uuid="p", params=params)
    assert not script.requests
