"""`/openapi.json` against the table of routes, and the running server against `/openapi.json`."""

import asyncio
import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from k12ai_ws.api.routes import ROUTES
from k12ai_ws.drivers.registry import Registry, Service, examine
from k12ai_ws.wire.codes import Code

from .conftest import HERE

SEED = int(os.environ.get("K12AI_SCHEMATHESIS_SEED", "1"))
EXAMPLES = int(os.environ.get("K12AI_SCHEMATHESIS_EXAMPLES", "100"))


@pytest.fixture(scope="module")
def linreg() -> Registry:
    """A driver whose jobs are harmless whatever they are asked, with parameters of some shape."""
    spec = importlib.util.spec_from_file_location("k12linreg", HERE.parent / "third_party" / "k12linreg.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["k12linreg"] = module
    spec.loader.exec_module(module)
    driver = module.LinReg()
    return Registry({"k12linreg": Service(driver, "k12linreg", "k12linreg", "0.1", examine(driver))})


async def described(client) -> dict[str, Any]:
    reply = await client.raw("/openapi.json")
    assert reply.headers["Content-Type"].startswith("application/json")
    return json.loads(reply.body)


async def test_every_route_is_described(client) -> None:
    document = await described(client)
    tasks = ("train", "evaluate", "predict")
    wanted = {
        (r.method.lower(), path)
        for r in ROUTES
        for path in ([r.path.replace("{task}", task) for task in tasks] if "{task}" in r.path else [r.path])
    }
    assert {(method, path) for path, methods in document["paths"].items() for method in methods} == wanted
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


async def test_the_document_is_openapi_with_no_loose_end(client) -> None:
    document = await described(client)
    assert document["openapi"] == "3.1.0"
    for found in re.findall(r'"\$ref":"#/([^"]+)"', json.dumps(document, separators=(",", ":"))):
        place = document
        for step in found.split("/"):
            place = place[step]
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


async def test_it_has_the_table_of_codes_and_an_example_of_each_error(client) -> None:
    document = await described(client)
    codes = document["components"]["schemas"]["Code"]["oneOf"]
    assert {c["const"] for c in codes} == {int(c) for c in Code}
    assert all(c["x-zh"] and c["description"] for c in codes)
    error = Draft202012Validator(whole(document))
    for methods in document["paths"].values():
        for operation in methods.values():
            errors = [r for status, r in operation["responses"].items() if int(status) >= 400]
            assert errors
            for answer in errors:
                for example in answer["content"]["application/json"]["examples"].values():
                    error.validate(example["value"])


def whole(document: dict[str, Any]) -> dict[str, Any]:
    """The schema of errors, with what it refers to."""
    return {"$ref": "#/components/schemas/ErrorMessage", "components": document["components"]}


async def test_a_services_own_parameters_are_described(serve, linreg) -> None:
    document = await described(await serve(registry=linreg))
    start = document["components"]["schemas"]["K12linregTrainStart"]["properties"]
    assert start["op"] == {"const": "train.start"}
    params = document["components"]["schemas"]["K12linregTrainParams"]
    assert params["properties"]["epochs"]["maximum"] == 1000


async def test_it_is_the_same_each_time_and_asked_about_by_its_etag(client) -> None:
    first = await client.raw("/openapi.json")
    again = await client.raw("/openapi.json")
    assert first.body == again.body
    assert (await client.raw("/openapi.json", If_None_Match=first.headers["Etag"])).code == 304


async def test_schemathesis_finds_nothing(serve, linreg, tmp_path: Path) -> None:
    """Answers as described to good requests, bad ones, other methods, and requests that follow from one another."""
    client = await serve({"jobs": {"max_queued": 10_000, "max_queued_per_user": 10_000}}, registry=linreg)
    print(f"K12AI_SCHEMATHESIS_SEED={SEED} K12AI_SCHEMATHESIS_EXAMPLES={EXAMPLES}")
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{client.address}/openapi.json", "--seed", str(SEED), "--max-examples", str(EXAMPLES),
        "--checks", "all", "--warnings", "off",
        cwd=tmp_path, env=os.environ | {"COLUMNS": "120", "NO_COLOR": "1", "PYTHONPATH": str(HERE)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert re.search(r"[1-9]\d* generated", said.decode()), said.decode()
