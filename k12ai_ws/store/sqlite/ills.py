"""What SQLite's errors mean to whoever runs the server, and what to do about them."""

import errno
import sqlite3
from pathlib import Path
from typing import NamedTuple

REPAIR = "stop the server, look at it with `k12ai doctor`, and put a backup in its place with `k12ai restore FILE`"
RESTORE = f"{REPAIR}; nothing is changed until then"
ADVICE = {
    "SQLITE_FULL": "the disk is full: free some space; it goes on by itself then",
    "SQLITE_READONLY": "it cannot be written: check the mount and the rights of the data folder",
    "SQLITE_IOERR": "the disk fails or is read-only: see the kernel's messages; it goes on by itself if the disk does",
    "SQLITE_CORRUPT": "the file is broken",
    "SQLITE_NOTADB": "the file is no database, or its beginning was overwritten",
    "SQLITE_CANTOPEN": "check that the data folder is there, belongs to this user, and holds no folder of that name",
    "SQLITE_BUSY": "another program holds the file: end it (one server has a data folder for itself)",
}
"""By primary result code."""
BROKEN = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})
"""Of these, the ones that only another file mends."""
HOPELESS = frozenset(ADVICE) - {"SQLITE_FULL"}
"""What is wrong with the file or the disk, and so with every change that is tried, not with one of them."""

FAULTS = (sqlite3.Error, OSError, UnicodeDecodeError)
"""What a file or a disk can make SQLite raise; the last where its message quotes what was overwritten."""


class Subject(NamedTuple):
    """A file, as what is said of it calls it, and what to do where it is broken."""

    name: str
    mend: str = RESTORE


def the_store(path: Path) -> Subject:
    """The file that a server uses, or would use."""
    return Subject(f"the store {path}")


def the_backup(path: Path) -> Subject:
    """A file that is to take its place."""
    return Subject(f"the backup {path}", "take another backup; nothing was changed")


def code_of(error: BaseException) -> str | None:
    """SQLite's primary result code, such as `SQLITE_IOERR`; None for what is not SQLite's."""
    number = getattr(error, "sqlite_errorcode", None)
    return None if number is None else next((n for n in ADVICE if getattr(sqlite3, n) == number & 0xFF), "SQLITE_ERROR")


def is_damage(error: BaseException) -> bool:
    """Whether the file is not what was written: reading it again gives the same."""
    if isinstance(error, sqlite3.OperationalError) and str(error).startswith("Could not decode to UTF-8"):
        return True  # Python's own: it has no code of SQLite's
    return isinstance(error, UnicodeDecodeError) or code_of(error) in BROKEN


def explain(error: BaseException, mend: str = RESTORE) -> str:
    """The error, its exact code where it has one, and what to do: `mend`, where the file is broken."""
    if isinstance(error, sqlite3.Error):
        code, exact = code_of(error), getattr(error, "sqlite_errorname", None)
        said = f"{error} ({exact})" if exact else str(error)
        if code in BROKEN:
            return f"{said}: {ADVICE[code]}: {mend}"
        return f"{said}: {ADVICE[code]}" if code in ADVICE else said
    if isinstance(error, OSError):
        advice = {errno.ENOSPC: ADVICE["SQLITE_FULL"], errno.EROFS: ADVICE["SQLITE_READONLY"]}.get(error.errno or 0)
        return f"{error.strerror or error}" + (f": {advice}" if advice else "")
    if isinstance(error, UnicodeDecodeError):
        return f"{ADVICE['SQLITE_CORRUPT']}: {mend}"
    return str(error)
