"""The embedded store: one SQLite file in WAL mode, one writer thread, read-only readers."""

from .store import SqliteStore

__all__ = ["SqliteStore"]
