"""The data folder: whether it can be written, its space, if SQLite works there, and whether its files are sound."""

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path

from k12ai_ws.access.file import NAME as ACCESS
from k12ai_ws.access.file import AccessError, AccessFile
from k12ai_ws.store.place import DATABASE
from k12ai_ws.store.sqlite.backup import files_of
from k12ai_ws.store.sqlite.opening import lost_events, refuse_remains
from k12ai_ws.store.sqlite.published import read_mark
from k12ai_ws.store.sqlite.verify import verify
from k12ai_ws.store.store import StoreError

from .finding import Finding, size_of

MIN_SQLITE = (3, 37, 0)
"""The store's tables are STRICT."""
FREE_WARN, FREE_FAIL = 2 << 30, 100 << 20
"""Bytes left on the data folder's filesystem."""
LOG_S = 10.0
"""For reading the event log: less than the doctor has patience for."""


def _ground(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next((each for each in (path, *path.parents) if each.exists()), path)


def check_data_dir(data_dir: Path) -> Finding:
    """Whether the data folder can be written (or made), and the space left there."""
    name, ground = "data directory", _ground(data_dir.absolute())
    try:
        with tempfile.TemporaryFile(dir=ground) as probe:
            probe.write(b"k12ai")
        free = shutil.disk_usage(ground).free
    except OSError as error:
        advice = f"make {ground} a folder that this user may write, or choose another with --data-dir"
        return Finding(name, "fail", f"{data_dir}: cannot write in {ground}: {error.strerror or error}", advice)
    found = f"{data_dir} {'is writable' if ground == data_dir.absolute() else 'can be made'}, {size_of(free)} free"
    if free >= FREE_WARN:
        return Finding(name, "ok", found)
    return Finding(name, "fail" if free < FREE_FAIL else "warn", found, "free some space there, or use --data-dir")


def check_log(data_dir: Path, *, patience_s: float = LOG_S) -> Finding:
    """Whether the event log there is sound: all of it is read, as far as `patience_s` seconds suffice."""
    name, store = "event log", data_dir / DATABASE
    try:
        if not files_of(store):
            return Finding(name, "ok", f"none yet in {data_dir}")
        refuse_remains(store)
        mark = read_mark(store)  # before the log: a server may write meanwhile
        sound = verify(store, patience_s=patience_s)
    except StoreError as error:
        return Finding(name, "fail", str(error), "docs/operations.md tells what to do about a broken log")
    except TimeoutError:
        found = f"{store} is too large to be read in {patience_s:g} s; nothing wrong was found in that time"
        return Finding(name, "warn", found, "`k12ai backup FILE` reads all of it")
    except OSError as error:
        return Finding(name, "fail", f"{store} cannot be read: {error}", "check the rights of the data folder")
    if lost := lost_events(sound.epoch, sound.head, mark):
        found = f"{store} has lost its last {lost} events: its -wal file is missing, cut or broken"
        return Finding(name, "fail", found, "`k12ai serve` says what to do")
    found = f"sound: {sound.events} events of {sound.jobs} jobs, up to seq {sound.head}"
    return Finding(name, "ok", f"{found} (schema version {sound.version})")


def check_access(data_dir: Path, now_ms: int) -> Finding:
    """Whether the file of tokens and users there can be read, and what it holds."""
    name, file = "access file", data_dir / ACCESS
    try:
        if not file.exists():
            return Finding(name, "ok", f"none yet in {data_dir}: nobody has made a token or a user")
        with contextlib.closing(AccessFile(file, read_only=True)) as opened:
            book = opened.load()
    except (AccessError, OSError) as error:
        return Finding(name, "fail", str(error), "`k12ai serve` does not start with it; docs/security.md: What is kept")
    good = sum(token.is_good(now_ms) for token in book.tokens.values())
    return Finding(name, "ok", f"readable: {good} good tokens ({len(book.tokens)} in all), {len(book.users)} users")


def check_sqlite(data_dir: Path) -> Finding:
    """SQLite's version, and whether its write-ahead log works on the data folder's filesystem."""
    found = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        needed = ".".join(map(str, MIN_SQLITE))
        return Finding("sqlite", "fail", found, f"use a Python built with SQLite {needed} or newer")
    try:
        with tempfile.TemporaryDirectory(dir=_ground(data_dir.absolute()), prefix=".k12ai-doctor-") as folder:
            mode = _try_wal(Path(folder, "probe.db"))
    except (OSError, sqlite3.Error) as error:
        advice = f"put the data on a local filesystem that can be written, with --data-dir ({data_dir} is not one)"
        return Finding("sqlite", "fail", f"{found}, no database could be made: {error}", advice)
    if mode == "wal":
        return Finding("sqlite", "ok", f"{found}, write-ahead log works in {data_dir}")
    advice = "put the data on a local filesystem with --data-dir: network ones have no shared memory for it"
    return Finding("sqlite", "fail", f"{found}, no write-ahead log in {data_dir} (journal mode {mode})", advice)


def _try_wal(path: Path) -> str:
    """The journal mode that SQLite agreed to, after a reader read beside an open write."""
    with (
        contextlib.closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as writer,
        contextlib.closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as reader,
    ):
        mode = str(writer.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        if mode == "wal":
            writer.execute("CREATE TABLE probe (value)")
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("INSERT INTO probe VALUES (1)")
            reader.execute("SELECT count(*) FROM probe").fetchone()
            writer.execute("COMMIT")
        return mode
