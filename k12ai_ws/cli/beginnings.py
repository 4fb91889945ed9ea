"""What `k12ai serve` does around a start: room for connections before it, and no litter after one that failed."""

import contextlib
import fcntl
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from k12ai_ws.store.place import DATABASE

MAX_OPEN_FILES = 1 << 20
"""As far as the limit is raised: some systems allow thousands of millions, and some programs walk through them."""
LOCK = "server.lock"
MADE_EMPTY = ("datasets", "pretrained", "runs", "workspaces")
DATABASES = (DATABASE, "access.sqlite3")


def raise_open_files(most: int = MAX_OPEN_FILES) -> int:
    """Raises this process's soft limit of open files to the hard one, or to `most`; returns the limit in force.

    The soft limit is low for programs that use select(2); a server of many connections is none of them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # a system with a lower ceiling than the hard limit says (macOS): go on as before
        return soft
    return wanted


@contextlib.contextmanager
def tidy_after_failure(data_dir: Path, failures: tuple[type[Exception], ...]) -> Iterator[None]:
    """Where the block raises one of `failures`, the data folder that it made, and the folders above, are removed.

    Only a folder that was not there before is, and only while it holds nothing but what every start makes.
    """
    made = [folder for folder in (data_dir, *data_dir.parents) if not os.path.lexists(folder)]
    try:
        yield
    except failures:
        if made and data_dir.is_dir():
            _remove_unused(data_dir)
            for folder in made:
                with contextlib.suppress(OSError):  # somebody has put something there
                    folder.rmdir()
        raise


def _remove_unused(data_dir: Path) -> None:
    """Empties a data folder that no server has used, as far as it is empty; a folder that one uses is left alone."""
    known = {LOCK, *MADE_EMPTY, *(name + end for name in DATABASES for end in ("", "-wal", "-shm", "-head"))}
    with contextlib.ExitStack() as undo:
        try:
            lock = os.open(data_dir / LOCK, os.O_RDWR | os.O_CLOEXEC)
            undo.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            entries = list(data_dir.iterdir())
            used = [e for e in entries if e.name not in known or (e.is_dir() and any(e.iterdir()))]
            if not used:
                for entry in entries:
                    entry.rmdir() if entry.is_dir() else entry.unlink()
        except OSError:
            return  # it is another server's by now, or cannot be removed: what stands there does no harm
