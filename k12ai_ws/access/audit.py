"""The audit log: who did what, when, from where, and what came of it. Lines of JSON, appended, rotated and bounded.

The server writes in a thread; the command writes to the same files. A lock file keeps their lines and rotations apart.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.envelope import rfc3339

from .principal import Caller
from .serverlog import clean

FOLDER = "audit"
CURRENT = "audit.jsonl"
LOCK = ".lock"
MOST_WAITING = 10_000
MAX_TEXT = 300

log = logging.getLogger(__name__)


class AuditFiles:
    """The files: `audit.jsonl`, and `audit.jsonl.1` (the youngest before it) up to `.N`. Its functions block."""

    def __init__(self, folder: Path, max_bytes: int, files: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._files = files

    def append(self, lines: Sequence[bytes]) -> None:
        """Writes whole lines behind the others. Raises OSError: then, as a rule, none of them stands there."""
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            current = self.folder / CURRENT
            if current.exists() and current.stat().st_size >= self._max_bytes:
                self._rotate(current)
            file = os.open(current, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            before = os.fstat(file).st_size
            try:
                rest = memoryview(b"".join(lines))
                while rest:
                    rest = rest[os.write(file, rest) :]
            except OSError:
                with contextlib.suppress(OSError):  # no half line is left for the next one to be glued to
                    os.ftruncate(file, before)
                raise
            finally:
                os.close(file)
        finally:
            os.close(lock)

    def _rotate(self, current: Path) -> None:
        for number in range(self._files - 1, 0, -1):
            older = current.with_name(f"{CURRENT}.{number}")
            if number == self._files - 1:
                older.unlink(missing_ok=True)
            elif older.exists():
                older.rename(current.with_name(f"{CURRENT}.{number + 1}"))
        if self._files > 1:
            current.rename(current.with_name(f"{CURRENT}.1"))
        else:
            current.unlink()


def entry(op: str, outcome: str, at_ms: int, caller: Caller | None, **facts: Json) -> bytes:
    """One line. `outcome`: `ok`, `denied` or `failed`. Facts that are None are left out, long texts are cut."""
    line: dict[str, Json] = {"at": rfc3339(at_ms), "op": clean(op)[:MAX_TEXT], "outcome": outcome}
    if caller is not None:
        line["who"] = None if caller.principal is None else caller.principal.to_json()
        line["address"] = caller.address
        if caller.request_id is not None:
            line["request_id"] = clean(caller.request_id)[:MAX_TEXT]  # a channel's client chooses a part of it
    for name, value in facts.items():
        if value is not None:
            line[name] = clean(value)[:MAX_TEXT] if isinstance(value, str) else value
    return orjson.dumps(line) + b"\n"


class Audit:
    """Takes entries on the event loop, and has a thread write them. What it cannot write, the server's log says."""

    def __init__(self, files: AuditFiles, clock_ms: Callable[[], int]) -> None:
        self._files = files
        self._clock_ms = clock_ms
        self._waiting: queue.Queue[bytes | None] = queue.Queue()
        self._thread = threading.Thread(target=self._write, name="k12ai-audit", daemon=True)
        self._thread.start()

    def record(self, op: str, outcome: str, caller: Caller | None, **facts: Json) -> None:
        """Notes what happened; returns at once."""
        line = entry(op, outcome, self._clock_ms(), caller, **facts)
        if self._waiting.qsize() >= MOST_WAITING:
            log.error("the audit log is behind and loses this entry: %s", line.decode().rstrip())
            return
        self._waiting.put(line)

    def _write(self) -> None:
        over = False
        while not over:
            lines = [self._waiting.get()]
            while len(lines) < MOST_WAITING:
                try:
                    lines.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            over = None in lines
            whole = [line for line in lines if line is not None]
            try:
                if whole:
                    self._files.append(whole)
            except OSError as e:
                log.error("the audit log in %s cannot be written: %s; its entries follow", self._files.folder, e)
                for line in whole:
                    log.error("audit: %s", line.decode().rstrip())

    async def close(self) -> None:
        """Writes what waits."""
        self._waiting.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
