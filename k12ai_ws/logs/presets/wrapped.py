"""Rich's progress bars in a narrow terminal: the metrics behind a bar go on in the lines below it.

Epoch 2/2  ━━━━━━━━━━━━━━━━ 10/10 0:00:00 • 0:00:00 109.05it/s train_loss:
                                                               0.495 val_loss: 0.503
"""

import re
from collections.abc import Iterator

from k12ai_ws.wire.bodies import Json

WRAPPED = r"^ {20}.*\w:?\s*$"
"""In each line that may go on (the sieve's form: RE2, all digits `0`)."""
_BAR = "━━━━━"
_TIMED = re.compile(r".{0,80}?\d:\d\d")
_NAMED = re.compile(r".{0,80}?\d:\d\d.{0,80}?[A-Za-z_][\w/]{0,60}:")
_BETWEEN = re.compile(r"Metric |Epoch \d{1,9}, global step |`Trainer|Monitored metric ")
"""What Lightning says between a validation and the bar's last state, which shows its results."""
_MOST = 4_000


class Unwrapper:
    """Puts such lines together; what waits is in `state["wrapped"]`. A bar that is drawn again replaces itself."""

    def __init__(self, state: dict[str, Json]) -> None:
        self._state = state

    def lines(self, line: str) -> Iterator[str]:
        """The whole lines that are known now."""
        held = self._state.get("wrapped")
        behind = _behind_bar(line)
        if held is not None:
            if line.startswith(" " * 20) and len(held) < _MOST:
                self._state["wrapped"] = f"{held} {line.strip()}"
                return
            if behind is not None and not _NAMED.match(behind):
                return  # a bar below it, without metrics
            if behind is not None and _head(line) == _head(held):
                self._state["wrapped"] = line.rstrip()
                return
            if behind is None and _BETWEEN.match(line):
                yield line
                return
            del self._state["wrapped"]
            yield held
        if behind is not None and _NAMED.match(behind):
            self._state["wrapped"] = line.rstrip()
        else:
            yield line

    def rest(self) -> Iterator[str]:
        """What still waits at the end of the log."""
        held = self._state.pop("wrapped", None)
        if held is not None:
            yield held


def _behind_bar(line: str) -> str | None:
    """What stands behind a bar with times, or None where there is none."""
    if _BAR not in line:
        return None
    behind = line[max(map(line.rfind, "━╸╺")) + 1 :][:240]
    return behind if _TIMED.match(behind) else None


def _head(line: str) -> str:
    """What stands before the bar: `Epoch 2/2`."""
    return re.split(r"[━╸╺]", line, maxsplit=1)[0].strip()
