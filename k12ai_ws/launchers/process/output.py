"""From the job's pipes to its journal: at most one wait, one read of each pipe and one frame at a time.

Standard library only: the supervisor imports this.
"""

import contextlib
import fcntl
import os
import select
import time
from typing import Final

from k12ai_ws.launchers.recording.journal import MAX_PAYLOAD, STDERR, STDOUT, JournalWriter

RETRY_S: Final = 0.25
"""How often a disk that takes nothing is tried again."""

_LONGEST_WAIT_S: Final = 3600.0
_BUSY_GAP_S: Final = 0.001
_BUSY_READS: Final = 16
_BUSY_PAUSE_S: Final = 0.002
"""After so many reads, each within the gap after the one before, output is let gather for the pause between reads:
far fewer and larger frames. A job that prints little is read at once, which also keeps its two streams in order."""
_PIPE_BYTES: Final = 256 * 1024


def now_ms() -> int:
    """The time, in milliseconds since the epoch (UTC)."""
    return time.time_ns() // 1_000_000


class Output:
    """What one job prints. While the disk is full nothing is read, so that the job waits in its next print."""

    def __init__(self, journal: JournalWriter) -> None:
        self._journal = journal
        self._poll = select.poll()
        self._pipes: dict[int, int] = {}
        self._reading = False
        self._busy = 0
        self._read_at = 0.0

    @property
    def open(self) -> bool:
        """Whether someone may still print."""
        return bool(self._pipes)

    @property
    def blocked(self) -> bool:
        """Whether the disk is full, and the job waits for it."""
        return self._journal.blocked

    def watch(self, fd: int) -> None:
        """Has `wait` report when this file can be read."""
        self._poll.register(fd, select.POLLIN)

    def pipes(self) -> tuple[int, int]:
        """New pipes for the job's stdout and stderr: the ends to write to, which the caller closes. Raises OSError."""
        ends = []
        for stream in (STDOUT, STDERR):
            fd, end = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(fd, False)
            with contextlib.suppress(OSError):  # a user may have only so much; smaller pipes do as well
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._pipes[fd] = stream
            ends.append(end)
        return ends[0], ends[1]

    def wait(self, patience_s: float | None) -> list[int]:
        """Waits until something is printed or a watched file can be read, at most `patience_s` seconds (None: an
        hour), and writes down what was printed. Returns the watched files that can be read.
        """
        patience_s = _LONGEST_WAIT_S if patience_s is None else min(patience_s, _LONGEST_WAIT_S)
        if self._journal.blocked and not self._journal.flush():
            patience_s = min(patience_s, RETRY_S)
        self._listen(not self._journal.blocked)
        ready: list[tuple[int, int]] = []
        if self._busy >= _BUSY_READS:
            time.sleep(_BUSY_PAUSE_S)
            ready = self._poll.poll(0)
            self._busy = _BUSY_READS if ready else 0
        ready = ready or self._poll.poll(patience_s * 1000)
        watched = []
        for fd, _ in ready:
            if fd not in self._pipes:
                watched.append(fd)
            elif not self._journal.blocked:
                self._take(fd)
        return watched

    def finish(self) -> None:
        """Writes what is left to write; waits for the disk as long as it takes."""
        self._settle()
        self._journal.finish(now_ms())
        self._settle()
        with contextlib.suppress(OSError):  # all of it is written; that the disk itself has it, only the disk can do
            self._journal.sync()

    def _listen(self, wanted: bool) -> None:
        if wanted != self._reading:
            for fd in self._pipes:
                if wanted:
                    self._poll.register(fd, select.POLLIN)
                else:
                    self._poll.unregister(fd)
            self._reading = wanted

    def _take(self, fd: int) -> None:
        try:
            payload = os.read(fd, MAX_PAYLOAD)
        except BlockingIOError:
            return
        now = time.monotonic()
        # A full read left more in the pipe: there is nothing to wait for.
        quick = self._busy >= _BUSY_READS or now - self._read_at < _BUSY_GAP_S
        self._busy = self._busy + 1 if quick and len(payload) < MAX_PAYLOAD else 0
        self._read_at = now
        if payload:
            self._journal.write(self._pipes[fd], payload, now_ms())
        else:
            self._poll.unregister(fd)
            del self._pipes[fd]
            os.close(fd)

    def _settle(self) -> None:
        while not self._journal.flush():
            time.sleep(RETRY_S)
