"""A note beside the log of how far it was published, so that a log that has lost its end is not taken for whole.

SQLite recovers what it finds: where the `-wal` file is missing, cut or overwritten, it goes back to an earlier commit
and says nothing. Numbers that subscribers have seen would be given again, to other events. The mark is written after
every commit and before anyone is told of it, without a sync: it outlives the server, and after a power cut it may be
behind the log (which does no harm), but not ahead of one that was synced. It is made whole and synced, and then written
over in its place, where its size stays: so neither a kill nor a power cut leaves half of one, and one that cannot be
read was damaged.
"""

import contextlib
import errno
import logging
import os
import re
from pathlib import Path
from typing import NamedTuple

from k12ai_ws.access.private import identity_of
from k12ai_ws.store.store import StoreError

SUFFIX = "-head"
LINE = re.compile(rb"([0-9]{20}) ([!-~]+)\n")

log = logging.getLogger(__name__)


class Published(NamedTuple):
    """The log (its epoch), and the seq up to which its events were handed out."""

    epoch: str
    seq: int


def path_of(store: Path) -> Path:
    """Where the mark of that store lies."""
    return store.with_name(store.name + SUFFIX)


def read_mark(store: Path) -> Published | None:
    """What is noted beside the store; None where nothing is. Raises StoreError for a note that cannot be read, which
    says nothing about the log's end; OSError.
    """
    path = path_of(store)
    try:
        found = LINE.fullmatch(path.read_bytes())
    except FileNotFoundError:
        return None
    if found is None:
        raise StoreError(
            f"{path} is damaged, so nothing tells whether the store {store} has lost events at its end. Put the right "
            f"file back; or a backup with `k12ai restore FILE`; or go on with what there is: `k12ai restore {store}` "
            "gives the log a new epoch, and what there is now is kept aside"
        )
    return Published(found[2].decode(), int(found[1]))


class Mark:
    """The mark of an open store; used by the writer's thread alone. Raises OSError where it cannot be made."""

    def __init__(self, store: Path, epoch: str, seq: int) -> None:
        self._epoch = epoch.encode()
        self._failed = False
        self._store = store
        self._identity = identity_of(store)
        path, line = path_of(store), self._line(seq)
        try:
            fits = path.stat().st_size == len(line)
        except FileNotFoundError:
            fits = False
        if not fits:
            _make(path, line)
        self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.fchmod(self._fd, 0o600)
        self.write(seq)

    def _line(self, seq: int) -> bytes:
        return b"%020d %b\n" % (seq, self._epoch)

    def write(self, seq: int) -> None:
        """Notes that everything up to `seq` is about to be handed out."""
        line = self._line(seq)
        try:
            if os.pwrite(self._fd, line, 0) != len(line):
                raise OSError("it was cut")
            self._failed = False
        except OSError as e:  # what it guards against is rarer than a disk without room: the log itself is stored
            if not self._failed:
                log.warning("the mark beside the event log cannot be written: %s", e)
            self._failed = True

    def require_store(self) -> None:
        """Raises OSError where the store's file is not where it was: the next server would not find what is written."""
        with contextlib.suppress(FileNotFoundError):
            if identity_of(self._store) == self._identity:
                return
        text = f"{self._store} was moved or removed under the server: stop it, put the file back, and start it again"
        raise OSError(errno.ESTALE, text)

    def close(self) -> None:
        """No further notes."""
        with contextlib.suppress(OSError):
            os.close(self._fd)


def _make(path: Path, line: bytes) -> None:
    """The file appears whole, or not at all, whatever happens meanwhile."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)  # of one who was killed
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if os.write(fd, line) != len(line):
            raise OSError(f"{new} was cut")
        os.fsync(fd)
    finally:
        os.close(fd)
    new.replace(path)
