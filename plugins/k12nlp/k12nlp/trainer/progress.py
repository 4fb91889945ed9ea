"""A progress bar as tqdm draws it: redrawn in place with a carriage return, on the stream given."""

import time
from collections.abc import Callable
from typing import TextIO

WIDTH = 10
INTERVAL_S = 0.1
"""Redrawing more often than this tells a reader nothing, and only fills the log."""


class Bar:
    """How far all the training is, in batches."""

    def __init__(self, total: int, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._stream, self._clock = total, stream, clock
        self._done = 0
        self._started = clock()
        self._drawn = self._started - INTERVAL_S

    def step(self) -> None:
        """One batch more."""
        self._done += 1
        if self._clock() - self._drawn >= INTERVAL_S:
            self._draw()

    def end_line(self) -> None:
        """Draws the bar as it stands and ends its line, so that something else can be printed."""
        self._draw()
        self._stream.write("\n")
        self._stream.flush()

    def _draw(self) -> None:
        now = self._drawn = self._clock()
        spent = max(now - self._started, 1e-9)
        rate = self._done / spent
        left = (self._total - self._done) / rate if rate else 0.0
        share = self._done / self._total
        filled = int(share * WIDTH)
        self._stream.write(
            f"\rTraining: {share:4.0%}|{'█' * filled}{' ' * (WIDTH - filled)}| {self._done}/{self._total} "
            f"[{_clock_face(spent)}<{_clock_face(left)}, {rate:.2f}batch/s]"
        )
        self._stream.flush()


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
