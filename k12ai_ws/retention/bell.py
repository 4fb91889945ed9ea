"""How a running server is asked to look at once, and says what came of it: a socket in its data folder. Whoever may
write there may ask. The answer needs no room on the disk, and who waits for one notices that the server ends.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

NAME = "prune.bell"
MOST = 32
"""So many may wait for an answer; whoever comes then is sent away without one."""

log = logging.getLogger(__name__)


class Bell:
    """The server's end. `rung` is awaited on the event loop for each who rings, and gives the answer, one line."""

    def __init__(self, data_dir: Path, rung: Callable[[], Awaitable[bytes]]) -> None:
        self._path = data_dir / NAME
        self._rung = rung
        self._server: asyncio.Server | None = None
        self._waiting: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Makes the socket; one that a server before left is replaced. Where the file system has none, nobody can ask,
        and that is logged.
        """
        made = socket.socket(socket.AF_UNIX)
        try:
            self._path.unlink(missing_ok=True)
            with _short(self._path) as path:
                made.bind(path)
                self._path.chmod(0o600)
                self._server = await asyncio.start_unix_server(self._hear, sock=made)
        except OSError as e:
            made.close()
            log.warning("`k12ai prune` cannot ask this server: %s cannot be made: %s", self._path, e.strerror or e)

    def close(self) -> None:
        """Takes it away. Who waits gets no answer."""
        if self._server is not None:
            self._server.close()
            self._server = None
            for task in self._waiting:
                task.cancel()
            with contextlib.suppress(OSError):  # on a disk that cannot be written now: the next server makes it anew
                self._path.unlink()

    async def _hear(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        try:
            if task is not None and len(self._waiting) < MOST:
                self._waiting.add(task)
                writer.write(await self._rung())
                with contextlib.suppress(OSError):  # who asked may have left
                    await writer.drain()
        except asyncio.CancelledError:
            pass  # the bell was closed: the connection ends, which tells
        finally:
            if task is not None:
                self._waiting.discard(task)
            writer.close()


def ring(data_dir: Path) -> socket.socket | None:
    """Asks the server of a data folder to look now: its answer comes over the connection. None where none listens.
    Raises OSError where it may not be asked.
    """
    asking = socket.socket(socket.AF_UNIX)
    try:
        with _short(data_dir / NAME) as path:
            asking.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        asking.close()
        return None
    except OSError:
        asking.close()
        raise
    return asking


def answer(asking: socket.socket, wait_s: float) -> bytes:
    """The line that the server answers; nothing where it ended before. Raises TimeoutError after `wait_s` seconds; then
    it may be called again.
    """
    asking.settimeout(wait_s)
    found = b""
    try:
        while not found.endswith(b"\n") and (more := asking.recv(65_536)):
            found += more
    except ConnectionError:
        return b""
    return found if found.endswith(b"\n") else b""


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of the socket that is short enough (some 100 bytes): a long one goes by its folder's descriptor."""
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
