"""Who a server is: an id that lives in its data folder, and moves with it, but is not copied with it."""

import logging
import shutil
import uuid
from pathlib import Path
from types import MappingProxyType
from typing import Final

from k12ai_ws.launchers.recording.files import EXIT, read_json, write_json

IDENTITY: Final = "server.id"
RUNS: Final = MappingProxyType({"process": "runs", "docker": "containers"})
"""Launcher -> its folder among the data, with a directory for each run."""

log = logging.getLogger(__name__)


def server_id(data_dir: Path) -> str:
    """The id of the server whose data these are. Call it with the folder's lock held, before a launcher looks at it.

    Where the folder is a copy and the original is still there, it gets an id of its own, and the runs that had not
    ended stay the original's: here they are forgotten, so that nobody ends them twice. Raises OSError.
    """
    place = data_dir.resolve()
    known = read_json(data_dir / IDENTITY) or {}
    server, path = known.get("id"), Path(str(known.get("path", place)))
    if server is not None and path != place and _is_original(path, place, server):
        log.warning(
            "%s is a copy of %s: the jobs that run there are not this server's, and read as lost here", place, path
        )
        _forget_runs(data_dir)
        server = None
    if server is None or path != place:
        server = server or uuid.uuid4().hex
        write_json(data_dir / IDENTITY, {"id": server, "path": str(place)})
    return str(server)


def _is_original(path: Path, place: Path, server: str) -> bool:
    """Whether another folder, that the copy was made of, still has this id."""
    try:
        return (read_json(path / IDENTITY) or {}).get("id") == server and not path.samefile(place)
    except OSError:  # it is not for us to read
        return False


def _forget_runs(data_dir: Path) -> None:
    for folder in (data_dir / name for name in RUNS.values()):
        for run in folder.iterdir() if folder.is_dir() else ():
            if run.is_dir() and not (run / EXIT).exists():
                shutil.rmtree(run)
