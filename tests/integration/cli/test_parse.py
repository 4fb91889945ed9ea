"""`k12ai parse`: quick to start, small however long the log, and printing as it goes."""

import asyncio
import json
import resource
import subprocess
import sys
from pathlib import Path

from .conftest import PATIENCE_S, K12ai

LOG = """\
epoch=1 loss=0.5
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    main()
IndexError: list index out of range
epoch=2 loss=0.25
"""


async def test_events_as_json(k12ai: K12ai, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    done = await k12ai("parse", "--json", tmp_path / "log")
    assert done.code == 0
    assert [e["type"] for e in done.lines] == ["metrics", "error", "metrics"]
    assert done.lines[1]["error"]["detail"]["traceback"][0]["linenum"] == 3
    assert (await k12ai("parse", "--json", "-", stdin=LOG.encode())).out == done.out


async def test_events_for_people(k12ai: K12ai) -> None:
    """An error that the program survived is a warning."""
    done = await k12ai("parse", "-", stdin=LOG.encode())
    assert done.out.startswith("metrics  epoch=1  loss=0.5\nwarning 100911  index out of range\n")
    assert "train.py:3" in done.out
    assert "索引越界" in (await k12ai("parse", "--lang", "zh", "-", stdin=LOG.encode())).out


async def test_a_job_cannot_steer_the_terminal(k12ai: K12ai) -> None:
    log = b"Traceback (most recent call last):\nValueError: \x9b2J\xc2\x9b2J\xe2\x80\xaeevil\n"
    done = await k12ai("parse", "-", stdin=log)
    assert "evil" in done.out
    assert not {"\x1b", "\x9b", "\u202e"} & set(done.out)


async def test_many_logs_at_once(k12ai: K12ai, tmp_path: Path) -> None:
    rows = [{"log": LOG}, {"log": ""}, {"log": "half \ud800 loss=1", "errors": []}]
    (tmp_path / "logs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = await k12ai("parse", "--json", "--batch", tmp_path / "logs.jsonl")
    assert done.code == 0, done.err
    assert [[e["type"] for e in events] for events in done.lines] == [["metrics", "error", "metrics"], [], ["metrics"]]
    (tmp_path / "bad.jsonl").write_text('{"log": "loss=1"}\n[]\n')
    bad = await k12ai("parse", "--json", "--batch", tmp_path / "bad.jsonl")
    assert bad.code == 1
    assert "line 2" in bad.err
    assert len(bad.lines) == 1


async def test_a_pipe_is_printed_as_it_comes(k12ai: K12ai) -> None:
    running = await k12ai.begin("parse", "-")
    assert running.process.stdin is not None
    running.process.stdin.write(b"loss=0.5\n")
    assert await running.line() == "metrics  loss=0.5\n"
    assert (await running.end()).code == 0


async def test_a_long_log_takes_little_memory(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        out.write(b"x" * (100 << 20) + b"\nloss=1\n")  # a line of 100 MB
        out.write(b"nothing to see here\n" * (1 << 20) + b"loss=2\n")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (64 << 20, 64 << 20))

    def run() -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-m", "k12ai_ws.cli", "parse", str(log)]
        return subprocess.run(command, capture_output=True, preexec_fn=limit, timeout=PATIENCE_S, check=False)

    done = await asyncio.to_thread(run)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"metrics  loss=1\nmetrics  loss=2\n"


async def test_a_reader_that_leaves_is_no_error(k12ai: K12ai, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("loss=1\n" * 200_000)
    running = await k12ai.begin("parse", tmp_path / "log")
    await running.line()
    running.process.stdout._transport.close()  # type: ignore[union-attr]
    assert await asyncio.wait_for(running.process.wait(), PATIENCE_S) == 141
    assert running.process.stderr is not None
    assert await running.process.stderr.read() == b""


async def test_what_cannot_be_read_is_said(k12ai: K12ai, tmp_path: Path) -> None:
    for path, said in ((tmp_path / "nope", "No such file"), (tmp_path, "directory")):
        done = await k12ai("parse", path)
        assert done.code == 1
        assert said in done.err
        assert "Traceback" not in done.err


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    code = (
        "import sys; from k12ai_ws.cli import main; assert main(['parse', sys.argv[1]]) == 0; "
        "print({'tornado', 'pydantic', 'rich', 'asyncio', 'tomllib', 'docker'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "log"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
