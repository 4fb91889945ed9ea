"""The `containers` of a statistics answer: what each running job uses, and whose it is."""

from collections.abc import Mapping

from k12ai_ws.launchers.launcher import RunStats
from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.job import JobRecord

from .gpus import GpuReading


def container_entries(
    runs: Mapping[str, RunStats],
    jobs: Mapping[str, JobRecord],
    gpus: GpuReading | None = None,
) -> list[dict[str, Json]]:
    """One entry per run, in the order of the job ids; both mappings are by job id.

    Memory in bytes. `cpu_percent` is of one core, as `docker stats` prints it; the other percentages are 0..100.
    `name`, the job's facts and the GPU fields are there where they are known.
    """
    return [_entry(job_id, run, jobs.get(job_id), gpus or GpuReading()) for job_id, run in sorted(runs.items())]


def _entry(job_id: str, run: RunStats, job: JobRecord | None, gpus: GpuReading) -> dict[str, Json]:
    out: dict[str, Json] = {"id": run.id}
    if run.name is not None:
        out["name"] = run.name
    out |= {
        "cpu_percent": round(run.cpu_percent, 2),
        "cpu_memory_total": run.memory_total,
        "cpu_memory_usage": run.memory_usage,
        "cpu_memory_percent": round(run.memory_percent, 2),
    }
    out |= gpus.used_by(run.pids)
    if job is not None:
        out |= {"op": job.op, "user": job.user, "service_uuid": job.service_uuid, "service_name": job.service_name}
    return out | {"job_id": job_id}
