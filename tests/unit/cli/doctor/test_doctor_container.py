"""Whether the engine sees our folders where we see them."""

from pathlib import Path
from typing import Any

import pytest

from k12ai_ws.cli.doctor.container import check_paths, own_container

ID = "3f" * 32
UNIX = "unix:///var/run/docker.sock"
DATA = Path("/srv/k12ai")
MOUNTINFO = f"""\
600 500 0:55 / / ro,relatime - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/X
601 600 8:1 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw
"""
ON_THE_HOST = f"""\
25 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
90 25 0:61 / /var/lib/docker/containers/{ID}/mounts/shm rw - tmpfs shm rw,size=65536k
"""


def bound(source: str, target: str, kind: str = "bind") -> dict[str, Any]:
    return {"Type": kind, "Source": source, "Destination": target, "RW": True}


@pytest.mark.parametrize(
    ("mountinfo", "cgroup", "found"),
    [
        (MOUNTINFO, "0::/\n", ID),
        (ON_THE_HOST, "0::/system.slice/k12ai.service\n", None),
        ("", f"4:memory:/docker/{ID}\n", ID),
        ("", f"0::/system.slice/docker-{ID}.scope\n", ID),
        ("cut off", "\udcff", None),
        (None, None, None),
    ],
)
def test_who_we_are(tmp_path: Path, mountinfo: str | None, cgroup: str | None, found: str | None) -> None:
    for name, text in (("mountinfo", mountinfo), ("cgroup", cgroup)):
        if text is not None:
            (tmp_path / name).write_text(text, errors="surrogateescape")
    assert own_container(tmp_path) == found


def test_on_the_machine_itself() -> None:
    assert check_paths([DATA], UNIX, None, None).status == "ok"


def test_an_engine_on_another_machine() -> None:
    finding = check_paths([DATA], "tcp://10.0.0.7:2376", None, None)
    assert finding.status == "warn"
    assert "elsewhere" in finding.found


def test_the_same_paths() -> None:
    folders = [DATA, DATA / "datasets", Path("/mnt/school/pretrained")]
    mounts = [bound("/srv", "/srv"), bound("/mnt/school", "/mnt/school"), bound("/run/x", "/run/y")]
    finding = check_paths(folders, UNIX, ID, mounts)
    assert (finding.status, finding.advice) == ("ok", None)


@pytest.mark.parametrize(
    ("mounts", "said"),
    [
        ([], "no mount covers it"),
        ([bound("/srv/k12ai2", "/srv/k12ai2")], "no mount covers it"),
        ([bound("/home/ann/data", "/srv/k12ai")], "/srv/k12ai is /home/ann/data on the host"),
        ([bound("/home/ann", "/srv")], "/srv/k12ai is /home/ann/k12ai on the host"),
        ([bound("/srv", "/srv"), bound("/data", "/srv/k12ai")], "/srv/k12ai is /data on the host"),
        ([bound("/var/lib/docker/volumes/k/_data", "/srv/k12ai", "volume")], "is in a volume"),
        ([bound("", "/srv", "tmpfs")], "is in a tmpfs"),
        ([{}], "no mount covers it"),
    ],
)
def test_other_paths(mounts: list[dict[str, Any]], said: str) -> None:
    finding = check_paths([DATA], UNIX, ID, mounts)
    assert finding.status == "fail"
    assert said in finding.found
    assert "-v /srv/k12ai:/srv/k12ai" in str(finding.advice)


def test_a_socket_of_another_engine() -> None:
    finding = check_paths([DATA], UNIX, ID, None)
    assert finding.status == "fail"
    assert f"does not know this container {ID[:12]}" in finding.found
