"""What a log parser is: the seam for metric presets, declarative rules and a driver's own parsers."""

from collections.abc import Iterable
from typing import Any

from k12ai_ws.wire.bodies import Fault, Json, Metrics, Progress

Found = Metrics | Progress | Fault
"""What a parser may report."""


class LogParser:
    """Reads a log line by line and reports what it finds. Pure: no clock, no I/O, no threads.

    Whatever has to be remembered from line to line belongs in `self.state` (JSON values only): it is stored in the
    same transaction as the events, so that a restarted server reads on as if nothing had happened.

    Lines that belong to a traceback never reach a parser, and neither do the passing states of a redrawn progress
    bar: `feed` gets each finished line once, without line end and colours.
    """

    state: dict[str, Json]

    signs: str | None = None
    """A regular expression (RE2's syntax) that is found in every line that can matter, where the line's digits are all
    written as `0` (`lap 0`, not `lap 1`): lines without it are not fed, and cost next to nothing. None: every line is
    fed. Asked for once, before the first line.
    """

    exclusive: bool = False
    """A line in which this parser found metrics is not fed to the parsers after it. Progress that it finds in a bar's
    line counts in place of the bar's, where it is the first that the line is fed to.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "LogParser":
        """Gives every instance its own state, so that a subclass need not call `super().__init__`."""
        self = super().__new__(cls)
        self.state = {}
        return self

    def feed(self, line: str) -> Iterable[Found] | None:
        """What this line shows. A parser that raises is switched off for its job, with a warning event."""
        raise NotImplementedError

    def close(self) -> Iterable[Found] | None:
        """What was still held back when the log ended. Not asked for where the log had not a single line."""
        return ()
