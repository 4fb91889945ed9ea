"""The tables of the embedded store."""

import sqlite3

from .migrations import REQUESTS, RETENTION, SCHEMA_VERSION

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
    payload BLOB NOT NULL,
    crc INTEGER
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


ADDED = (
    frozenset({"meta", "jobs", "events", "positions"}),
    frozenset({"requests"}),
    frozenset({"kept", "ended", "pruned", "gone"}),
    frozenset({"events.crc"}),
)
"""The tables that each version brought, and the one column."""


def misfit(connection: sqlite3.Connection, version: int) -> str | None:
    """What tells that the file is not of the version that it says; None where it fits."""
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    found = {str(row[0]) for row in names}
    found |= {f"events.{row[0]}" for row in connection.execute("SELECT name FROM pragma_table_info('events')")}
    for at, added in enumerate(ADDED, 1):
        for name in sorted(added):
            if (name in found) != (at <= version):
                return f"its schema version is {version}, and it has {name if name in found else f'no {name}'}"
    return None


def make_tables(connection: sqlite3.Connection, epoch: str) -> None:
    """Makes a new log of the newest version: all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES.split(";"):  # not executescript: it commits by itself
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (epoch,))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def read_epoch(connection: sqlite3.Connection) -> str | None:
    """The log's random id."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    return row and str(row[0])
