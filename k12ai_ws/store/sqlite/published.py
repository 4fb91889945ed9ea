"""A note beside the log of how far it was published, so that a log that has lost its end is not taken for whole.

SQLite recovers what it finds: where the `-wal` file is missing, cut or overwritten, it goes back to an earlier commit
and says nothing. Numbers that subscribers have seen would be given again, to other events. The mark is written after
every commit and before anyone is told of it, without a sync: it outlives the server, and after a power cut it may be
behind the log (which does no harm), but not ahead of one that was synced.
"""

import contextlib
import logging
import os
from pathlib import Path
from typing import NamedTuple

SUFFIX = "-head"

log = logging.getLogger(__name__)


class Published(NamedTuple):
    """The log (its epoch), and the seq up to which its events were handed out."""

    epoch: str
    seq: int


def path_of(store: Path) -> Path:
    """Where the mark of that store lies."""
    return store.with_name(store.name + SUFFIX)


def read_mark(store: Path) -> Published | None:
    """What is noted beside the store; None where nothing is, or nothing that can be read."""
    try:
        text = path_of(store).read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    seq, _, epoch = text.rstrip("\n").partition(" ")
    return Published(epoch, int(seq)) if seq.isascii() and seq.isdecimal() and epoch else None


class Mark:
    """The mark of an open store; used by the writer's thread alone. Raises OSError where it cannot be made."""

    def __init__(self, store: Path, epoch: str, seq: int) -> None:
        self._epoch = epoch.encode()
        self._failed = False
        self._fd = os.open(path_of(store), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(self._fd, 0o600)
        self.write(seq)
        os.ftruncate(self._fd, 22 + len(self._epoch))

    def write(self, seq: int) -> None:
        """Notes that everything up to `seq` is about to be handed out."""
        line = b"%020d %b\n" % (seq, self._epoch)
        try:
            if os.pwrite(self._fd, line, 0) != len(line):
                raise OSError("it was cut")
            self._failed = False
        except OSError as e:  # what it guards against is rarer than a disk without room: the log itself is stored
            if not self._failed:
                log.warning("the mark beside the event log cannot be written: %s", e)
            self._failed = True

    def close(self) -> None:
        """No further notes."""
        with contextlib.suppress(OSError):
            os.close(self._fd)
