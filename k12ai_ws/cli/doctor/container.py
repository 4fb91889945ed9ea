"""Whether the engine sees our folders where we see them.

The docker launcher names a job's folders to the engine, and the engine looks for them on its own machine. Where the
server itself runs in a container, a folder there is the same one only if it is bound to the same path.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .finding import Finding

NAME = "docker paths"
SELF = Path("/proc/self")
OWN_FILES = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})
"""What an engine binds into each container, from a folder that is named for the container."""
IN_FOLDER = re.compile(r"/containers/([0-9a-f]{64})/")
IN_CGROUP = re.compile(r"(?:/docker/|/docker-)([0-9a-f]{64})")


def own_container(self_dir: Path = SELF) -> str | None:
    """The id of the container that this process runs in, or None on a machine itself.

    From /proc/self/mountinfo, because the host's name tells nothing where the host's network is used; then from
    /proc/self/cgroup, which tells it under cgroup v1.
    """
    for line in _lines(self_dir / "mountinfo"):
        fields = line.split(" ")  # man 5 proc: id, parent, device, root, mount point, ...
        if len(fields) > 4 and fields[4] in OWN_FILES and (found := IN_FOLDER.search(fields[3])):
            return found[1]
    for line in _lines(self_dir / "cgroup"):
        if found := IN_CGROUP.search(line):
            return found[1]
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # a system without this file has no containers either
        return []


def check_paths(
    folders: Sequence[Path], where: str, container: str | None, mounts: Sequence[Mapping[str, Any]] | None
) -> Finding:
    """Whether each of the (absolute) folders is the same one to the engine at `where`.

    `container`: the id of the one that this process runs in; `mounts`: what the engine says of it, None where it does
    not know it.
    """
    if container is None:
        if where.startswith(("unix://", "npipe://")):
            return Finding(NAME, "ok", "the engine is on this machine, and sees the folders as this process does")
        advice = "let the folders have the same paths on that machine (a shared filesystem), or use its own server"
        return Finding(NAME, "warn", f"the engine is elsewhere ({where}): whether it sees them is not known", advice)
    if mounts is None:
        advice = "mount the socket of the engine that runs this container, or set DOCKER_HOST to it"
        return Finding(NAME, "fail", f"the engine at {where} does not know this container {container[:12]}", advice)
    wrong = [said for folder in folders if (said := _difference(folder, mounts))]
    if not wrong:
        places = ", ".join(map(str, folders))
        return Finding(NAME, "ok", f"in a container, with {places} at the same paths as on the host")
    first = folders[0]
    advice = (
        f"bind each from the host at the path that it has here, as -v {first}:{first}; "
        "config/compose.yaml does it with K12AI_DATA"
    )
    return Finding(NAME, "fail", "; ".join(wrong), advice)


def _difference(folder: Path, mounts: Sequence[Mapping[str, Any]]) -> str | None:
    """How the host's view of a folder in this container differs; None where it does not."""
    covering = [m for m in mounts if folder.is_relative_to(str(m.get("Destination") or "/nowhere"))]
    if not covering:
        return f"{folder} is inside this container alone: no mount covers it"
    mount = max(covering, key=lambda m: len(Path(str(m["Destination"])).parts))
    if mount.get("Type") != "bind":
        return f"{folder} is in a {mount.get('Type') or 'mount'}, which has no path on the host to bind"
    outside = Path(str(mount.get("Source") or "/")) / folder.relative_to(str(mount["Destination"]))
    return None if outside == folder else f"{folder} is {outside} on the host"
