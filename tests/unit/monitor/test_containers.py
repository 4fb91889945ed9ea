"""The entries of `containers`."""

from dataclasses import replace

from k12ai_ws.launchers.launcher import RunStats
from k12ai_ws.monitor.containers import container_entries
from k12ai_ws.monitor.gpus import GpuProcess, GpuReading
from k12ai_ws.wire.job import JobRecord

RUN = RunStats(id="4711", cpu_percent=153.257, memory_total=4000, memory_usage=1000, pids=(7, 8))
JOB = JobRecord(job_id="j1", user="ann", service_uuid="p1", service_name="k12cv", task="train", params={}, created_ms=0)


def test_an_entry_has_every_field_of_the_contract() -> None:
    gpus = GpuReading(processes=(GpuProcess(0, 8, 2048, 12.5),))
    assert container_entries({"j1": replace(RUN, name="k12ai-j1")}, {"j1": JOB}, gpus) == [
        {
            "id": "4711",
            "name": "k12ai-j1",
            "cpu_percent": 153.26,
            "cpu_memory_total": 4000,
            "cpu_memory_usage": 1000,
            "cpu_memory_percent": 25.0,
            "gpu_percent": 12.5,
            "gpu_memory_usage": 2048,
            "op": "train.start",
            "user": "ann",
            "service_uuid": "p1",
            "service_name": "k12cv",
            "job_id": "j1",
        }
    ]


def test_what_is_not_known_is_left_out() -> None:
    (entry,) = container_entries({"j1": RUN}, {}, GpuReading(processes=(GpuProcess(0, 99, 1, 1.0),)))
    assert entry.keys() == {
        "id", "cpu_percent", "cpu_memory_total", "cpu_memory_usage", "cpu_memory_percent", "job_id",
    }  # fmt: skip


def test_entries_stand_in_the_order_of_the_job_ids_and_only_running_jobs_have_one() -> None:
    entries = container_entries({"j2": RUN, "j1": RUN}, {"j1": JOB, "j3": JOB})
    assert [entry["job_id"] for entry in entries] == ["j1", "j2"]


def test_no_runs_no_entries() -> None:
    assert container_entries({}, {"j1": JOB}) == []
