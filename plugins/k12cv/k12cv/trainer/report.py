"""What the trainer prints: metric lines on stdout; warnings and a progress bar on stderr."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

BAR_WIDTH = 20
REDRAW_S = 0.1
"""Least time between two drawings of the bar: a log is no film."""


def metrics_line(values: Mapping[str, float]) -> str:
    """`name=value` pairs on one line, in the order given: whole numbers plain, others with six decimals."""
    return " ".join(f"{k}={v}" if isinstance(v, int) else f"{k}={v:.6f}" for k, v in values.items())


class Warnings:
    """Warning lines, of which only the first `limit` are printed in full; the rest are counted."""

    def __init__(self, stream: TextIO | None = None, limit: int = 20) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._limit = limit
        self.count = 0

    def say(self, text: str) -> None:
        """Prints the warning, or only counts it."""
        self.count += 1
        if self.count <= self._limit:
            print(f"warning: {text}", file=self._stream, flush=True)

    def close(self) -> None:
        """Says how many warnings were not printed."""
        if self.count > self._limit:
            print(f"warning: {self.count - self._limit} more like these", file=self._stream, flush=True)


class Bar:
    """A progress bar in the form that tqdm made everyone know, redrawn in place.

    One bar may have several sections, each with a description and a line of its own; the count goes on through all.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic, unit: str = "it"
    ) -> None:
        self._total = 0
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock
        self._unit = unit
        self._begun = self._drawn = clock()
        self._desc = ""
        self._done = 0

    def start(self, desc: str, remaining: int) -> None:
        """Begins a section; `remaining` steps are left in this one and all after it."""
        self._desc = desc
        self._total = self._done + remaining
        self._draw()

    def step(self) -> None:
        """One step is done."""
        self._done += 1
        if self._clock() - self._drawn >= REDRAW_S:
            self._draw()

    def end(self) -> None:
        """Ends the section's line, so that other output does not run into the bar."""
        self._draw()
        self._stream.write("\n")
        self._stream.flush()

    def _draw(self) -> None:
        self._drawn = self._clock()
        elapsed = self._drawn - self._begun
        rate = self._done / elapsed if self._done and elapsed > 0 else None
        share = self._done / self._total if self._total else 1.0
        full = "█" if (self._stream.encoding or "").lower().startswith("utf") else "#"
        bar = (full * round(share * BAR_WIDTH)).ljust(BAR_WIDTH)
        left = _clock_face((self._total - self._done) / rate) if rate else "?"
        speed = f"{rate:6.2f}{self._unit}/s" if rate else f"?{self._unit}/s"
        self._stream.write(
            f"\r{self._desc}: {100 * share:3.0f}%|{bar}| {self._done}/{self._total} "
            f"[{_clock_face(elapsed)}<{left}, {speed}]"
        )
        self._stream.flush()


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
