"""The data folder, and SQLite in it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from k12ai_ws.cli.doctor import storage

GIB = 1 << 30


def test_a_data_folder_that_is_yet_to_be_made(tmp_path: Path) -> None:
    finding = storage.check_data_dir(tmp_path / "a" / "b")
    assert finding.status == "ok"
    assert "can be made" in finding.found
    assert not (tmp_path / "a").exists()


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", Path("/proc/k12ai")):
        finding = storage.check_data_dir(place)
        assert finding.status == "fail"
        assert "--data-dir" in str(finding.advice)
        assert storage.check_sqlite(place).status == "fail"


@pytest.mark.parametrize(("free", "status"), [(3 * GIB, "ok"), (GIB, "warn"), (50 << 20, "fail")])
def test_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert storage.check_data_dir(tmp_path).status == status


def test_an_old_sqlite_and_a_filesystem_without_write_ahead_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_try_wal", lambda path: "delete")
    finding = storage.check_sqlite(tmp_path)
    assert finding.status == "fail"
    assert "journal mode delete" in finding.found
    monkeypatch.setattr(storage, "MIN_SQLITE", (99, 0, 0))
    assert "99.0.0" in str(storage.check_sqlite(tmp_path).advice)
