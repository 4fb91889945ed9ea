"""How a job's record looks to a client."""

from collections.abc import Mapping, Sequence

from k12ai_ws.access.redaction import Redaction, hide_in
from k12ai_ws.drivers.registry import Registry
from k12ai_ws.jobs.life import status_of
from k12ai_ws.jobs.queue import Place
from k12ai_ws.logs.rules import rules_schema
from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.envelope import rfc3339
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus

WORDS = frozenset({"value", "code", "descr", "reason", "severity"})
"""Fields that hold nothing but the contract's own words."""


def job_view(record: JobRecord, places: Mapping[str, Place], redaction: Redaction) -> dict[str, Json]:
    """One job: request, state, timings (milliseconds since the epoch, and RFC 3339), last metrics and error.

    Of a job that waits (it is in `places`) also `queue`: `{position, waiting, reason}`; otherwise that is null.
    Secrets among the parameters are not shown, nor where the job told them.
    """
    secrets = redaction.secrets(record.params)
    place = places.get(record.job_id) if record.status is JobStatus.QUEUED else None
    started, ended = record.started_ms, record.ended_ms
    times = {"created": record.created_ms, "started": started, "ended": ended}
    timings: dict[str, Json] = {}
    for name, at_ms in times.items():
        timings[name] = at_ms
        timings[f"{name}_datetime"] = rfc3339(at_ms) if at_ms is not None else None
    if started is not None and ended is not None:
        timings["duration_s"] = max(0, ended - started) / 1000
    return {
        "job_id": record.job_id,
        "user": record.user,
        "service_uuid": record.service_uuid,
        "service_name": record.service_name,
        "task": record.task,
        "request": {
            "op": record.op,
            "user": record.user,
            "service_name": record.service_name,
            "service_uuid": record.service_uuid,
            "service_params": hide_in(redaction.shown(record.params), secrets),
        }
        | ({} if record.log_rules is None else {"log_rules": list(record.log_rules)}),
        "status": _without(status_of(record).body(record.language), secrets),
        "timings": timings,
        "launcher": record.launcher,
        "resources": dict(record.resources),
        "queue": place and {"position": place.position, "waiting": place.waiting, "reason": place.reason},
        "metrics": hide_in(record.last_metrics, secrets),
        "progress": hide_in(record.last_progress, secrets),
        "error": record.last_error and _without(record.last_error, secrets),
    }


def _without(body: Mapping[str, Json], secrets: Sequence[str]) -> dict[str, Json]:
    """A status or an error without secrets in its texts. The contract's own words stay."""
    return {k: v if k in WORDS else hide_in(v, secrets) for k, v in body.items()}


def services_view(registry: Registry) -> dict[str, Json]:
    """The services with their tasks' schemas, and the plugins that failed, with why."""
    services = [
        {
            "name": name,
            "description": service.driver.description,
            "plugin": service.plugin,
            "distribution": service.distribution,
            "version": service.version,
            "log_rules_allowed": service.driver.log_rules_allowed,
            "log_rules": rules_schema() if service.driver.log_rules_allowed else None,
            "tasks": {
                task: {"ops": [f"{task}.start", f"{task}.stop"], "service_params": schema}
                for task, schema in service.schemas.items()
            },
        }
        for name, service in sorted(registry.services.items())
    ]
    broken = [{"plugin": b.plugin, "distribution": b.distribution, "error": b.error} for b in registry.broken]
    return {"services": services, "broken": broken}
