"""Tables: a header of names, then rows of numbers (CSV, scikit-learn, spaCy, Ultralytics, rich and box drawings)."""

import re

from k12ai_ws.wire.bodies import Json

from .reading import Reading, number
from .vocabulary import POSITIONS, kind, normal

_CELL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?%?$|[-+]?(?:nan|inf)$", re.IGNORECASE)
_SPACES = re.compile(r"\s{2,}|\t")
_RULE = re.compile(r"^[\s\-=+|:━-╿]+$")
_BOX = re.compile(r"[│┃|]")


class TableReader:
    """Remembers the last header; its state is JSON, in the dictionary that it is given."""

    def __init__(self, state: dict[str, Json]) -> None:
        self._state = state

    def read(self, line: str) -> Reading | None:
        """What this line shows as a row of the table that is open, or None. A header opens one."""
        if _RULE.match(line) and line.strip():
            return None
        if "│" in line or "┃" in line:
            return self._boxed(line)
        columns = self._state.get("columns")
        if columns:
            cells = self._cells(line, self._state.get("comma", False), len(columns))
            if cells is not None:
                return self._row(columns, cells)
            self._state.pop("columns")
        self._open(line)
        return None

    def _open(self, line: str) -> None:
        comma = line.count(",") > 0 and ": " not in line and "=" not in line
        names = [c.strip() for c in line.split(",")] if comma else _SPACES.split(line.strip())
        if len(names) < 2 or len(names) > 64 or any(not n or len(n) > 40 or _CELL.match(n) for n in names):
            return
        if not all(re.fullmatch(r"[^\W\d][\w@./()\- %#]*|#", n) for n in names):
            return
        kinds = [kind(n) for n in names]
        positioned = kinds[0] == "position" or (comma and "position" in kinds)
        if positioned and "metric" in kinds:
            self._state["columns"] = names
            self._state["comma"] = comma

    @staticmethod
    def _cells(line: str, comma: bool, count: int) -> list[str] | None:
        cells = [c.strip() for c in line.split(",")] if comma else line.split()
        if comma:
            return cells if len(cells) == count else None
        if len(cells) < count or not re.match(r"\d+(?:/\d+)?$", cells[0]):
            return None
        return cells[:count]

    @staticmethod
    def _row(columns: list[str], cells: list[str]) -> Reading | None:
        reading = Reading()
        for name, cell in zip(columns, cells, strict=False):
            what = kind(name)
            if what == "position":
                value = number(cell.split("/")[0])
                if value is not None:
                    reading.positions.setdefault(POSITIONS[normal(name)], value)
            elif _CELL.match(cell):
                value = number(cell.rstrip("%"))
                if what == "metric":
                    reading.metrics[name] = value
                elif what == "companion":
                    reading.companions[name] = value
                elif what == "other" and not cell.lstrip("+-").isdigit():
                    reading.others[name] = value
        return reading

    def _boxed(self, line: str) -> Reading | None:
        cells = [c.strip() for c in _BOX.split(line.strip().strip("│┃|"))]
        if "┃" in line:
            self._state["box"] = cells
            return None
        header = self._state.get("box") or []
        if len(cells) < 2:
            return None
        reading = Reading()
        if len(cells) == 2 and kind(cells[0]) == "metric" and _CELL.match(cells[1]):
            reading.metrics[cells[0]] = number(cells[1].rstrip("%"))
            return reading
        if len(header) != len(cells):
            return None
        label = cells[0] if kind(cells[0]) == "split" else ""
        for name, cell in zip(header[1:] if label else header, cells[1:] if label else cells, strict=False):
            if kind(name) == "position" and _CELL.match(cell):
                reading.positions.setdefault(POSITIONS[normal(name)], number(cell) or 0)
            elif kind(name) == "metric" and _CELL.match(cell):
                reading.metrics[f"{label}_{name}" if label else name] = number(cell.rstrip("%"))
        return reading if reading.metrics else None
