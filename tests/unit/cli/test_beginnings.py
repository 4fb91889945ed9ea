"""Around the start of a server: limits before it, nothing left after one that failed."""

import contextlib
import fcntl
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from k12ai_ws.cli import beginnings
from k12ai_ws.cli.beginnings import raise_open_files, tidy_after_failure


class NotToday(Exception):
    pass


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """This process's limit of open files, as a pretence."""
    state = {"now": (1024, 4096)}
    monkeypatch.setattr(beginnings.resource, "getrlimit", lambda which: state["now"])
    monkeypatch.setattr(beginnings.resource, "setrlimit", lambda which, pair: state.update(now=pair))
    return state


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 4096), (4096, 4096)),
        ((4096, 4096), (4096, 4096)),
        ((1024, 1 << 30), (1 << 20, 1 << 30)),
        ((1024, resource.RLIM_INFINITY), (1 << 20, resource.RLIM_INFINITY)),
        ((1 << 24, resource.RLIM_INFINITY), (1 << 24, resource.RLIM_INFINITY)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
    ],
)
def test_the_limit_is_raised_within_bounds(
    limits: dict[str, tuple[int, int]], before: tuple[int, int], after: tuple[int, int]
) -> None:
    limits["now"] = before
    assert raise_open_files() == after[0]
    assert limits["now"] == after


def test_a_limit_that_cannot_be_raised(limits: dict[str, tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(which: int, pair: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(beginnings.resource, "setrlimit", refuse)
    assert raise_open_files() == 1024


def begin(data_dir: Path) -> None:
    """As far as a start comes before it fails."""
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "server.lock").touch()
    (data_dir / "datasets").mkdir(exist_ok=True)
    (data_dir / "k12ai.sqlite3").touch()


def attempt(data_dir: Path, error: type[Exception] = NotToday, meanwhile: Callable[[], object] = lambda: None) -> None:
    """A start that fails."""
    with tidy_after_failure(data_dir, (NotToday,)):
        begin(data_dir)
        meanwhile()
        raise error


def fail(data_dir: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
    with pytest.raises(NotToday):
        attempt(data_dir, meanwhile=meanwhile)


def test_what_a_failed_start_made_is_removed(tmp_path: Path) -> None:
    fail(tmp_path / "a" / "b" / "data")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    fail(tmp_path / "a" / "data")
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
    fail(tmp_path / "a")
    assert (tmp_path / "a" / "k12ai.sqlite3").exists(), "a data folder of old is never touched"


def test_a_start_that_went_well_or_broke_otherwise_keeps_its_folder(tmp_path: Path) -> None:
    with tidy_after_failure(tmp_path / "a", (NotToday,)):
        begin(tmp_path / "a")
    with pytest.raises(RuntimeError):
        attempt(tmp_path / "b", RuntimeError)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


@pytest.mark.parametrize("name", ["notes.txt", "datasets/flowers.zip"])
def test_what_somebody_put_there_meanwhile_stays(tmp_path: Path, name: str) -> None:
    data_dir = tmp_path / "data"
    fail(data_dir, (data_dir / name).touch)
    assert (data_dir / name).exists()


def test_a_folder_that_another_server_took_meanwhile_stays(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with contextlib.ExitStack() as held:

        def take() -> None:
            other = os.open(data_dir / "server.lock", os.O_RDWR)
            held.callback(os.close, other)
            fcntl.flock(other, fcntl.LOCK_EX)

        fail(data_dir, take)
    assert {path.name for path in data_dir.iterdir()} == {"server.lock", "datasets", "k12ai.sqlite3"}


def test_a_start_that_failed_before_it_made_anything(tmp_path: Path) -> None:
    with pytest.raises(NotToday), tidy_after_failure(tmp_path / "data", (NotToday,)):
        raise NotToday
    assert list(tmp_path.iterdir()) == []
