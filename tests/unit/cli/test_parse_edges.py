"""`k12ai parse` where things are not as they should be: an exit code and a sentence, never a traceback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "k12ai_ws.cli", "parse"]
METRICS = b"epoch=1 loss=0.5\n"


def parse(*words: str, stdin: bytes = b"", **options: object) -> "subprocess.CompletedProcess[bytes]":
    done = subprocess.run(  # type: ignore[call-overload]
        [*COMMAND, *words], input=stdin, capture_output=True, timeout=60, check=False, **options
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def shell(line: str, *words: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        ["bash", "-c", line, "bash", *COMMAND, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("content", [b"", b"\n", b"\x00\xff\xfe" * 1000, bytes(range(256)) * 40, b"\x1b[", b"\r" * 999])
def test_what_shows_nothing_gives_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(content)
    done = parse("--json", str(path))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name, words in (("folder", b"Is a directory"), ("missing.log", b"No such file or directory")):
        done = parse(str(tmp_path / name))
        assert done.returncode == 1
        assert words in done.stderr
        assert name.encode() in done.stderr
    assert parse("").returncode in (1, 2)
    assert parse().returncode == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(METRICS)
    path.chmod(0)
    done = parse(str(path))
    assert done.returncode == 1
    assert b"Permission denied" in done.stderr


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_a_pipe(name: str) -> None:
    assert json.loads(parse("--json", name, stdin=METRICS).stdout)["metrics"]["loss"] == 0.5


def test_a_reader_that_goes_away() -> None:
    line = 'yes \'epoch=1 loss=0.5\' | head -100000 | "$@" | head -1; echo "${PIPESTATUS[@]}"'
    done = shell(line, "--json", "-")
    event, codes = done.stdout.splitlines()
    assert json.loads(event)["type"] == "metrics"
    assert codes.split()[2] == "141"
    assert done.stderr == ""


def test_streams_that_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(METRICS * 10)
    assert shell('"$@" <&-', "-").returncode == 1
    assert shell('"$@" >&-', str(path)).returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_that_is_full(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(METRICS * 10)
    done = shell('"$@" > /dev/full', str(path))
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "x.log" not in done.stderr, "the log is not what is full"


def test_ctrl_c_in_the_middle() -> None:
    with subprocess.Popen([*COMMAND, "--json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reading:
        assert reading.stdin is not None
        assert reading.stdout is not None
        reading.stdin.write(METRICS)
        reading.stdin.flush()
        assert json.loads(reading.stdout.readline())["type"] == "metrics"
        reading.send_signal(signal.SIGINT)
        assert reading.wait(timeout=30) == 130


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"garbage", "line 2: this is no JSON"),
        (b"[1]", 'line 2: it must be an object like {"log": "text"}'),
        (b'{"log": 3}', 'line 2: it must be an object like {"log": "text"}'),
        (b"\xff\xfe", "line 2: this is no JSON"),
        (b"[" * 200_000, "line 2: this is no JSON"),
        (b'{"log": 1' + b"0" * 6_000 + b"}", "line 2: this is no JSON"),
        (b"\x00", "line 2: this is no JSON"),
    ],
)
def test_a_broken_record(tmp_path: Path, line: bytes, words: str) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_bytes(b'{"log": "epoch=1 loss=0.5\\n"}\n' + line + b"\n")
    done = parse("--json", "--batch", str(path))
    assert done.returncode == 1
    assert words in done.stderr.decode()
    assert len(done.stderr) < 1_000
    assert json.loads(done.stdout.splitlines()[0])[0]["type"] == "metrics"


def test_half_a_surrogate_in_a_log(tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    text = 'epoch=1 loss=0.5\n{"loss\\ud800": 0.5, "epoch": 2}\n\ud800 acc=0.5 epoch=3\n'
    path.write_text(json.dumps({"log": text}) + "\n", encoding="ascii")
    done = parse("--json", "--batch", str(path))
    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["metrics"] == {"epoch": 1, "loss": 0.5}
