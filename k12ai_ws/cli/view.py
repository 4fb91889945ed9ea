"""How a job's events look while they come: a live display in a terminal, plain lines elsewhere, JSON for programs."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from k12ai_ws.client import Message

from .lines import event_lines
from .output import Output

PROGRESS_STEPS = 10
"""Plain lines show progress so many times from 0 to 1."""


class View(Protocol):
    """Shows the events of one job."""

    def show(self, message: Message) -> None:
        """One more event."""
        ...

    def open(self) -> AbstractContextManager[object]:
        """The display is up inside this context."""
        ...


class JsonView:
    """Every event as it came, one per line."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def show(self, message: Message) -> None:
        """See `View`."""
        self._output.data(message.data)

    def open(self) -> AbstractContextManager[object]:
        """See `View`."""
        return nullcontext()


class PlainView:
    """Lines. Of the progress only every tenth is shown, and the end."""

    def __init__(self, output: Output, indent: str = "") -> None:
        self._output = output
        self._indent = indent
        self._shown = -1

    def show(self, message: Message) -> None:
        """See `View`."""
        if message.type == "progress" and not self._due(message.body):
            return
        for line in event_lines(message.type, message.body, self._output.words):
            self._output.line(self._indent + line)

    def _due(self, body: Mapping[str, Any]) -> bool:
        step = int(float(body["value"]) * PROGRESS_STEPS + 1e-9)  # 0.3 * 10 must not count as 2
        due = step != self._shown
        self._shown = step
        return due

    def open(self) -> AbstractContextManager[object]:
        """See `View`."""
        return nullcontext()


def make_view(output: Output, indent: str = "") -> View:
    """The view that fits where the output goes."""
    if output.json:
        return JsonView(output)
    if output.console is None:
        return PlainView(output, indent)
    from .live import LiveView

    return LiveView(output.console, output.words)
