"""Writes the log without ever holding up who speaks: a bounded queue of lines, and a thread that writes them.

A terminal that is scrolled back, a full pipe or a slow disk takes lines late or not at all. Then they wait, up to a
bound; what is beyond it is dropped and counted, and the log says so where they are missing.
"""

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Literal

from .about import current
from .spelling import console_line, dropped_line, json_line

MAX_WAITING = 4 << 20
"""Bytes that may wait for whoever takes the log."""
CLOSE_S = 1.0
"""At the end, the rest may take so many seconds: a reader that takes nothing keeps the server from ending no longer."""


class ServerLog(logging.Handler):
    """The root logger's one handler, on the open file descriptor `fd` (not on Python's own stream of it: a write that
    hangs there holds a lock that the interpreter wants at its end).

    `redact` is given each line as it would be written, and gives it back without secrets. `dropped` counts the lines
    that nobody took.
    """

    def __init__(
        self,
        fd: int,
        *,
        as_json: bool,
        redact: Callable[[str], str] = str,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        super().__init__()
        self._fd = fd
        self._as_json = as_json
        self._spell = json_line if as_json else console_line
        self._redact = redact
        self._max_waiting = max_waiting
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        self._unsaid = 0  # dropped lines that the log has not told yet
        self._over = False
        self.dropped = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="k12ai-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler; returns at once."""
        try:
            line = self._spell(record, current(), self._redact).encode("utf-8", "backslashreplace") + b"\n"
        except Exception:  # noqa: BLE001 - logging's own way: a line that cannot be spelt must not break who speaks
            self.handleError(record)
            return
        with self._changed:
            if self._waiting + len(line) > self._max_waiting or self._over:
                self.dropped += 1
                self._unsaid += 1
                return
            self._lines.append(line)
            self._waiting += len(line)
            self._changed.notify()

    def close(self) -> None:
        """Writes what waits, for `CLOSE_S` seconds at most."""
        with self._changed:
            self._over = True
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)
        super().close()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._lines and not self._over:
                    self._changed.wait()
                if not self._lines and not self._unsaid:
                    return
                data = b"".join(self._lines)
                size = len(data)
                self._lines.clear()
                if self._unsaid:
                    data += dropped_line(self._unsaid, as_json=self._as_json).encode() + b"\n"
                self._unsaid = 0
            with contextlib.suppress(OSError):  # nobody reads any more, or it is closed: nowhere to say so
                while data:
                    data = data[os.write(self._fd, data) :]
            with self._changed:
                self._waiting -= size


def install(
    fd: int,
    *,
    form: Literal["auto", "console", "json"],
    level: str,
    redact: Callable[[str], str] = str,
) -> ServerLog:
    """Makes the file descriptor `fd` the place of the whole process's log, from `level` (`debug` to `error`) up.
    `auto`: for people at a terminal, JSON anywhere else. `close` what it returns at the end.
    """
    as_json = form == "json" or (form == "auto" and not os.isatty(fd))
    handler = ServerLog(fd, as_json=as_json, redact=redact)
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    return handler
