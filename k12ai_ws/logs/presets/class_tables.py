"""The results by class that Ultralytics prints behind each epoch's bar: only the row of all classes is a metric.

Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100% ━━━━━━━━━━━━ 2/2 15.5it/s
  all          6          6      0.512      0.334      0.401      0.222
"""

import re

from k12ai_ws.wire.bodies import Json

from .cells import CELL
from .reading import Reading, number

_HEAD = re.compile(r"\s*(?:Class\s+Images\s+(?:Instances|Labels|Targets)|classes)\s+(?P<names>[^\n]{1,200}?):(?:\s|$)")
_ULTRALYTICS = ["Box(P", "R", "mAP50", "mAP50-95)"]
_COUNTS = re.compile(r"\s*Class\s")


class ClassTable:
    """Its state: the names of the columns with scores (`scores`), and how many columns stand before them (`counts`)."""

    def __init__(self, state: dict[str, Json]) -> None:
        self._state = state

    def heads(self, line: str) -> bool:
        """Whether this is the header of such a table, which is remembered."""
        match = _HEAD.match(line)
        if not match:
            return False
        self._state["scores"] = _names(match["names"].split())
        self._state["counts"] = 3 if _COUNTS.match(line) else 1
        return True

    def row(self, line: str) -> Reading | None:
        """What the row of all classes shows, at the epoch of the training row before it."""
        names, cells = self._state.get("scores"), line.split()
        if not names or cells[0] != "all" or len(cells) != self._state["counts"] + len(names):
            return None
        scores = cells[self._state["counts"] :]
        if not all(map(CELL.match, scores)):
            return None
        positions = self._state.pop("at", None) or {}
        return Reading(dict(positions), {name: number(score) for name, score in zip(names, scores, strict=True)})


def _names(shown: list[str]) -> list[str]:
    """`Box(P R mAP50)` is P, R, mAP50; with `Mask(P R mAP50)` behind it they are Box P, Box R, ..., Mask P, ..."""
    if shown[-1].endswith("…"):  # cut at the width of the terminal
        shown = _ULTRALYTICS
    groups = [word.partition("(")[0] for word in shown if "(" in word]
    names, group = [], ""
    for word in shown:
        before, opened, name = word.partition("(")
        if opened:
            group = before
        bare = (name or before).rstrip(")")
        names.append(f"{group} {bare}" if len(groups) > 1 else bare)
    return names
