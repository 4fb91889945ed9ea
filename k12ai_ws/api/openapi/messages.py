"""What answers look like: JSON Schema of the envelope, of each body, and of what `info` carries for each route."""

from collections.abc import Mapping, Sequence

from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.codes import MEANINGS, Code
from k12ai_ws.wire.envelope import VERSION
from k12ai_ws.wire.filter import EVENT_TYPES
from k12ai_ws.wire.status import JobStatus, Reason

Schema = dict[str, Json]

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
FLAG: Schema = {"type": "boolean"}
FREE: Schema = {"type": "object", "additionalProperties": True}
FREE_OR_NULL: Schema = {"type": ["object", "null"], "additionalProperties": True}
PERCENT: Schema = {"type": "number", "minimum": 0}


def ref(name: str) -> Schema:
    """A reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def thing(properties: Mapping[str, Schema], optional: Sequence[str] = (), **more: Json) -> Schema:
    """An object with exactly these properties, of which `optional` may be left out."""
    required = [name for name in properties if name not in optional]
    shape: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return shape | ({"required": required} if required else {}) | more


def some(properties: Mapping[str, Schema]) -> Schema:
    """An object with any of these properties."""
    return thing(properties, tuple(properties))


def many(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def message(kind: str, body: Schema, *, stored: bool = False) -> Schema:
    """An envelope of this type; `stored`: an event of the log, which has a `seq`."""
    return thing(
        {
            "version": {"const": VERSION},
            "type": {"const": kind},
            "tag": {"enum": ["framework", "platform", "channel"]},
            "op": TEXT,
            "user": TEXT,
            "service_uuid": TEXT,
            "timestamp": INTEGER | {"description": "Milliseconds since the epoch, UTC."},
            "datetime": TEXT | {"format": "date-time"},
            kind: body,
            "service_name": TEXT,
            "job_id": TEXT,
            "seq": COUNT | {"description": "Of a stored event: strictly increasing over the server's whole log."},
            "id": TEXT,
        },
        ("service_name", "job_id", "id") if stored else ("service_name", "job_id", "seq", "id"),
    )


STATUS = thing(
    {
        "value": {"enum": [status.value for status in JobStatus]},
        "code": ref("Code"),
        "descr": TEXT,
        "exit_code": INTEGER,
        "signal": INTEGER,
        "oom_killed": FLAG,
        "reason": {"enum": [reason.value for reason in Reason]},
        "requested_by": TEXT,
        "message": TEXT,
    },
    ("exit_code", "signal", "oom_killed", "reason", "requested_by", "message"),
)
ERROR = thing(
    {
        "code": ref("Code"),
        "descr": TEXT,
        "message": TEXT,
        "severity": {"enum": ["error", "warning"]},
        "detail": FREE
        | {
            "properties": {
                "fields": many(thing({"loc": TEXT, "msg": TEXT, "type": TEXT}))
                | {"description": "Of a refused request: each field at fault, by its dotted path."}
            }
        },
    },
    ("message",),
)
ACKNOWLEDGEMENT = thing({"code": ref("Code"), "descr": TEXT, "id": TEXT}, ("id",))
MOMENTS = [name + suffix for name in ("created", "started", "ended") for suffix in ("", "_datetime")]
JOB = thing(
    {
        "job_id": TEXT,
        "user": TEXT,
        "service_uuid": TEXT,
        "service_name": TEXT,
        "task": TEXT,
        "request": FREE,
        "status": STATUS,
        "timings": thing(
            {m: TEXT_OR_NULL if m.endswith("e") else COUNT_OR_NULL for m in MOMENTS} | {"duration_s": PERCENT},
            ("duration_s",),
        ),
        "launcher": TEXT_OR_NULL,
        "resources": FREE,
        "queue": {"oneOf": [{"type": "null"}, thing({"position": COUNT, "waiting": COUNT, "reason": TEXT})]},
        "metrics": FREE_OR_NULL,
        "progress": FREE_OR_NULL,
        "error": FREE_OR_NULL,
    }
)
SESSION = thing(
    {
        "session": thing(
            {
                "by": {"type": "string", "enum": ["local", "token", "session", "password"]},
                "id": TEXT,
                "user": TEXT_OR_NULL,
                "admin": FLAG,
                "csrf_header": TEXT,
                "expires": {"type": "integer", "description": "Milliseconds since the epoch, of a session."},
                "expires_datetime": TEXT,
            },
            optional=("expires", "expires_datetime"),
        )
    }
)
SERVICES = thing(
    {
        "services": many(
            thing(
                {
                    "name": TEXT,
                    "description": TEXT,
                    "plugin": TEXT,
                    "distribution": TEXT_OR_NULL,
                    "version": TEXT_OR_NULL,
                    "log_rules_allowed": FLAG,
                    "log_rules": FREE_OR_NULL,
                    "tasks": {
                        "type": "object",
                        "additionalProperties": thing({"ops": many(TEXT), "service_params": FREE}),
                    },
                }
            )
        ),
        "broken": many(thing({"plugin": TEXT, "distribution": TEXT_OR_NULL, "error": TEXT})),
    }
)
EVENTS = thing({"events": many(ref("Event")), "next": COUNT_OR_NULL, "epoch": TEXT, "head": COUNT})
GPU = some(
    {
        "name": TEXT,
        "gpu_percent": PERCENT,
        "gpu_memory_total": COUNT,
        "gpu_memory_usage": COUNT,
        "gpu_memory_percent": PERCENT,
        "uuid": TEXT,
        "index": COUNT,
    }
)
DISK = thing({"path": TEXT, "disk_total": COUNT, "disk_usage": COUNT, "disk_percent": PERCENT})
CPUS: Mapping[str, Schema] = {
    "cpu_percent": PERCENT,
    "cpu_memory_total": COUNT,
    "cpu_memory_usage": COUNT,
    "cpu_memory_percent": PERCENT,
}
JOBS_OWN: Mapping[str, Schema] = {"op": TEXT, "user": TEXT, "service_uuid": TEXT, "service_name": TEXT, "job_id": TEXT}
CONTAINER = some({"id": TEXT, "name": TEXT, "gpu_percent": PERCENT, "gpu_memory_usage": COUNT, **CPUS, **JOBS_OWN})
PROBLEM = thing({"item": TEXT, "message": TEXT, "stale": FLAG, "age_s": PERCENT}, ("stale", "age_s"))
STATS = some(
    {
        **CPUS,
        "cpu_percent_list": many(PERCENT),
        "gpus": many(GPU),
        "disks": many(DISK),
        "containers": many(CONTAINER),
        "problems": many(PROBLEM),
    }
)
CHECK = thing({"ok": FLAG, "name": TEXT, "message": TEXT}, ("name",))
READY = thing({"ready": FLAG, "checks": {"type": "object", "additionalProperties": CHECK}})


def schemas() -> dict[str, Schema]:
    """The components of answers, by name."""
    bodies = dict.fromkeys(sorted(EVENT_TYPES), FREE) | {"status": STATUS, "error": ERROR}
    return {
        "Code": _codes(),
        "Job": JOB,
        "Event": {"oneOf": [message(kind, body, stored=True) for kind, body in bodies.items()]},
        "StatusMessage": message("status", STATUS),
        "ErrorMessage": message("error", ERROR),
        "Acknowledgement": message("info", ACKNOWLEDGEMENT),
        "Services": message("info", SERVICES),
        "Jobs": message("info", thing({"jobs": many(ref("Job")), "next": TEXT_OR_NULL})),
        "OneJob": message("info", thing({"job": ref("Job")})),
        "Events": message("info", EVENTS),
        "Stats": message("info", STATS),
        "Session": message("info", SESSION),
        "Ready": message("info", READY),
    }


def _codes() -> Schema:
    return {
        "description": "What an answer or an event says, the same in every language. `x-http-status` is the status "
        "of a REST answer whose error has the code, where that is one.",
        "oneOf": [
            {"const": int(code), "title": code.name, "description": MEANINGS[code].en, "x-zh": MEANINGS[code].zh}
            | ({"x-http-status": MEANINGS[code].http} if MEANINGS[code].http >= 400 else {})
            for code in Code
        ],
    }
