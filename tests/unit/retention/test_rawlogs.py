"""Raw log files: which go, and that nothing which a launcher still holds ever does."""

from pathlib import Path

import pytest

from k12ai_ws.retention import rawlogs
from k12ai_ws.store.retention import DAY_MS

NOW = 100 * DAY_MS


def run(folder: Path, name: str, size: int = 1000, *, over: bool = True, held: str | None = None) -> Path:
    made = folder / name
    made.mkdir(parents=True)
    (made / "lock").touch()
    (made / "journal").write_bytes(b"x" * size)
    if over:
        (made / "exit.json").write_bytes(b"{}")
    if held:
        (made / held).write_bytes(b"{}")
    return made


def going(folders, ended, days=None, most=1 << 40) -> list[str]:
    found = rawlogs.find(folders)
    return [log.job_id for log in rawlogs.doomed(found, ended, days, most, NOW)]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_those_of_jobs_that_are_gone_go(runs: Path, tmp_path: Path) -> None:
    run(runs, "gone")
    run(runs, "kept")
    run(tmp_path / "containers", "gone-too")
    assert sorted(going([runs, tmp_path / "containers", tmp_path / "none"], {"kept": 1})) == ["gone", "gone-too"]


@pytest.mark.parametrize("held", ["state.json", "run.json"])
def test_what_a_launcher_holds_stays_whatever_the_store_says(runs: Path, held: str) -> None:
    run(runs, "held", held=held)
    run(runs, "running", over=False)
    run(runs, "running-too", over=False, held=held)
    (runs / "a file").touch()
    (runs / ".hidden").mkdir()
    assert rawlogs.find([runs]) == []


def test_old_ones_go_and_those_of_jobs_that_have_not_ended_never(runs: Path) -> None:
    for name in ("old", "young", "active"):
        run(runs, name)
    ended = {"old": NOW - 11 * DAY_MS, "young": NOW - 9 * DAY_MS, "active": None}
    assert going([runs], ended, days=10) == ["old"]
    assert going([runs], ended, most=1) == ["old", "young"]


def test_past_the_bound_the_longest_ended_go_down_to_its_low_water(runs: Path) -> None:
    for i in range(10):
        run(runs, f"r{i}", 998)  # with exit.json 1000
    ended = {f"r{i}": 1000 + (i * 7) % 10 for i in range(10)}
    order = sorted(ended, key=ended.__getitem__)
    assert going([runs], ended, most=10_000) == []
    assert going([runs], ended, most=9_999) == order[:2]
    assert going([runs], ended, most=5_000) == order[:6]


def test_removing_forgets_last_that_the_run_has_ended(runs: Path, monkeypatch) -> None:
    run(runs, "r")
    (log,) = rawlogs.find([runs])
    removed: list[str] = []
    unlink = Path.unlink

    def watched(path: Path, missing_ok: bool = False) -> None:
        removed.append(path.name)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    rawlogs.remove(log)
    assert (removed[0], removed[-1]) == ("journal", "exit.json")
    assert not log.path.exists()
