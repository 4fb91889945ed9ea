"""Errors of every kind in one stream's lines: Python tracebacks first, then what else ends a process.

`FaultRecogniser` has the interface of `TracebackRecogniser`: a line that belongs to no traceback is offered to the
reader of crashes, and what that releases is ordinary.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

from k12ai_ws.wire.bodies import Json

from . import crashes, tracebacks
from .crashes import CrashRecogniser
from .limits import Limits
from .tracebacks import Report, TracebackRecogniser
from .tracebacks.hints import has_hint
from .tracebacks.report import fingerprint
from .tracebacks.syntax import DYING, FATAL, HEADER

HINTS = tuple(dict.fromkeys((*tracebacks.HINTS, *crashes.HINTS)))
"""Without one of these a line can begin no error."""

_ROOT_CAUSE = re.compile(
    r"Root Cause \(first observed failure\):\n\[\d{1,6}\]:\n(?:  [^\n]{0,400}\n){0,3}?  rank {1,8}: (?P<rank>\d{1,6})"
    r"[^\n]{0,80}\n  exitcode {1,8}: (?P<code>-?\d{1,6})"
)


class FaultRecogniser:
    """Reads one stream. `feed` gives back, in order, the lines that belong to no error and the finished reports."""

    def __init__(
        self,
        limits: Limits,
        ordinary: Callable[[str], bool],
        app_roots: Sequence[str] | None = None,
        hinted: Callable[[str], bool] | None = None,
    ) -> None:
        self._hinted = hinted or partial(has_hint, hints=HINTS)
        self._tracebacks = TracebackRecogniser(limits, ordinary, app_roots, self._hinted)
        self._crashes = CrashRecogniser(limits, ordinary, app_roots)
        self._open: list[object] = []

    @property
    def open(self) -> Sequence[object]:
        """What is being read, kept up to date: while there is anything, every line counts."""
        return self._open

    def remember(self, lines: Sequence[str]) -> None:
        """Ordinary lines went by."""
        if lines:
            self._tracebacks.remember(lines)
            self._crashes.remember(lines)

    def run(self, lines: Sequence[str], start: int) -> int:
        """How many of these lines, from `start` on, were taken at once: they give nothing."""
        return 0 if self._crashes.open else self._tracebacks.run(lines, start)

    def feed(self, line: str) -> list[str | Report]:
        """What this line gives."""
        crashes = self._crashes
        if (
            not self._tracebacks.open
            and line != HEADER
            and ((crashes.open and crashes.claims(line)) or crashes.begins(line))
        ):
            out = crashes.feed(line)
            self._update()
            return out
        return self._passed(self._tracebacks.feed(line))

    def idle(self) -> list[str | Report]:
        """Nothing came for a while: what is complete goes out."""
        out = self._passed(self._tracebacks.idle())
        out += self._crashes.idle()
        self._update()
        return out

    def elsewhere(self, lines: Sequence[str]) -> list[str | Report]:
        """The program goes on in another stream, with these lines; its farewells do not count."""
        went_on = next((line for line in lines if line.strip() and not DYING.match(line[:300])), None)
        if went_on is None or not self._crashes.open:
            return []
        out = self._crashes.elsewhere(went_on)
        self._update()
        return out

    def close(self) -> list[str | Report]:
        """The log is over."""
        out = self._passed(self._tracebacks.close())
        out += self._crashes.close()
        self._update()
        return out

    def _passed(self, items: Sequence[str | Report]) -> list[str | Report]:
        out: list[str | Report] = []
        for item in items:
            if not isinstance(item, str):
                out += self._reported(item)
            elif self._crashes.open or self._hinted(item):
                out += self._crashes.feed(item)
            else:
                self._crashes.remember([item])
                out.append(item)
        self._update()
        return out

    def _reported(self, report: Report) -> list[str | Report]:
        """A traceback beside what crashes are open: faulthandler's stack is that of the crash above it."""
        text = str(report.detail.get("exc_text") or "")
        root = _ROOT_CAUSE.search(text)
        if root and "rank" not in report.detail:
            report.detail["rank"] = int(root["rank"])
            report.detail["exit_code"] = int(root["code"])
        before = self._crashes.settle()
        if text.startswith(FATAL):
            report = Report(report.detail, "error")  # whatever other processes print after it
            last = before[-1] if before else None
            if isinstance(last, Report) and last.severity == "error":
                before[-1] = _merged(last, report)
                self._crashes.note(report)
                return before
        self._crashes.note(report)
        return [*before, report]

    def _update(self) -> None:
        if self._open or self._tracebacks.open or self._crashes.open:
            self._open[:] = [*self._tracebacks.open, *self._crashes.open]

    def dump(self) -> Json:
        """The state, as JSON."""
        return [self._tracebacks.dump(), self._crashes.dump()]

    def load(self, state: Json) -> None:
        """Goes on from a dumped state."""
        of_tracebacks, of_crashes = state
        self._tracebacks.load(of_tracebacks)
        self._crashes.load(of_crashes)
        self._update()


def _merged(crash: Report, stack: Report) -> Report:
    """One failure, told twice: the crash with the Python stack that faulthandler printed for it."""
    detail = dict(crash.detail)
    detail["exc_text"] = "\n".join(filter(None, (detail["exc_text"], str(stack.detail["exc_text"]))))
    detail["traceback"] = stack.detail["traceback"]
    detail["fingerprint"] = fingerprint(detail)
    detail["raw"] = f"{detail['raw']}\n{stack.detail['raw']}"
    return Report(detail, "error")
