"""How a running server is asked to look at once: a FIFO in its data folder. Whoever may write there may ask."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

NAME = "prune.bell"

log = logging.getLogger(__name__)


class Bell:
    """The server's end: calls `rung` on the event loop whenever somebody rings."""

    def __init__(self, data_dir: Path, rung: Callable[[], None]) -> None:
        self._path = data_dir / NAME
        self._rung = rung
        self._fd: int | None = None

    def open(self) -> None:
        """Makes the FIFO; one that a server before left is replaced. Where the file system has none, nobody can ask,
        and that is logged.
        """
        try:
            with contextlib.suppress(OSError):  # on a disk that cannot be written now: the next server makes it anew
                self._path.unlink()
            os.mkfifo(self._path, 0o600)
            # Also for writing, so that the end of one who rings is no end of the file.
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as e:
            log.warning("`k12ai prune` cannot ask this server: %s cannot be made: %s", self._path, e.strerror)
            return
        asyncio.get_running_loop().add_reader(self._fd, self._hear)

    def close(self) -> None:
        """Takes it away."""
        if self._fd is not None:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None
            self._path.unlink(missing_ok=True)

    def _hear(self) -> None:
        if self._fd is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(self._fd, 4096)
            self._rung()


def ring(data_dir: Path) -> bool:
    """Asks the server of a data folder to look now; whether one listens. Raises OSError where it may not be asked."""
    try:
        fd = os.open(data_dir / NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as e:
        if isinstance(e, PermissionError):
            raise
        return False  # ENXIO: it is there, and nobody listens
    try:
        os.write(fd, b"\n")
    except BlockingIOError:  # full of the same request
        pass
    finally:
        os.close(fd)
    return True
