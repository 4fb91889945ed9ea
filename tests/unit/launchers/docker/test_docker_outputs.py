"""Whose the output folder is."""

from pathlib import Path

import pytest

from k12ai_ws.launchers.docker import outputs
from k12ai_ws.launchers.docker.outputs import NOBODY, default_user, hand_over
from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.wire.codes import Code


class Owners:
    """Who was given what, where the tests may give nothing away."""

    def __init__(self):
        self.given = {}

    def lchown(self, path, uid, gid):
        self.given[Path(path)] = (uid, gid)


@pytest.fixture
def owners(monkeypatch):
    """As if this were root."""
    owners = Owners()
    monkeypatch.setattr(outputs.os, "getuid", lambda: 0)
    monkeypatch.setattr(outputs.os, "lchown", owners.lchown)
    return owners


def test_a_container_is_never_root(monkeypatch):
    monkeypatch.setattr(outputs.os, "getuid", lambda: 0)
    assert default_user() == NOBODY == "64000:64000"
    monkeypatch.setattr(outputs.os, "getuid", lambda: 1000)
    monkeypatch.setattr(outputs.os, "getgid", lambda: 1001)
    assert default_user() == "1000:1001"


def test_a_missing_folder_is_made_and_is_nobody_elses(tmp_path, owners):
    hand_over(tmp_path / "user" / "output", "64000:64001")
    assert (tmp_path / "user" / "output").stat().st_mode & 0o777 == 0o700
    assert owners.given == {tmp_path / "user" / "output": (64000, 64001)}


def test_all_in_it_is_handed_over_and_links_are_not_followed(tmp_path, owners):
    folder, outside = tmp_path / "output", tmp_path / "outside"
    (folder / "a" / "b").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").touch()
    (folder / "a" / "file").touch()
    (folder / "link").symlink_to(outside)
    (folder / "a" / "broken").symlink_to("nowhere")
    hand_over(folder, "64000")
    assert set(owners.given) == {
        folder, folder / "a", folder / "a" / "b", folder / "a" / "file", folder / "link", folder / "a" / "broken",
    }  # fmt: skip
    assert set(owners.given.values()) == {(64000, 64000)}


def test_what_is_the_containers_already_is_left_alone(tmp_path, owners):
    (tmp_path / "file").touch()
    hand_over(tmp_path, f"{tmp_path.stat().st_uid}:{tmp_path.stat().st_gid}")
    assert owners.given == {}


def test_a_server_that_is_not_root_gives_nothing_away(tmp_path, owners, monkeypatch):
    monkeypatch.setattr(outputs.os, "getuid", lambda: 1000)
    hand_over(tmp_path / "output", "1000:1000")
    assert (tmp_path / "output").is_dir()
    assert owners.given == {}


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LaunchError) as caught:
        hand_over(tmp_path / "file" / "output", "64000:64000")
    assert caught.value.code == Code.START_FAILED
    assert caught.value.message.endswith("cannot be prepared for the container: Not a directory")
