"""Keeps the picture of the access file fresh: whatever the command changes there, the server heeds within a second."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from .book import Book
from .file import AccessError, AccessFile

POLL_S = 0.25
"""Between looks at whether the file has changed; a look is one small question to SQLite, in a thread."""
USED_S = 60.0
"""How often it is written down when tokens were last used."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class KeyRing:
    """Owns the access file: one thread, one connection. `book` is what it holds; `on_change` hears of another one."""

    def __init__(self, path: Path, clock_ms: Callable[[], int]) -> None:
        self.book = Book()
        self._path = path
        self._clock_ms = clock_ms
        self._thread = ThreadPoolExecutor(1, "k12ai-access")
        self._file: AccessFile | None = None
        self._listeners: list[Callable[[], None]] = []
        self._used: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls it on the loop when the book may have changed, or something in it has ended by itself."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Opens the file and begins to watch it. Raises AccessError."""
        loop = asyncio.get_running_loop()
        self._file = await loop.run_in_executor(self._thread, AccessFile, self._path)
        self.book = await loop.run_in_executor(self._thread, self._file.load)
        self._task = loop.create_task(self._watch(self._file), name="watch the access file")

    async def close(self) -> None:
        """Writes down what was used, and closes the file."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._file is not None:
            await self._note_used(self._file)
            await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown(wait=False)

    def used(self, token_id: str) -> None:
        """A token let somebody in just now; written down within a minute."""
        self._used[token_id] = self._clock_ms()

    async def change(self, work: Callable[[AccessFile], T]) -> T:
        """Does `work` with the file in its thread, and takes the new picture. Raises AccessError."""
        if self._file is None:
            raise AccessError("the access file is not open")
        loop = asyncio.get_running_loop()
        done = await loop.run_in_executor(self._thread, work, self._file)
        self._take(await loop.run_in_executor(self._thread, self._file.load))
        return done

    def _take(self, book: Book) -> None:
        self.book = book
        for listener in self._listeners:
            listener()

    async def _watch(self, file: AccessFile) -> None:
        loop, noted, well = asyncio.get_running_loop(), asyncio.get_running_loop().time(), True
        end = self.book.next_end(self._clock_ms())
        while True:
            await asyncio.sleep(POLL_S)
            try:
                if await loop.run_in_executor(self._thread, file.changed):
                    self._take(await loop.run_in_executor(self._thread, file.load))
                elif end is not None and self._clock_ms() >= end:
                    self._take(self.book)
                end = self.book.next_end(self._clock_ms())
                well = True
            except AccessError as e:
                if well:
                    log.error("%s; what was read last still holds, but for what ends meanwhile", e)
                well = False
                self._take(self.book)
            except Exception:
                log.exception("watching the access file failed; it goes on")
            if loop.time() - noted >= USED_S:
                noted = loop.time()
                await self._note_used(file)

    async def _note_used(self, file: AccessFile) -> None:
        used, self._used = self._used, {}
        if used:
            with contextlib.suppress(AccessError):  # nobody is kept out or let in by it
                await asyncio.get_running_loop().run_in_executor(self._thread, file.set_used, used)
