"""The output folder of a job, handed over to the user that its container runs as."""

import os
from pathlib import Path
from typing import Final

from k12ai_ws.launchers.roles import unfit

NOBODY: Final = "64000:64000"
"""Who a job is where the server is root: a user that owns nothing else on the host."""


def default_user() -> str:
    """`uid:gid` of the containers' user: the server's own, so that both may read and write; never root."""
    return f"{os.getuid()}:{os.getgid()}" if os.getuid() else NOBODY


def hand_over(folder: Path, user: str) -> None:
    """Makes the folder where it is missing, and where the server is root and the container is not, gives all in it
    to the container's user. Links are not followed. Raises LaunchError.
    """
    uid, _, gid = user.partition(":")
    owner = (int(uid), int(gid or uid))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(folder.stat().st_mode | 0o700)  # a job may have shut itself, and the next one, out
        if os.getuid() != 0:
            return
        _give(folder, owner)
        for place, folders, files in os.walk(folder):
            for name in (*folders, *files):
                _give(Path(place, name), owner)
    except OSError as e:
        raise unfit(f"the output folder {folder} cannot be prepared for the container: {e.strerror or e}") from e


def _give(path: Path, owner: tuple[int, int]) -> None:
    now = path.lstat()
    if (now.st_uid, now.st_gid) != owner:
        os.lchown(path, *owner)
