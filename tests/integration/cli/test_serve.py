"""`k12ai serve`: one line when it is ready, a good end, and clear words where it cannot start."""

import json
import re
import signal
from pathlib import Path

import pytest

from .conftest import K12ai


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
        (["--port", 99999, "--data-dir", tmp_path / "other"], "server.port"),
        (["--config", config], "jobs.max_runing"),
        (["--config", tmp_path / "nope.toml"], "there is no configuration file"),
    ):
        done = await k12ai("serve", *words, "--log-level", "warning")
        assert (done.code, done.out) == (1, ""), said
        assert said in done.err
        assert len(done.err.splitlines()) == 1
    await first.interrupt(signal.SIGTERM)
