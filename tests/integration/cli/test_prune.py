"""`k12ai prune`: what would go, what went, and a server that is asked to do it."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from k12ai_ws.store.sqlite import SqliteStore
from k12ai_ws.store.store import Change, NewEvent
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus

from .conftest import K12ai, Running

ENDED_MS = 1_600_000_000_000


def raw_logs(data: Path, jobs: int) -> None:
    """What the runs of so many jobs left behind."""
    for i in range(jobs):
        run = data / "runs" / f"job-{i}"
        run.mkdir(parents=True)
        (run / "journal").write_bytes(b"x" * 10_000)
        (run / "exit.json").write_bytes(b"{}")


async def fill(data: Path, jobs: int = 2, each: int = 300) -> None:
    """A data folder with jobs that ended years ago, and their raw logs."""
    raw_logs(data, jobs)
    store = await SqliteStore.open(data / "k12ai.sqlite3", new_epoch=lambda: "e", synchronous="normal")
    for i in range(jobs):
        record = JobRecord(f"job-{i}", "u", f"p{i}", "s", "train", {}, 1)
        kinds = ("log", "metrics", "status")
        events = [NewEvent(k, json.dumps({"type": k, k: {"loss": n}}).encode()) for n in range(each) for k in kinds]
        await store.append(Change(record, events))
        ended = JobRecord(f"job-{i}", "u", f"p{i}", "s", "train", {}, 1, status=JobStatus.FINISHED, ended_ms=ENDED_MS)
        await store.append(Change(ended, [NewEvent("status", b'{"type":"status"}')]))
    await store.close()


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    await fill(tmp_path / "data")
    return tmp_path / "data"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "server.lock"}


OLD = {"K12AI_RETENTION__LOG_DAYS": "30", "K12AI_RETENTION__RAW_LOG_DAYS": "30"}


async def test_a_dry_run_says_what_would_go_and_changes_nothing(k12ai: K12ai, data: Path) -> None:
    before = files(data)
    done = await k12ai("prune", "--dry-run", "--data-dir", data, **OLD)
    assert done.code == 0, done.err
    assert "log lines" in done.out
    assert "600" in done.out
    assert "raw log files" in done.out
    (found,) = (await k12ai("prune", "--dry-run", "--json", "--data-dir", data, **OLD)).lines
    assert found["dry_run"] is True
    assert (found["log"]["count"], found["log"]["jobs"]) == (600, 2)
    assert found["raw_logs"] == {"count": 2, "bytes": 20_004, "jobs": 2}
    assert [found[k]["count"] for k in ("progress", "thinned", "metrics", "rest", "jobs")] == [0] * 5
    after = files(data)
    assert {k: v for k, v in after.items() if not k.endswith(("-shm", "-wal"))} == {
        k: v for k, v in before.items() if not k.endswith(("-shm", "-wal"))
    }
    nothing = await k12ai("prune", "--dry-run", "--data-dir", data)
    assert nothing.out == "nothing would go\n"


async def test_what_went_is_what_the_dry_run_said(k12ai: K12ai, data: Path) -> None:
    (said,) = (await k12ai("prune", "--dry-run", "--json", "--data-dir", data, **OLD)).lines
    (did,) = (await k12ai("prune", "--json", "--data-dir", data, **OLD)).lines
    assert did["events"] == said["log"]["count"]
    assert did["bytes"] == said["log"]["bytes"]
    assert (did["raw_logs"], did["raw_bytes"], did["jobs"]) == (2, 20_004, 0)
    assert list((data / "runs").iterdir()) == []
    again = await k12ai("prune", "--data-dir", data, **OLD)
    assert again.out == "removed 0 events (0.0 B), 0 jobs, 0 raw logs (0.0 B)\n"


async def test_compacting_makes_the_file_smaller(k12ai: K12ai, data: Path) -> None:
    await fill(data / "more", 1, 20_000)
    store = data / "more" / "k12ai.sqlite3"
    before = store.stat().st_size
    (done,) = (await k12ai("prune", "--json", "--compact", "--data-dir", data / "more", **OLD)).lines
    assert done["events"] == 20_000
    assert done["compacted_bytes"] > before / 5
    assert store.stat().st_size == before - done["compacted_bytes"]


async def begin_server(k12ai: K12ai, data: Path, **environ: str) -> Running:
    server = await k12ai.begin("serve", "--port", 0, "--data-dir", data, "--json", **environ)
    assert json.loads(await server.line())["ready"]
    return server


async def test_a_running_server_does_it_by_its_own_settings(k12ai: K12ai, data: Path) -> None:
    server = await begin_server(k12ai, data, **OLD)
    (said,) = (await k12ai("prune", "--dry-run", "--json", "--data-dir", data, **OLD)).lines
    assert said["log"]["count"] == 600
    (did,) = (await k12ai("prune", "--json", "--data-dir", data)).lines
    assert (did["events"], did["raw_logs"]) == (600, 2)
    (did,) = (await k12ai("prune", "--json", "--data-dir", data)).lines
    assert did["events"] == 0, "it looked again, and tells of that look"
    refused = await k12ai("prune", "--compact", "--data-dir", data)
    assert refused.code == 1
    assert "stop it first" in refused.err
    done = await server.interrupt(signal.SIGTERM)
    assert "removed 600 events" in done.err
    assert not (data / "prune.bell").exists()


async def test_a_server_that_was_killed_leaves_nothing_that_is_in_the_way(k12ai: K12ai, data: Path) -> None:
    server = await begin_server(k12ai, data)
    await server.interrupt(signal.SIGKILL)
    assert (data / "prune.bell").exists()
    (did,) = (await k12ai("prune", "--json", "--data-dir", data, **OLD)).lines
    assert did["events"] == 600
    server = await begin_server(k12ai, data)
    assert (await k12ai("prune", "--data-dir", data)).code == 0
    await server.interrupt(signal.SIGTERM)


async def test_by_itself_it_looks_now_and_then(k12ai: K12ai, data: Path) -> None:
    server = await begin_server(k12ai, data, K12AI_RETENTION__INTERVAL_S="0.2", **OLD)
    assert server.process.stderr is not None
    while b"removed 600 events" not in (line := await server.process.stderr.readline()):
        assert line
    await server.interrupt(signal.SIGTERM)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--data-dir", "{tmp}/none"], 1, "no server has stored anything"),
        (["--data-dir", "{tmp}/data", "--dry-run", "--compact"], 2, "nothing to compact"),
        (["--config", "{tmp}/none.toml"], 1, "there is no configuration file"),
    ],
)
async def test_what_it_cannot_do_it_says(
    k12ai: K12ai, data: Path, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    done = await k12ai("prune", *(w.format(tmp=tmp_path) for w in words))
    assert (done.code, done.out) == (code, "")
    assert said in done.err


async def test_rules_that_contradict_are_refused_by_name(k12ai: K12ai, data: Path) -> None:
    environ: dict[str, Any] = {"K12AI_RETENTION__LOG_DAYS": "30", "K12AI_RETENTION__METRICS_DAYS": "10"}
    done = await k12ai("prune", "--data-dir", data, **environ)
    assert done.code == 1
    assert "log_days = 30 is longer than metrics_days = 10" in done.err


async def test_a_broken_store_and_one_of_another_version_are_told(k12ai: K12ai, tmp_path: Path) -> None:
    import sqlite3

    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "k12ai.sqlite3").write_bytes(b"no database, but long enough to be taken for one" * 99)
    for words in (["--dry-run"], []):
        done = await k12ai("prune", "--data-dir", tmp_path / "broken", *words)
        assert done.code == 1
        assert len(done.err.splitlines()) == 1, done.err
        assert "k12ai.sqlite3" in done.err
    await fill(tmp_path / "old", 1, 1)
    with sqlite3.connect(tmp_path / "old" / "k12ai.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    done = await k12ai("prune", "--data-dir", tmp_path / "old", "--dry-run")
    assert done.code == 1
    assert "schema version 99" in done.err
    assert "run the server that wrote it" in done.err
