"""The place that a server works in: what tells its containers from others' when its id was lost with its data."""

import hashlib
from pathlib import Path
from typing import Final

_IDENTITY: Final = "etc/machine-id"
_MARKS: Final = (".dockerenv", "run/.containerenv")


def place_of(data_dir: Path, root: Path = Path("/"), mounts: Path = Path("/proc/self/mounts")) -> str | None:
    """Names this machine's folder, also on an engine that several machines share.

    None in a container that was not given the host's `/etc/machine-id`: there the same path may be anybody's folder.
    `root` is where the machine's own files are looked for, `mounts` its list of mounts (proc(5)).
    """
    types = dict(line.split()[1:3] for line in mounts.read_text("utf-8", "surrogateescape").splitlines())
    # A machine may have been made from a container's image, marks and all; its root is on a disk of its own.
    in_container = types.get("/") == "overlay" and any((root / mark).exists() for mark in _MARKS)
    if in_container and f"/{_IDENTITY}" not in types:
        return None
    try:
        machine = (root / _IDENTITY).read_text("ascii").strip()
    except OSError:  # a host that has none shares its engine with nobody
        machine = ""
    return hashlib.sha256(f"{machine}:{data_dir.resolve()}".encode()).hexdigest()[:32]
