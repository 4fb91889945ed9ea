"""What processes use of the GPUs, together."""

from k12ai_ws.monitor.gpus import GpuProcess, GpuReading, GpuStats


def test_memory_adds_up_and_use_is_the_mean_over_the_gpus_used() -> None:
    reading = GpuReading(processes=(GpuProcess(0, 1, 10, 80.0), GpuProcess(0, 2, 20, 40.0), GpuProcess(1, 1, 30, 50.0)))
    assert reading.used_by([1, 2]) == {"gpu_percent": 75.0, "gpu_memory_usage": 60}


def test_a_process_listed_once_per_instance_counts_its_use_once() -> None:
    reading = GpuReading(processes=(GpuProcess(0, 1, 10, 30.0), GpuProcess(0, 1, 5, 30.0)))
    assert reading.used_by([1]) == {"gpu_percent": 30.0, "gpu_memory_usage": 15}


def test_nothing_known_is_left_out() -> None:
    assert GpuReading(processes=(GpuProcess(0, 1),)).used_by([1]) == {}
    assert GpuReading().used_by([]) == {}
    assert GpuStats().fields() == {"index": 0}
    assert GpuStats(memory_total=0, memory_usage=0).fields() == {
        "gpu_memory_total": 0,
        "gpu_memory_usage": 0,
        "index": 0,
    }
