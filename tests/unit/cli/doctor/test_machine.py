"""GPUs, the clock and the limits."""

import resource
from pathlib import Path

import pytest

from k12ai_ws.cli.doctor import machine
from k12ai_ws.monitor.gpus import GpuReading, GpuStats

GIB = 1 << 30


class Gpus:
    """A reader that gives what it was given."""

    def __init__(self, reading: GpuReading = GpuReading()) -> None:  # noqa: B008 - frozen
        self.reading = reading
        self.closed = False

    def read(self) -> GpuReading:
        return self.reading

    def close(self) -> None:
        self.closed = True


def card(folder: Path, vendor: str, kind: str) -> None:
    (folder / "0000:01:00.0").mkdir(parents=True)
    (folder / "0000:01:00.0" / "vendor").write_text(f"{vendor}\n")
    (folder / "0000:01:00.0" / "class").write_text(f"{kind}\n")


def test_gpus_that_work(tmp_path: Path) -> None:
    reader = Gpus(GpuReading(gpus=(GpuStats("H200", 0.0, 140 * GIB, 0), GpuStats())))
    finding = machine.check_gpus(reader, tmp_path)
    assert (finding.status, finding.found) == ("ok", "H200 (140.0 GiB), GPU (size not told)")
    assert reader.closed


def test_a_gpu_that_fails_beside_others(tmp_path: Path) -> None:
    finding = machine.check_gpus(Gpus(GpuReading(gpus=(GpuStats("A"),), problems=("GPU 1: GPU is lost",))), tmp_path)
    assert finding.status == "warn"
    assert "GPU 1: GPU is lost" in finding.found


@pytest.mark.parametrize(
    ("vendor", "kind", "status"),
    [
        ("0x10de", "0x030200", "warn"),
        ("0x10de", "0x120000", "warn"),
        ("0x10de", "0x040300", "ok"),  # the sound part of a card alone
        ("0x8086", "0x030000", "ok"),
    ],
)
def test_a_card_without_its_driver_is_told_from_no_card(tmp_path: Path, vendor: str, kind: str, status: str) -> None:
    card(tmp_path, vendor, kind)
    finding = machine.check_gpus(Gpus(GpuReading(absence="no NVIDIA driver")), tmp_path)
    assert finding.status == status
    assert "no NVIDIA driver" in finding.found


def test_a_driver_that_does_not_start_is_a_warning(tmp_path: Path) -> None:
    reading = GpuReading(absence="does not start (version mismatch)", problems=("version mismatch",))
    finding = machine.check_gpus(Gpus(reading), tmp_path / "none")
    assert finding.status == "warn"
    assert "reboot" in str(finding.advice)


@pytest.mark.parametrize(
    ("now", "status"), [(0.0, "fail"), (1_767_225_600.0, "ok"), (1e11, "fail"), (1e20, "fail"), (float("nan"), "fail")]
)
def test_clock(now: float, status: str) -> None:
    assert machine.check_clock(now).status == status


@pytest.mark.parametrize(("limit", "status"), [(1024, "warn"), (65536, "ok"), (resource.RLIM_INFINITY, "ok")])
def test_open_files(limit: int, status: str) -> None:
    assert machine.check_open_files(limit).status == status
