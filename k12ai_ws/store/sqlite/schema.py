"""The tables of the embedded store, and how a file is opened."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from k12ai_ws.store.store import StoreError

from .migrations import REQUESTS, RETENTION, SCHEMA_VERSION, migrate

TABLES = (
    """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE jobs (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    user TEXT NOT NULL,
    service_uuid TEXT NOT NULL,
    service_name TEXT NOT NULL,
    status TEXT NOT NULL,
    active INTEGER NOT NULL,
    idempotency_key TEXT,
    record BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_active_job ON jobs (user, service_uuid) WHERE active = 1;
CREATE UNIQUE INDEX one_job_per_key ON jobs (user, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_of_user ON jobs (user, no);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    job_no INTEGER NOT NULL REFERENCES jobs (no),
    type TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX events_of_job ON events (job_no, seq);
CREATE TABLE positions (
    job_no INTEGER PRIMARY KEY REFERENCES jobs (no),
    log_offset INTEGER NOT NULL,
    state BLOB NOT NULL
) STRICT;
"""
    + REQUESTS
    + ";"
    + RETENTION
)


def open_writer(path: Path, synchronous: Literal["full", "normal"], new_epoch: Callable[[], str]) -> sqlite3.Connection:
    """The writing connection, its tables made where the file is new. Raises StoreError."""
    try:
        _make_private(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (sqlite3.Error, OSError) as e:
        raise StoreError(f"the store {path} cannot be opened: {e}") from e
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.execute("BEGIN IMMEDIATE")
            for statement in TABLES.split(";"):  # not executescript: it commits by itself
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (new_epoch(),))
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        elif 0 < version <= SCHEMA_VERSION:
            migrate(connection, version)
        else:
            raise StoreError(
                f"{path} has schema version {version}, and this server knows version {SCHEMA_VERSION}: "
                "run the server that wrote it, or point data_dir elsewhere"
            )
        if read_epoch(connection) is None:
            raise StoreError(f"{path} has no epoch: it is no store of this server; move it away, and a new one is made")
    except sqlite3.Error as e:
        connection.close()
        raise StoreError(f"the store {path} cannot be opened: {e}") from e
    except StoreError:
        connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    """Makes the file, or takes everybody else's rights to it: requests and logs are its owner's alone. SQLite gives the
    files that it puts beside it (`-wal`, `-shm`) the same mode.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        for one in (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))):
            if one.is_file():
                one.chmod(0o600)


def read_epoch(connection: sqlite3.Connection) -> str | None:
    """The log's random id."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    return row and str(row[0])


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection; used by one thread at a time, closed by any."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
