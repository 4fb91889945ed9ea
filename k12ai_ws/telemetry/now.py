"""What there is now: plain numbers, looked at when somebody scrapes, and how Prometheus is told them."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from k12ai_ws.monitor.cpus import CpuStats
from k12ai_ws.monitor.gpus import GpuStats


@dataclass(frozen=True, slots=True)
class Now:
    """One look. `checks` are those of `/ready`, `jobs` the active ones by status, `subscribers` by state; `lag` is how
    many events the slowest subscriber is behind. `cpus` and `gpus` are the monitor's last samples, where they are new.
    """

    version: str
    ready: bool
    checks: Mapping[str, bool]
    jobs: Mapping[str, int]
    head: int
    subscribers: Mapping[str, int]
    lag: int
    connections: Mapping[str, int]
    frames: int
    sent_bytes: int
    log_dropped: int
    data_dir: Path
    store: Path
    cpus: CpuStats | None = None
    gpus: tuple[GpuStats, ...] = field(default=())


def families(now: Now) -> Iterator[Metric]:
    """The numbers as Prometheus' families. Looks at files: call it off the event loop."""
    yield InfoMetricFamily("k12ai_build", "The server's version.", value={"version": now.version})
    yield _gauge("ready", "Whether the server can do its work (1) or not (0), as /ready says.", float(now.ready))
    yield _by("ready_check", "The checks of /ready, 1: passed.", "check", {k: float(v) for k, v in now.checks.items()})
    yield _by("jobs", "Jobs that have not ended, by status.", "status", now.jobs)
    yield _gauge("store_head_seq", "The seq of the last stored event.", now.head)
    yield _gauge("store_size_bytes", "Size of the store's file.", _size(now.store))
    yield _gauge("store_wal_size_bytes", "Size of the store's write-ahead log.", _size(_beside(now.store, "-wal")))
    try:
        free = shutil.disk_usage(now.data_dir).free
    except OSError:  # /ready says why
        free = 0
    yield _gauge("data_dir_free_bytes", "Free space in the data folder.", free)
    yield _by("subscribers", "Connections with subscriptions, by state.", "state", now.subscribers)
    yield _gauge("subscriber_lag_events", "Events that the slowest subscriber is behind the head of the log.", now.lag)
    yield _by("connections", "Open connections for events, by transport.", "transport", now.connections)
    yield _counter("subscriber_frames", "Messages given to the connections for events.", now.frames)
    yield _counter("subscriber_sent_bytes", "Bytes given to the connections for events.", now.sent_bytes)
    yield _counter("log_lines_dropped", "Lines of the server's own log that nobody took.", now.log_dropped)
    if now.cpus is not None:
        yield _gauge("host_cpu_usage_ratio", "Use of all processors of the host, 0..1.", now.cpus.percent / 100)
        yield _gauge("host_memory_total_bytes", "Memory of the host.", now.cpus.memory_total)
        yield _gauge("host_memory_usage_bytes", "Memory of the host that is not available.", now.cpus.memory_usage)
    if now.gpus:
        yield _of_gpus("gpu_usage_ratio", "Use of a GPU, 0..1.", _ratios(now.gpus))
        totals = {str(gpu.index): gpu.memory_total for gpu in now.gpus}
        yield _of_gpus("gpu_memory_total_bytes", "Memory of a GPU.", totals)
        usages = {str(gpu.index): gpu.memory_usage for gpu in now.gpus}
        yield _of_gpus("gpu_memory_usage_bytes", "Memory of a GPU in use.", usages)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"k12ai_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"k12ai_{name}", text, value=value)


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"k12ai_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _of_gpus(name: str, text: str, values: Mapping[str, float | None]) -> Metric:
    return _by(name, text, "gpu", {gpu: value for gpu, value in values.items() if value is not None})


def _ratios(gpus: tuple[GpuStats, ...]) -> Mapping[str, float | None]:
    return {str(gpu.index): None if gpu.percent is None else gpu.percent / 100 for gpu in gpus}


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # there is none: it was never needed, or is gone with the disk, which /ready tells
        return 0
