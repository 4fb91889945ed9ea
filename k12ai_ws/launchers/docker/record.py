"""What was recorded of a container so far: the journal being written, and how it lines up with the engine's own log."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from k12ai_ws.launchers.recording.journal import (
    MAX_PAYLOAD,
    STDERR,
    STDOUT,
    TAIL_BYTES,
    JournalWriter,
    Printed,
    read_past,
)

from .messages import Message

_RETRY_S: Final = 0.25
_ROTATED_MS: Final = 10_000
"""A log whose first message is so much younger than the first line that was recorded has lost its beginning. (The
engine gives a line the time of its end, and a bar that is drawn anew in its line may take hours to end it.)
"""
_LAG_MS: Final = 1000
"""So long after it was printed the engine gives a line its time, where a job prints faster than the engine logs."""
_PERIOD: Final = 32
"""So many messages at most repeat themselves in a log whose end tells nothing."""


class Record:
    """Writes a run's journal; made anew, or taken up where a server left it. One thread at a time.

    A disk that is full holds the writer up until there is room again, or `closing` says to leave off; `meanwhile` is
    called again and again while it waits: a job that filled the disk must still be stopped.
    """

    def __init__(
        self,
        path: Path,
        limit: int,
        *,
        clock_ms: Callable[[], int],
        closing: Callable[[], bool],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises OSError."""
        self._clock_ms = clock_ms
        self._closing = closing
        self._meanwhile = meanwhile
        past = read_past(path) if path.exists() else None
        if past is None:
            path.unlink(missing_ok=True)  # without even its first bytes whole
        self._journal = JournalWriter(path, limit, past)
        self._printed = past.printed if past else Printed()
        self._doubted = False

    @property
    def last_words(self) -> bytes:
        """The end of the container's stderr, 64 KiB at most."""
        return self._printed.tail(STDERR)

    def take(self, stream: int, payload: bytes, ms: int) -> None:
        """Writes what the container printed next."""
        self._printed.add(stream, payload, ms)
        for at in range(0, len(payload), MAX_PAYLOAD):
            self._journal.write(stream, payload[at : at + MAX_PAYLOAD], ms)
            self._settle()

    def take_all(self, found: Sequence[Message]) -> None:
        """Writes these; neighbours of one stream and one millisecond are put together: far fewer frames."""
        for (stream, ms), group in groupby(found, key=lambda message: (message.stream, message.ms)):
            self.take(stream, b"".join(message.payload for message in group), ms)

    def gap(self) -> "Gap":
        """What tells the recorded part of the engine's log from what is missing here."""
        return Gap(self._printed)

    def ends_as(self, log: Iterable[Message]) -> bool:
        """Whether the record ends as the last messages of the engine's log do.

        Where these say the same again and again, and are younger than the record, the record may have lost such lines
        and still look like it: the first answer is no, so that the whole log is counted once.
        """
        found = list(log)
        parts = {stream: [each.payload for each in found if each.stream == stream] for stream in (STDOUT, STDERR)}
        # The line end of a last long line may be missing there (see `messages`), and so it counts on neither side.
        if not all(
            self._printed.tail(stream)
            .removesuffix(b"\n")
            .endswith(b"".join(part).removesuffix(b"\n")[-TAIL_BYTES + 1 :])
            for stream, part in parts.items()
        ):
            return False
        younger = bool(found) and found[-1].ms > (self._printed.last_ms or 0) + _LAG_MS
        doubted, self._doubted = self._doubted, self._doubted or younger
        return doubted or not younger or not any(_repeats(part) for part in parts.values())

    def say(self, text: str) -> None:
        """Writes a line of our own, beside what the container printed."""
        self._journal.say(text, self._clock_ms())
        self._settle()

    def finish(self) -> None:
        """Nothing comes any more."""
        self._settle()
        self._journal.finish(self._clock_ms())
        self._settle()
        with contextlib.suppress(OSError):  # all of it is written; that the disk itself has it, only the disk can do
            self._journal.sync()

    def close(self) -> None:
        """Closes the journal."""
        self._journal.close()

    def _settle(self) -> None:
        while self._journal.blocked and not self._journal.flush() and not self._closing():
            self._meanwhile()
            time.sleep(_RETRY_S)


class Gap:
    """The engine's log goes through it from its first message on; what was recorded when it was made stays behind.

    The log and the record hold the same bytes of each stream, so they are lined up by counting. Where the engine has
    rotated the log's beginning away (`rotated`), what is not younger than the last record counts as recorded.
    """

    def __init__(self, printed: Printed) -> None:
        self.rotated = False
        self._skip = dict(printed.counts)
        self._heads = dict(printed.heads)
        self._line_ms = printed.line_ms
        self._last_ms = printed.last_ms or 0

    def missing(self, found: Iterable[Message]) -> Iterator[Message]:
        """The messages, or their ends, that are not recorded."""
        for stream, ms, payload in found:
            if not self.rotated and self._is_strange(stream, ms, payload):
                self.rotated = True
            if self.rotated:
                if ms > self._last_ms:
                    yield Message(stream, ms, payload)
            elif self._skip[stream] >= len(payload):
                self._skip[stream] -= len(payload)
            else:
                rest, self._skip[stream] = payload[self._skip[stream] :], 0
                yield Message(stream, ms, rest)

    def _is_strange(self, stream: int, ms: int, payload: bytes) -> bool:
        """Whether this cannot be what was recorded first."""
        line_ms, self._line_ms = self._line_ms, None
        if line_ms is not None and ms > line_ms + _ROTATED_MS:
            return True
        head = self._heads[stream]
        self._heads[stream] = head[len(payload) :]
        return not head.startswith(payload[: len(head)])


def _repeats(parts: Sequence[bytes]) -> bool:
    """Whether the messages would look the same with some of them missing at the end."""
    return any(parts[count:] == parts[:-count] for count in range(1, min(_PERIOD, len(parts) // 2) + 1))
