"""How a job's events look while they come: a live display in a terminal, plain lines elsewhere, JSON for programs."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from k12ai_ws.client import Message

from .lines import event_lines
from .output import Output

PROGRESS_STEP = 0.1
"""Plain lines show progress so often: every tenth."""


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
        self._shown = -1.0

    def show(self, message: Message) -> None:
        """See `View`."""
        if message.type == "progress" and not self._due(message.body):
            return
        for line in event_lines(message.type, message.body, self._output.words):
            self._output.line(self._indent + line)

    def _due(self, body: Mapping[str, Any]) -> bool:
        value = float(body["value"])
        if self._shown <= value < min(1.0, self._shown + PROGRESS_STEP) or value == self._shown:
            return False
        self._shown = value
        return True

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
