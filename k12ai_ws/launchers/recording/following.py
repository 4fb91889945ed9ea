"""Following a run that is recorded in a journal: reading its log while it is written, and awaiting its end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from k12ai_ws.launchers.launcher import Chunk
from k12ai_ws.wire.job import Exit

from .files import EXIT, read_json
from .reader import JournalReader

T = TypeVar("T")
OffLoop = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a blocking call in a thread."""

_FASTEST_S: Final = 0.02
_SLOWEST_S: Final = 0.2
_SILENCE_S: Final = 0.5


async def follow(
    journal: Path, position: int, is_over: Callable[[], bool], off_loop: OffLoop
) -> AsyncGenerator[Sequence[Chunk], None]:
    """The chunks after `position`, as `Launcher.logs` gives them. `is_over` blocks; once it is true, nothing more is
    written. Raises OSError where the journal cannot be read now: read on from the last position.
    """
    reader = JournalReader(journal, position)

    def look() -> tuple[bool, list[Chunk]]:
        over = is_over()  # before the read: then what is read is all there is
        return over, reader.read()

    pause, silence = _FASTEST_S, 0.0
    try:
        while True:
            over, chunks = await off_loop(look)
            if chunks:
                pause, silence = _FASTEST_S, 0.0
                yield chunks
                continue
            if over:
                return
            await asyncio.sleep(pause)
            silence += pause
            pause = min(pause * 1.5, _SLOWEST_S)
            if silence >= _SILENCE_S:
                silence = 0.0
                yield ()
    finally:
        reader.close()


async def until(look: Callable[[], T | None], off_loop: OffLoop) -> T:
    """The first value that `look`, which blocks, gives; asks again and again until then."""
    pause = _FASTEST_S
    while (found := await off_loop(look)) is None:
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _SLOWEST_S)
    value: T = found
    return value


def read_exit(run: Path) -> Exit | None:
    """How the run in this directory ended; None where that is not recorded (yet). Fields of a newer version are left
    out. Blocking.
    """
    end = read_json(run / EXIT)
    if end is None:
        return None
    return Exit(**{key: value for key, value in end.items() if key in Exit.__dataclass_fields__})
