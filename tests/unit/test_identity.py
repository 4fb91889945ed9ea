"""Who a server is: the same after a restart and a move, another one in a copy."""

import shutil

import pytest

from k12ai_ws.identity import server_id
from k12ai_ws.launchers.recording.files import EXIT


@pytest.fixture
def data(tmp_path):
    data = tmp_path / "data"
    for run in ("runs/going", "runs/over", "containers/going", "containers/over"):
        (data / run).mkdir(parents=True)
        if run.endswith("over"):
            (data / run / EXIT).write_text("{}")
    return data


def runs_of(data):
    return sorted(str(run.relative_to(data)) for run in data.glob("*/*"))


ALL = ["containers/going", "containers/over", "runs/going", "runs/over"]


def test_it_stays_the_same(data):
    first = server_id(data)
    assert server_id(data) == first
    assert len(first) == 32
    assert runs_of(data) == ALL


def test_two_folders_are_two_servers(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert server_id(tmp_path / "a") != server_id(tmp_path / "b")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", " \n"])
def test_one_that_cannot_be_read_is_made_anew(data, text):
    (data / "server.id").write_text(text)
    made = server_id(data)
    assert server_id(data) == made


def test_a_folder_that_was_moved_keeps_its_id_and_its_runs(data, tmp_path):
    first = server_id(data)
    data.rename(tmp_path / "moved")
    assert server_id(tmp_path / "moved") == first
    assert runs_of(tmp_path / "moved") == ALL


def test_a_copy_is_another_server_and_leaves_the_originals_runs_alone(data, tmp_path, caplog):
    first = server_id(data)
    shutil.copytree(data, tmp_path / "copy")
    other = server_id(tmp_path / "copy")
    assert other != first
    assert "is a copy of" in caplog.text
    assert runs_of(tmp_path / "copy") == ["containers/over", "runs/over"]
    assert (server_id(data), runs_of(data)) == (first, ALL)
    assert server_id(tmp_path / "copy") == other


def test_one_folder_of_two_names_is_no_copy(data, tmp_path):
    first = server_id(data)
    (tmp_path / "link").symlink_to(data)
    assert server_id(tmp_path / "link") == first
    assert runs_of(data) == ALL
