"""Reads a whole store, beside the server that uses it or without one, and says whether it is sound."""

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from k12ai_ws.store.store import StoreError

from .ills import FAULTS, Subject, explain, the_store
from .opening import last_seq, open_reader, refuse_misfit, refuse_remains, refuse_version, version_of
from .reader import read_all_jobs
from .schema import read_epoch

CHECKSUMS = 4
"""The schema's version that has them."""
PROBLEMS = 3
"""Of what SQLite finds, so much is told."""
ODD_EVENTS = (
    "SELECT seq FROM events WHERE CAST(substr(payload, -length(seq) - 7) AS TEXT) <> '\"seq\":' || seq || '}'"
    " OR NOT json_valid(CAST(payload AS TEXT)) OR type <> json_extract(CAST(payload AS TEXT), '$.type') LIMIT 1"
)
"""An event is a JSON object of the type that it is found by, and ends with its own seq."""


class Soundness(NamedTuple):
    """What a sound store holds: its log's epoch and last seq, how many events and jobs, and the schema's version."""

    epoch: str
    head: int
    events: int
    jobs: int
    version: int


def verify(path: Path, *, patience_s: float | None = None, subject: Subject | None = None) -> Soundness:
    """Reads all of it, and calls it `subject` (the store, unless told). Raises StoreError, which says what is wrong and
    what to do; TimeoutError where it takes longer than `patience_s` seconds.
    """
    end = None if patience_s is None else time.monotonic() + patience_s
    subject = subject or the_store(path)
    try:
        refuse_remains(path)
        if not path.is_file():
            raise StoreError(f"there is no store {path}")
        with contextlib.closing(open_reader(path, subject)) as connection:
            if end is not None:
                connection.set_progress_handler(lambda: int(time.monotonic() > end), 100_000)
            connection.execute("BEGIN")  # all of it at one moment
            version = version_of(connection)
            refuse_version(path, version)
            refuse_misfit(connection, version, subject)
            _check(connection, subject)
            epoch = read_epoch(connection)
            if epoch is None:
                raise StoreError(f"{subject.name} has no epoch: it is no store of this server")
            events, jobs = (
                int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - the names below
                for table in ("events", "jobs")
            )
            return Soundness(epoch, last_seq(connection), events, jobs, version)
    except FAULTS as e:
        if getattr(e, "sqlite_errorname", None) == "SQLITE_INTERRUPT":
            raise TimeoutError(f"{path} takes longer to read than {patience_s} s") from e
        raise StoreError(f"{subject.name} cannot be read: {explain(e, subject.mend)}") from e


def _check(connection: sqlite3.Connection, subject: Subject) -> None:
    """Raises StoreError."""
    name, mend = subject
    problems = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({PROBLEMS})")]
    if problems != ["ok"]:
        raise StoreError(f"{name} is broken ({'; '.join(problems)}): {mend}")
    if version_of(connection) >= CHECKSUMS:
        for seq, payload, crc in connection.execute("SELECT seq, payload, crc FROM events WHERE crc IS NOT NULL"):
            if crc32(payload, seq) != crc:
                raise StoreError(f"{name} is broken (event {seq} was overwritten): {mend}")
    odd = connection.execute(ODD_EVENTS).fetchone()
    if odd is not None:
        raise StoreError(f"{name} is broken (event {odd[0]} was overwritten): {mend}")
    if version_of(connection) > 1:
        read_all_jobs(connection)
