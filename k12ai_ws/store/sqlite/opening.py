"""How a store's file is opened, and when it is not: one that is broken, or that is not what it was, is refused.

Nothing is ever replaced or made new in its place. What costs little is looked at with every start; `verify.py` reads
the whole file.
"""

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from k12ai_ws.access.private import make_private
from k12ai_ws.store.store import StoreError

from .ills import FAULTS, RESTORE, Subject, explain, the_store
from .migrations import SCHEMA_VERSION, migrate
from .published import Mark, Published, path_of, read_mark
from .schema import make_tables, misfit, read_epoch

MAGIC = b"SQLite format 3\0"
SMALL = 16 << 20
"""Bytes of a file that is read as a whole at every start: some 20 ms."""

log = logging.getLogger(__name__)


class Opened(NamedTuple):
    """A store that may be written to."""

    connection: sqlite3.Connection
    epoch: str
    mark: Mark


def open_store(path: Path, synchronous: Literal["full", "normal"], new_epoch: Callable[[], str]) -> Opened:
    """The writing connection, its tables made where the file is new. Raises StoreError."""
    try:
        refuse_remains(path)
        read_mark(path)  # refuses one that is damaged, before anything is touched
        make_private(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except FAULTS as e:
        raise StoreError(f"the store {path} cannot be opened: {explain(e)}") from e
    try:
        version = version_of(connection)
        new = version == 0 and not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if new and _handed_out(path):
            raise _missing(path)  # its tables were in a -wal that is gone
        if not new:  # before anything is written: another program's file keeps its content and its journal mode
            refuse_version(path, version)
            refuse_misfit(connection, version, the_store(path))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if new:
            make_tables(connection, new_epoch())
        else:
            migrate(connection, version)
        _check(path, connection)
        epoch = _epoch(path, connection, synchronous, new_epoch)
        return Opened(connection, epoch, Mark(path, epoch, last_seq(connection)))
    except FAULTS as e:
        connection.close()
        raise StoreError(f"the store {path} cannot be opened: {explain(e)}") from e
    except StoreError:
        connection.close()
        raise


def refuse_remains(path: Path, subject: Subject | None = None) -> None:
    """Raises StoreError where SQLite would begin a new file although there was a log, or where it would be confused.

    Even for one that only reads: SQLite removes the `-wal` of a file that is empty.
    """
    name, mend = subject or the_store(path)
    wal = path.with_name(path.name + "-wal")
    size = path.stat().st_size if path.is_file() else 0
    if size == 0 and (_handed_out(path) or (wal.is_file() and wal.stat().st_size > 0)):
        raise _missing(path)
    if size:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise StoreError(f"{name} is no SQLite database, or its beginning was overwritten: {mend}")


def _handed_out(path: Path) -> bool:
    """Whether anyone has seen, or may have seen, an event of the log that belongs here. Raises OSError."""
    try:
        mark = read_mark(path)
    except StoreError:
        return True
    return mark is not None and mark.seq > 0


def _missing(path: Path) -> StoreError:
    state = "is empty" if path.exists() else "is missing"
    return StoreError(
        f"the store {path} {state}, but {path_of(path).name} or {path.name}-wal beside it are those of a log: put the "
        f"file back, or a backup with `k12ai restore FILE`; for a new log move all {path.name}* away"
    )


def version_of(connection: sqlite3.Connection) -> int:
    """The schema's version; 0 for a file without tables."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def refuse_version(path: Path, version: int) -> None:
    """Raises StoreError for a version that this program does not know."""
    if version == 0:
        raise StoreError(f"{path} holds no log: no server has stored anything in it, or it is another program's")
    if not 0 < version <= SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {version}, and this server knows version {SCHEMA_VERSION}: "
            "run the server that wrote it, or point data_dir elsewhere"
        )


def refuse_misfit(connection: sqlite3.Connection, version: int, subject: Subject) -> None:
    """Raises StoreError for a file that is not of the version that it says: a step would fail, or do harm."""
    odd = misfit(connection, version)
    if odd is not None:
        raise StoreError(f"{subject.name} is broken ({odd}): {subject.mend}")


def refuse_loss(path: Path, epoch: str, seq: int, mark: Published | None) -> None:
    """Raises StoreError where events up to `mark` were handed out of the log with this epoch, which ends with `seq`."""
    if lost_events(epoch, seq, mark):
        raise StoreError(
            f"the store {path} ends with event {seq}, but events up to {mark and mark.seq} were handed out: its -wal "
            "file is missing, cut or broken, or the file is an old one. Put the right files back, or a backup with "
            f"`k12ai restore FILE`; to go on without these events, `k12ai restore {path}` gives the log a new epoch, "
            "and what there is now is kept aside"
        )


def lost_events(epoch: str, seq: int, mark: Published | None) -> int:
    """How many events are missing at the end of that log, though subscribers have seen them. The mark is read before
    the log: a server may write meanwhile.
    """
    return 0 if mark is None or mark.epoch != epoch else max(0, mark.seq - seq)


def last_seq(connection: sqlite3.Connection) -> int:
    """The seq of the last event; 0 for an empty log."""
    return int(connection.execute("SELECT max(seq) FROM events").fetchone()[0] or 0)


def _check(path: Path, connection: sqlite3.Connection) -> None:
    """What costs little. Raises StoreError, sqlite3.Error."""
    if read_epoch(connection) is None:
        raise StoreError(f"{path} has no epoch: it is no store of this server; move it away, and a new one is made")
    pages, size = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    if pages * size <= SMALL:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"the store {path} is broken ({found}): {RESTORE}")
    seq = last_seq(connection)
    row = connection.execute("SELECT payload FROM events WHERE seq = ?", (seq,)).fetchone()
    if row is not None and not row[0].endswith(b'"seq":%d}' % seq):
        raise StoreError(f"the store {path} is broken (event {seq} is not its own): {RESTORE}")
    # SQLite opens what it may not write for reading alone, and says so at the first write.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")


def _epoch(
    path: Path, connection: sqlite3.Connection, synchronous: Literal["full", "normal"], new_epoch: Callable[[], str]
) -> str:
    """The log's epoch, which changes where the log has lost events that were handed out and that is no fault."""
    mark, epoch, seq = read_mark(path), str(read_epoch(connection)), last_seq(connection)
    if seq and (mark is None or mark.epoch != epoch):
        state = "is missing" if mark is None else "is another log's"
        log.warning("%s %s, so nothing tells whether the log lost its end; it is made anew", path_of(path), state)
    lost = lost_events(epoch, seq, mark)
    if not lost:
        return epoch
    if synchronous == "full":
        refuse_loss(path, epoch, seq, mark)
    log.warning("events %d to %d were lost, as store.synchronous=normal allows: a new epoch", seq + 1, seq + lost)
    epoch = new_epoch()
    connection.execute("PRAGMA synchronous = full")  # lost with the next cut, the old one would be believed again
    connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch,))
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    return epoch


def open_reader(path: Path, subject: Subject | None = None) -> sqlite3.Connection:
    """A read-only connection; used by one thread at a time, closed by any. Raises StoreError for a file that reading
    would harm.
    """
    refuse_remains(path, subject)
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
