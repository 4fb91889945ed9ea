"""Finds out whether the file can be written: by writing."""

import sqlite3

PROBE = (
    "INSERT INTO meta VALUES ('probe', '0') ON CONFLICT (key) DO UPDATE"
    " SET value = CASE value WHEN '0' THEN '1' ELSE '0' END"
)
"""Changes a value: SQLite writes nothing for one that stays as it is."""


def write_probe(connection: sqlite3.Connection) -> None:
    """One small transaction, for `Writer.run`. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(PROBE)
    connection.execute("COMMIT")
