"""Which containers of a lost server are this one's to clear away: those of the same folder on the same machine."""

import pytest

from k12ai_ws.launchers.docker.place import place_of

HOST = "/dev/vda / ext4 rw 0 0\nproc /proc proc rw 0 0\n"
BOX = "overlay / overlay rw 0 0\nproc /proc proc rw 0 0\n"
GIVEN = BOX + "/dev/vda /etc/machine-id ext4 ro 0 0\n"


@pytest.fixture
def place(tmp_path):
    def place(mounts, machine, path="/srv/k12ai", mark=None):
        root = tmp_path / "root"
        (root / "etc").mkdir(parents=True, exist_ok=True)
        (root / "etc" / "machine-id").write_text(f"{machine}\n")
        for name in (".dockerenv",):
            (root / name).unlink(missing_ok=True)
        if mark:
            (root / mark).touch()
        (tmp_path / "mounts").write_text(mounts)
        return place_of(tmp_path / path.lstrip("/"), root, tmp_path / "mounts")

    return place


def test_a_machine_and_a_folder_are_a_place(place):
    here = place(HOST, "a")
    assert here is not None
    assert place(HOST, "a") == here
    assert len({here, place(HOST, "b"), place(HOST, "a", "/srv/other")}) == 3


def test_a_container_of_its_own_knows_no_place(place):
    """Two containers may have the same path inside, and the same (or no) machine in their image."""
    assert place(BOX, "of the image", mark=".dockerenv") is None


def test_a_container_that_knows_its_host_works_where_the_host_would(place):
    assert place(GIVEN, "a", mark=".dockerenv") == place(HOST, "a")


def test_a_machine_that_was_made_from_a_containers_image_is_a_machine(place):
    assert place(HOST, "a", mark=".dockerenv") == place(HOST, "a")
    assert place(BOX, "a") == place(HOST, "a")  # a live system's root is an overlay too


def test_a_host_without_an_identity_is_one_place(tmp_path):
    (tmp_path / "mounts").write_text(HOST)
    assert place_of(tmp_path, tmp_path / "none", tmp_path / "mounts") is not None
