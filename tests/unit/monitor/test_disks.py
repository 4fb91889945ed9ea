"""One entry per filesystem; a path that fails says why."""

from pathlib import Path

import psutil
import pytest

from k12ai_ws.monitor.disks import DiskReader


def test_folders_of_one_filesystem_are_one_entry(tmp_path: Path) -> None:
    for name in ("data", "datasets"):
        (tmp_path / name).mkdir()
    (disk,) = DiskReader([tmp_path / "data", tmp_path / "datasets"]).read().disks
    real = psutil.disk_usage(str(tmp_path))
    assert disk.path == str(tmp_path / "data")
    assert disk.total == real.total
    assert disk.usage == pytest.approx(real.used, rel=0.1)
    assert disk.percent == pytest.approx(real.percent, abs=1)
    assert disk.fields().keys() == {"path", "disk_total", "disk_usage", "disk_percent"}


def test_distinct_filesystems_are_distinct_entries(tmp_path: Path) -> None:
    reading = DiskReader([tmp_path, Path("/proc")]).read()
    assert [disk.path for disk in reading.disks] == [str(tmp_path), "/proc"]
    assert reading.problems == ()


def test_a_missing_path_is_left_out_with_the_reason(tmp_path: Path) -> None:
    reading = DiskReader([tmp_path / "gone", tmp_path]).read()
    assert [disk.path for disk in reading.disks] == [str(tmp_path)]
    assert reading.problems == (f"{tmp_path / 'gone'}: No such file or directory",)


def test_a_filesystem_that_fails_does_not_hide_the_others(tmp_path: Path) -> None:
    def usage(path: str) -> object:
        if path == "/proc":
            raise OSError(5, "Input/output error")
        return psutil.disk_usage(path)

    reading = DiskReader([Path("/proc"), tmp_path], usage=usage).read()  # type: ignore[arg-type]
    assert [disk.path for disk in reading.disks] == [str(tmp_path)]
    assert reading.problems == ("/proc: Input/output error",)
