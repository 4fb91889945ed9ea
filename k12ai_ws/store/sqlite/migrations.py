"""How a file of an earlier version is brought up to date: one step after the other, each a transaction of its own."""

import sqlite3
from collections.abc import Callable

import orjson

from k12ai_ws.store.store import StoreError

REQUESTS = """
CREATE TABLE requests (
    job_no INTEGER PRIMARY KEY REFERENCES jobs (no),
    params BLOB NOT NULL
) STRICT
"""

RETENTION = """
CREATE TABLE kept (
    job_no INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    events INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (job_no, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE ended (
    job_no INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    thinned INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE pruned (
    job_no INTEGER NOT NULL,
    type TEXT NOT NULL,
    seq INTEGER NOT NULL,
    pruning INTEGER NOT NULL,
    PRIMARY KEY (job_no, type)
) STRICT, WITHOUT ROWID;
CREATE INDEX pruned_to ON pruned (seq);
CREATE TABLE gone (
    user TEXT NOT NULL,
    service_uuid TEXT NOT NULL,
    service_name TEXT NOT NULL,
    type TEXT NOT NULL,
    seq INTEGER NOT NULL,
    pruning INTEGER NOT NULL,
    PRIMARY KEY (user, service_uuid, service_name, type)
) STRICT, WITHOUT ROWID;
CREATE INDEX gone_to ON gone (seq)
"""
"""What is kept of each job, and what went: `tally.py` and `marks.py` tell."""

Step = Callable[[sqlite3.Connection], None]
"""Brings a file of one version to the next, inside a transaction that its caller holds. Raises StoreError for a file
that it cannot understand; then nothing of the step is stored.
"""


def params_apart(connection: sqlite3.Connection) -> None:
    """1 to 2: a job's params leave its record for a table of their own, because they may be large, never change, and
    the record is written with every batch of events.
    """
    connection.execute(REQUESTS)
    numbers = [row[0] for row in connection.execute("SELECT no FROM jobs")]
    for number in numbers:
        raw = connection.execute("SELECT record FROM jobs WHERE no = ?", (number,)).fetchone()[0]
        try:
            record = orjson.loads(raw)
            params = record.pop("params")
        except (ValueError, LookupError, TypeError, AttributeError) as e:
            raise StoreError(f"the record of job number {number} is broken, so it cannot be migrated: {e!r}") from e
        connection.execute("INSERT INTO requests VALUES (?, ?)", (number, orjson.dumps(params)))
        connection.execute("UPDATE jobs SET record = ? WHERE no = ?", (orjson.dumps(record), number))


def retention(connection: sqlite3.Connection) -> None:
    """2 to 3: what is kept is counted, and what is removed is known. Counting is done later, in small steps."""
    for statement in RETENTION.split(";"):
        connection.execute(statement)


def checksums(connection: sqlite3.Connection) -> None:
    """An event has a checksum (CRC-32 of its payload, begun with its seq), so that one that was overwritten on the disk
    is never handed out. Those that were there before have none.
    """
    connection.execute("ALTER TABLE events ADD COLUMN crc INTEGER")


STEPS: tuple[Step, ...] = (params_apart, retention, checksums)
"""The first brings version 1 to 2, and so on. A released step is never changed: files of its time are out there."""

SCHEMA_VERSION = 1 + len(STEPS)
"""What the last step leads to, and what `schema.TABLES` makes at once."""


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Takes every step from `version` on. A step that fails leaves the file at the version before it, whole."""
    for at, step in enumerate(STEPS[version - 1 :], version):
        connection.execute("BEGIN IMMEDIATE")
        try:
            step(connection)
            connection.execute(f"PRAGMA user_version = {at + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
