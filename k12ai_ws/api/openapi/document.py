"""The document, put together once: OpenAPI 3.1."""

import re
from collections.abc import Iterable, Mapping

from k12ai_ws.drivers.registry import Registry
from k12ai_ws.wire.bodies import Fault, Json
from k12ai_ws.wire.codes import MEANINGS, Code, http_status
from k12ai_ws.wire.envelope import envelope

from .messages import Schema, ref, schemas
from .models import body_of, framework_bodies, query_of
from .routes import DESCRIBED, EVERYWHERE, JSON, STREAM, Described, Success

TASK = "{task}"
EXAMPLE_MS = 1_700_000_000_000
REQUEST_ID = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a start safe to repeat: the same request answers with the job that the first one made.",
    "schema": {"type": "string", "pattern": r"^[!-~]([ -~]{0,254}[!-~])?$"},
}
ABOUT = """\
JSON requests start machine-learning jobs; what they print becomes a durable, typed, resumable stream of events. Every
answer is an envelope whose field `type` names its body, but for `/metrics` and this document. Errors are envelopes of
type `error`. `Accept-Language` (`en`, `zh`) chooses the language of `descr`. `X-Request-ID` comes back in the answer.
"""


def build(
    routes: Iterable[tuple[str, str]], variables: Mapping[str, str], registry: Registry, version: str
) -> dict[str, Json]:
    """The document of these routes (method, path) whose variables have these patterns, for the drivers in `registry`.

    Raises LookupError for a route that is not described.
    """
    components: dict[str, Schema] = schemas()
    tasks = framework_bodies(registry, components)
    paths: dict[str, dict[str, Json]] = {}
    for method, path in routes:
        described = DESCRIBED[method, path]
        operation = _operation(described, path, variables, components)
        if TASK not in path or not tasks:
            paths.setdefault(path, {})[method.lower()] = operation
            continue
        for task, bodies in sorted(tasks.items()):  # one path for each task that there is: `op` belongs to it
            own = operation | {
                "operationId": f"{described.operation_id}_{task}",
                "parameters": [p for p in operation["parameters"] if p["name"] != "task"],
                "requestBody": _request_body({"oneOf": list(bodies)}),
            }
            paths.setdefault(path.replace(TASK, task), {})[method.lower()] = own
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "k12ai_ws",
            "version": version,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": {"X-Request-ID": {"description": "The request's id.", "schema": {"type": "string"}}},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `k12ai token create`. On loopback none is needed by default.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "k12ai_session",
                    "description": "The cookie of `POST /k12ai/session`; behind TLS its name begins with `__Host-`.",
                },
            },
        },
    }


def _operation(
    described: Described, path: str, variables: Mapping[str, str], components: dict[str, Schema]
) -> dict[str, Json]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{variables['{' + name + '}'].strip('()')}$"},
        }
        for name in re.findall(r"{(\w+)}", path)
    ]
    parameters += query_of(described.query) if described.query else []
    parameters += [KEY] if TASK in path else []
    operation: dict[str, Json] = {
        "operationId": described.operation_id,
        "summary": described.summary,
        "tags": [path.split("/")[2] if path.startswith("/k12ai/") else "server"],
        "parameters": parameters,
        "responses": {str(s): _success(a) for s, a in described.answers.items()} | _errors(described),
    }
    if described.description:
        operation["description"] = described.description
    if described.body is not None:
        operation["requestBody"] = _request_body(body_of(described.body, components))
    if described.operation_id == "startOrStop":
        operation["responses"]["202"]["links"] = {
            name: {"operationId": name, "parameters": {"job_id": "$response.body#/job_id"}}
            for name in ("getJob", "listEvents")
        }
    return operation


def _request_body(schema: Schema) -> Schema:
    return {"required": True, "content": {JSON: {"schema": schema}}}


def _success(answer: Success) -> Schema:
    response: Schema = {"description": answer.text, "headers": REQUEST_ID}
    if answer.empty:
        return response
    if answer.schema is not None:
        response["content"] = {answer.media: {"schema": ref(answer.schema)}}
    elif answer.media != JSON:
        response["content"] = {answer.media: {"schema": {"type": "string"}}}
    else:
        response["content"] = {JSON: {"schema": {"type": "object"}}}
    if answer.streamed:
        response["content"][STREAM] = {"schema": {"type": "string"}}
    return response


def _errors(described: Described) -> dict[str, Schema]:
    """HTTP status -> the error that it stands for, with an example of each of its codes."""
    by_status: dict[int, list[Code]] = {}
    for code in dict.fromkeys((*described.errors, *EVERYWHERE)):
        by_status.setdefault(http_status(code), []).append(code)
    by_status.setdefault(404, []).append(Code.NOT_FOUND)
    by_status.setdefault(405, []).append(Code.VALUE_INVALID)
    by_status.setdefault(503, []).append(Code.UNKNOWN)
    by_status |= {408: [Code.VALUE_INVALID], 414: [Code.PAYLOAD_TOO_LARGE], 431: [Code.PAYLOAD_TOO_LARGE]}
    if described.operation_id == "openChannel":
        by_status[426] = [Code.VALUE_INVALID]
    return {
        str(status): {
            "description": "; ".join(f"{int(code)} {MEANINGS[code].en}" for code in dict.fromkeys(codes)),
            "headers": REQUEST_ID,
            "content": {
                JSON: {
                    "schema": ref("ErrorMessage"),
                    "examples": {str(int(code)): {"value": _example(code, described)} for code in codes},
                }
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _example(code: Code, described: Described) -> Json:
    fault = Fault(code, "what was wrong, where, and what would be right", detail={})
    return envelope(fault, tag="framework", op=described.operation_id, at_ms=EXAMPLE_MS)
