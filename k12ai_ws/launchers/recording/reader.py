"""Reading a journal while it is written, from any position."""

import os
import threading
from pathlib import Path

from k12ai_ws.launchers.launcher import Chunk

from .journal import HEADER, MAGIC, MAX_PAYLOAD, STDOUT, frames

BATCH_BYTES = 64 * 1024
BATCH_CHUNKS = 256


class JournalReader:
    """Gives the chunks after `position`, a batch at a time. Close it: that may happen in another thread than the one
    that reads, and does not wait for it.
    """

    def __init__(self, path: Path, position: int) -> None:
        if position < 0:
            raise ValueError(f"a log position is 0 or what a chunk gave, not {position}")
        self._path = path
        self._position = position
        self._fd: int | None = None
        self._closed = False
        self._in_use = threading.Lock()

    def read(self) -> list[Chunk]:
        """What is there now: about 256 KiB or 256 chunks at most; nothing where nothing new is whole yet.

        Raises OSError, and ValueError where the file is no journal.
        """
        with self._in_use:
            chunks = [] if self._closed or not self._open() else self._read()
        if self._closed:  # while this was reading
            self.close()
        return chunks

    def close(self) -> None:
        """Closes the file, or lets the `read` under way do so at its end: its number must not change hands before."""
        self._closed = True
        if self._in_use.acquire(blocking=False):
            try:
                if self._fd is not None:
                    os.close(self._fd)
                    self._fd = None
            finally:
                self._in_use.release()

    def _open(self) -> bool:
        """Whether there is a journal to read, with the position at a frame."""
        if self._fd is None:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:  # nothing was printed yet
                return False
        if self._position < len(MAGIC):
            magic = os.pread(self._fd, len(MAGIC), 0)
            if magic != MAGIC:
                if MAGIC.startswith(magic):  # not written yet
                    return False
                raise ValueError(f"{self._path} is no journal of this version: it begins with {magic!r}")
            self._position = len(MAGIC)
        return True

    def _read(self) -> list[Chunk]:
        assert self._fd is not None  # noqa: S101 - for the type checker
        block = os.pread(self._fd, BATCH_BYTES + HEADER.size + MAX_PAYLOAD, self._position)
        chunks = []
        for frame in frames(block, self._position):
            chunks.append(Chunk(frame.payload, "stdout" if frame.stream == STDOUT else "stderr", frame.ms, frame.end))
            if len(chunks) >= BATCH_CHUNKS or frame.end - self._position >= BATCH_BYTES:
                break
        if chunks:
            self._position = chunks[-1].position
        return chunks
