"""Files that are their owner's alone (tokens, requests, logs): made, known again, kept by the disk."""

import os
from pathlib import Path


def make_private(path: Path) -> None:
    """Makes a SQLite file, or takes everybody else's rights to it. SQLite gives the files that it puts beside it
    (`-wal`, `-shm`) the same mode. Raises OSError.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        for one in (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))):
            if one.is_file():
                one.chmod(0o600)


def identity_of(path: Path) -> tuple[int, int]:
    """Device and inode: whether the file of this name is still the same one. Raises OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino


def sync(path: Path) -> None:
    """A file's bytes, or a folder's names, reach the disk. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
