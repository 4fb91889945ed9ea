"""`k12ai serve`: one line when it is ready, a good end, and clear words where it cannot start."""

import json
import re
import resource
import signal
from pathlib import Path

import pytest

from .conftest import K12ai


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_where_it_is_and_ends_well(k12ai: K12ai, tmp_path: Path, number: int) -> None:
    server = await k12ai.begin("serve", "--port", 0, "--data-dir", tmp_path / "data", "--launcher", "process")
    line = await server.line()
    found = re.fullmatch(
        r"k12ai is ready at (http://127\.0\.0\.1:\d+) \(launcher process; Ctrl-C stops the server, jobs go on\)\n", line
    )
    assert found, line
    assert (await k12ai("jobs", "--server", found[1])).code == 0
    done = await server.interrupt(number)
    assert (done.code, done.out) == (0, line)
    assert "Traceback" not in done.err
    assert (await k12ai("jobs", "--server", found[1])).code == 3


async def test_one_json_line_for_programs(k12ai: K12ai, tmp_path: Path) -> None:
    server = await k12ai.begin("serve", "--port", 0, "--data-dir", tmp_path / "data", "--json")
    ready = json.loads(await server.line())
    assert ready == {"ready": True, "address": ready["address"], "launcher": "process", "pid": server.process.pid}
    assert (await server.interrupt(signal.SIGTERM)).code == 0


async def test_what_keeps_it_from_starting_is_said_on_one_line(k12ai: K12ai, tmp_path: Path) -> None:
    first = await k12ai.begin("serve", "--port", 0, "--data-dir", tmp_path / "data", "--json")
    port = json.loads(await first.line())["address"].rpartition(":")[2]
    config = tmp_path / "k12ai.toml"
    config.write_text("[jobs]\nmax_runing = 3\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "k12ai.sqlite3").write_bytes(b"this is no database, but it is long enough to be one" * 99)
    for words, said in (
        (["--port", 0, "--data-dir", tmp_path / "broken"], "database"),
        (["--port", 0, "--data-dir", tmp_path / "data"], "another server uses the data folder"),
        (["--port", port, "--data-dir", tmp_path / "other"], f"cannot listen on 127.0.0.1:{port}"),
        (["--port", port, "--data-dir", tmp_path / "new" / "deep"], "choose another --port"),
        (["--config", config], "jobs.max_runing"),
        (["--config", tmp_path / "nope.toml"], "there is no configuration file"),
    ):
        done = await k12ai("serve", *words, "--log-level", "warning")
        assert (done.code, done.out) == (1, ""), said
        assert said in done.err
        assert len(done.err.splitlines()) == 1
    assert names(tmp_path) == {"data", "broken", "k12ai.toml", "tmp"}, (
        "a server that did not start leaves no data folder behind"
    )
    await first.interrupt(signal.SIGTERM)


@pytest.mark.parametrize("port", ["99999", "-1", "http", "8170.5", "٣"])
async def test_a_port_that_is_none_is_a_wrong_command_line(k12ai: K12ai, tmp_path: Path, port: str) -> None:
    done = await k12ai("serve", f"--port={port}", "--data-dir", tmp_path / "data")
    assert (done.code, done.out) == (2, "")
    assert f"{port!r} is no TCP port: use 1024 to 65535, or 0 for any free one" in done.err
    assert not (tmp_path / "data").exists()


async def test_it_makes_room_for_connections(k12ai: K12ai, tmp_path: Path) -> None:
    server = await k12ai.begin("serve", "--port", 0, "--data-dir", tmp_path / "data", "--launcher", "process")
    await server.until("is ready")
    soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    assert soft == (1 << 20 if hard == resource.RLIM_INFINITY else min(hard, 1 << 20))
    await server.interrupt(signal.SIGTERM)
