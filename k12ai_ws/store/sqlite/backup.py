"""A copy of a store that can be kept elsewhere, and how it comes back.

A backup is one SQLite file, made from one moment of the log beside whoever writes to it. It holds what the log holds
and no more: pages of removed events are left out.
"""

import contextlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from k12ai_ws.access.private import sync
from k12ai_ws.store.store import StoreError

from .ills import FAULTS, Subject, explain, the_backup, the_store
from .opening import open_reader, refuse_loss, refuse_remains, refuse_version, version_of
from .published import Mark, path_of, read_mark
from .verify import Soundness, verify

PARTIAL = ".partial"


def back_up(store: Path, target: Path, *, force: bool = False) -> Soundness:
    """Copies the store to `target`, which appears whole, synced and with mode 0600, or not at all.

    Raises StoreError: there is no store, it is broken, `target` is there already (but for `force`), no room, ...
    """
    try:
        refuse_remains(store)
        if not store.is_file():
            raise StoreError(f"there is no store {store}")
        _refuse_target(store, target, force=force)
        mark = read_mark(store)  # before the copy: the server writes on
    except OSError as e:
        raise StoreError(f"{store} cannot be copied to {target}: {explain(e)}") from e
    subject = the_store(store)
    with _copy(store, target.with_name(target.name + PARTIAL), subject) as partial:
        found = verify(partial, subject=subject)
        refuse_loss(store, found.epoch, found.head, mark)  # it may be to replace one that has these events
        sync(partial)
        _place(partial, target, force=force)
    return found


def _refuse_target(store: Path, target: Path, *, force: bool) -> None:
    """Raises StoreError, OSError."""
    if not os.path.lexists(target):
        return
    kind = target.stat().st_mode if target.exists() else 0
    if stat.S_ISDIR(kind):
        raise StoreError(f"{target} is a folder: name a file in it")
    if not stat.S_ISREG(kind):
        raise StoreError(f"{target} is no regular file, and is never replaced: choose another name")
    if any(target.samefile(p) for p in files_of(store)):
        raise StoreError(f"{target} is the store itself: choose another name")
    if not force:
        raise StoreError(f"{target} is there already: choose another name, or replace it with --force")


def restore(store: Path, source: Path, *, new_epoch: Callable[[], str], aside: Path) -> Soundness:
    """Puts the log of `source` in the place of the store, whose files are kept in the folder `aside`, which is made.

    For whoever holds the data folder's lock. The log gets a new epoch: it has forked. Subscribers may have seen events
    after the backup, whose numbers will be given again to others, so no resume token of theirs may be believed. Raises
    StoreError; then the store is what it was.
    """
    if not source.is_file():
        if os.path.lexists(source):
            raise StoreError(f"{source} is no regular file: name one that `k12ai backup` wrote")
        raise StoreError(f"there is no backup {source}")
    subject = the_backup(source)
    with _copy(source, store.with_name(store.name + ".restoring"), subject) as copy:
        found = verify(copy, subject=subject)
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch := new_epoch(),))
        sync(copy)
        if files_of(store):
            _keep(store, aside)
        # In this order: a server that starts after a kill at any point finds the old log, says that its end is missing,
        # or finds the new one; and never the new one with the old one's -wal.
        for suffix in ("-wal", "-shm"):
            store.with_name(store.name + suffix).unlink(missing_ok=True)
        copy.replace(store)
        path_of(store).unlink(missing_ok=True)  # not written over: it is kept too
        Mark(store, epoch, found.head).close()
        sync(store.parent)
    return found._replace(epoch=epoch)


def files_of(store: Path) -> list[Path]:
    """The files that a store consists of, as far as they are there; the shared memory is none of them."""
    named = (store, store.with_name(store.name + "-wal"), path_of(store))
    return [path for path in named if os.path.lexists(path)]


@contextlib.contextmanager
def _copy(store: Path, target: Path, subject: Subject) -> Iterator[Path]:
    """A copy of one moment under a passing name: removed again where it is not put elsewhere. Raises StoreError."""
    try:
        if target.is_file():  # of a copy that was killed
            target.unlink()
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            with contextlib.closing(open_reader(store, subject)) as connection:
                refuse_version(store, version_of(connection))
                connection.execute("VACUUM INTO ?", (str(target),))
            yield target
        finally:
            for suffix in ("", "-journal", "-wal", "-shm"):
                target.with_name(target.name + suffix).unlink(missing_ok=True)
    except FAULTS as e:
        raise StoreError(f"{subject.name} cannot be copied to {target.parent}: {explain(e, subject.mend)}") from e


def _place(partial: Path, target: Path, *, force: bool) -> None:
    if force:
        partial.replace(target)
    else:
        try:
            os.link(partial, target)  # unlike a rename, never over what somebody else put there meanwhile
        except FileExistsError:
            raise StoreError(f"{target} is there already: choose another name, or replace it with --force") from None
        except OSError:  # a filesystem without links
            partial.rename(target)
    sync(target.parent)


def _keep(store: Path, aside: Path) -> None:
    """The store's files in another folder too, without moving them yet."""
    aside.mkdir(mode=0o700)
    for path in files_of(store):
        try:
            os.link(path, aside / path.name)
        except OSError:  # a filesystem without links
            shutil.copy2(path, aside / path.name)
            sync(aside / path.name)
    sync(aside)
