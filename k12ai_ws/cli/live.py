"""The live display of a job: its state, a progress bar, a curve per metric and the last rows of numbers."""

import threading
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from k12ai_ws.client import Message

from .curve import sparkline
from .lines import event_lines, number, printable
from .words import Words

POSITIONS = frozenset({"epoch", "step", "global_step", "iteration", "batch"})
"""Metrics that say where a row stands; they get no curve."""
CURVE_WIDTH = 40
POINTS = 4000
"""Values kept per metric; of a longer run the curve shows the last ones."""
NAMES = 12
"""Metrics shown; the rest are counted."""
STYLES = {"finished": "bold green", "failed": "bold red", "lost": "bold red", "stopped": "bold yellow"}


class LiveView:
    """Redraws itself as events come; errors and log lines scroll by above it. What it holds is bounded."""

    def __init__(self, console: Console, words: Words) -> None:
        self._console = console
        self._words = words
        self._title = Text()
        self._status = Text()
        self._progress: Mapping[str, Any] | None = None
        self._curves: dict[str, deque[float]] = {}
        self._last: dict[str, object] = {}
        self._hidden: set[str] = set()
        # rich draws in a thread of its own. Never held while printing: that takes rich's own lock, and a drawing
        # thread that holds rich's waits for this one.
        self._lock = threading.Lock()
        self._live = Live(get_renderable=self.render, console=console, refresh_per_second=8)

    def open(self) -> AbstractContextManager[object]:
        """See `view.View`."""
        return self._live

    def show(self, message: Message) -> None:
        """See `view.View`."""
        body = message.body
        match message.type:
            case "status":
                value = str(body.get("value"))
                line = event_lines("status", body, self._words)[0].split("  ", 1)[1]
                title = Text(f"{message.service_name} {message.op.removesuffix('.start')}", "bold")
                title.append(f"  {message.user}/{message.service_uuid}  {message.job_id}", "dim")
                with self._lock:
                    self._title, self._status = title, Text(line, STYLES.get(value, "bold cyan"))
            case "progress":
                with self._lock:
                    self._progress = body
            case "metrics":
                with self._lock:
                    self._take(body)
            case "error":
                style = "yellow" if body.get("severity") == "warning" else "red"
                for line in event_lines("error", body, self._words):
                    self._console.print(Text(line, style), soft_wrap=True)
            case _:
                for line in event_lines(message.type, body, self._words):
                    self._console.print(Text(line, "dim"), soft_wrap=True)

    def _take(self, body: Mapping[str, Any]) -> None:
        for name, value in body.items():
            if name not in self._last and len(self._last) >= NAMES:
                if len(self._hidden) < POINTS:
                    self._hidden.add(name)
                continue
            self._last[name] = value
            if name not in POSITIONS and isinstance(value, int | float):
                self._curves.setdefault(name, deque(maxlen=POINTS)).append(float(value))

    def render(self) -> RenderableType:
        """The display as it stands."""
        with self._lock:
            return self._render()

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = [Text.assemble(self._title, "  ", self._status)]
        if self._progress is not None:
            parts.append(self._bar(self._progress))
        if self._last:
            parts.append(self._table())
        if self._hidden:
            parts.append(Text(f"+ {len(self._hidden)}", "dim"))
        return Group(*parts)

    def _bar(self, progress: Mapping[str, Any]) -> RenderableType:
        facts = event_lines("progress", progress, self._words)[0].removeprefix("progress").strip()
        row = Table.grid(padding=(0, 2))
        row.add_row(ProgressBar(total=1.0, completed=float(progress["value"]), width=CURVE_WIDTH), Text(facts))
        return row

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        curves = {name: list(values) for name, values in self._curves.items() if len(values) > 1}
        for name, value in self._last.items():
            curve = sparkline(curves.get(name, ()), CURVE_WIDTH)
            table.add_row(Text(printable(name)), Text(number(value), "bold", justify="right"), Text(curve, "cyan"))
        return table
