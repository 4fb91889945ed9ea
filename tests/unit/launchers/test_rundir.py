"""A run's lock and small files."""

import os
import subprocess
import sys

import pytest

from k12ai_ws.launchers.process import rundir
from k12ai_ws.launchers.recording.files import read_json, write_json


def test_a_lock_is_held_until_its_file_is_closed_everywhere(tmp_path):
    assert not rundir.is_held(tmp_path)
    lock = rundir.take_lock(tmp_path)
    assert rundir.is_held(tmp_path)
    assert rundir.take_lock(tmp_path) is None
    heir = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
        pass_fds=[lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    os.close(lock)
    with heir:
        assert heir.stdout.read(1) == b"1"
        assert rundir.is_held(tmp_path)
    assert not rundir.is_held(tmp_path)


def test_to_look_is_not_to_hold(tmp_path):
    lock = rundir.take_lock(tmp_path)
    os.close(lock)
    assert [rundir.is_held(tmp_path) for _ in range(3)] == [False] * 3
    again = rundir.take_lock(tmp_path)
    assert again is not None
    os.close(again)


def test_a_directory_that_is_gone_has_no_lock(tmp_path):
    assert not rundir.is_held(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        rundir.take_lock(tmp_path / "gone")


def test_json_is_replaced_whole(tmp_path):
    path = tmp_path / "x.json"
    assert read_json(path) is None
    write_json(path, {"a": "é"})
    write_json(path, {"a": 2})
    assert read_json(path) == {"a": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_what_is_no_json_object_reads_as_nothing(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    assert read_json(tmp_path / "x.json") is None
