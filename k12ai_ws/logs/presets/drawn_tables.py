"""Tables with lines between their columns: rich, PrettyTable, tabulate, Markdown, Stable-Baselines3, COCO's results."""

import re

from k12ai_ws.wire.bodies import Json

from .cells import CELL, CellReader, is_header, is_preview
from .reading import Reading, number
from .vocabulary import kind, normal

_LINES = re.compile(r"[│┃║|]")
_RULE_CELL = re.compile(r":?[-=━─╌]*:?$")
_SECTIONS = frozenset(("rollout", "train", "eval", "test", "val", "valid", "validation", "time"))


class DrawnTable:
    """Reads such tables. Its state: the header (`drawn`), the `section` (Stable-Baselines3: `rollout/`)."""

    def __init__(self, state: dict[str, Json]) -> None:
        self._state = state

    def knows(self, line: str) -> bool:
        """Whether this line is one of a drawn table."""
        if "│" in line or "┃" in line or "║" in line:
            return True
        if "|" not in line:
            return False
        stripped = line.strip()
        if stripped[0] == "|":
            return stripped[-1] == "|" and len(stripped) > 2 and "%|" not in line
        header = self._state.get("drawn")
        cells = stripped.split("|")
        return bool(header and len(header) == len(cells)) or (
            "=" not in line and ": " not in line and kind(cells[0].strip()) == "position"
        )

    def read(self, line: str) -> Reading | None:
        """What this line shows as a row, or None; a header is remembered."""
        bare = line.strip()
        framed = bare[:1] in "│┃║|"
        cells = [cell.strip() for cell in _LINES.split(bare.strip("│┃║|") if framed else bare)]
        if len(cells) < 2 or all(map(_RULE_CELL.match, cells)):
            return None
        if not any(map(CELL.match, cells)):
            self._head(cells, framed=framed)
            return None
        header = self._state.get("drawn") or []
        if len(header) == len(cells):
            if kind(header[0]) == "position" and normal(header[1]) == "target":  # the columns behind it: what was tried
                return CellReader(header[:2]).row(cells[:2])
            if not is_preview(header):
                return self._under(header, cells)
        return self._pair(cells) if len(cells) == 2 else None

    def _head(self, cells: list[str], *, framed: bool) -> None:
        filled = [cell for cell in cells if cell]
        if len(cells) == 2 and cells[0].endswith("/") and not cells[1]:
            section = cells[0].rstrip("/")
            if section not in _SECTIONS or section == "rollout":
                self._state.pop("drawn_step", None)
            self._state.update(section=section, begun=True)  # round numbers below it are no settings
            self._state.pop("drawn", None)
        elif len(filled) >= 2 and is_header(filled):
            self._state["drawn"] = cells
            self._state.pop("section", None)
            if not framed:  # its rows do not look like those of a drawn table
                self._state.update(columns=cells, sep="|")

    def _under(self, header: list[str], cells: list[str]) -> Reading | None:
        label, rest = cells[0], cells[1:]
        if CELL.match(label) or kind(header[0]) == "position":
            known = sum(kind(name) == "metric" for name in header)
            return CellReader(header).row(cells, all_known=2 * known > len(header))
        what = kind(label)
        numbers = [(name, cell) for name, cell in zip(header[1:], rest, strict=True) if CELL.match(cell)]
        if what == "metric" or (what == "other" and "metric" in normal(header[0])):
            reading = Reading()
            for name, cell in numbers:
                full = label if len(numbers) == 1 else f"{name}_{label}"
                reading.metrics.setdefault(full, number(cell.rstrip("%")))
            return reading
        if normal(header[0]) == "category":
            return _categories(header, cells)
        return CellReader(header[1:]).row(rest, f"{label}_" if what == "split" else "")

    def _pair(self, cells: list[str]) -> Reading | None:
        name, cell = cells
        section = self._state.get("section")
        reading = Reading()
        if not CELL.match(cell) or not name.isprintable():
            return None
        value = number(cell.rstrip("%"))
        if section == "time":
            if normal(name) == "total_timesteps" and value is not None:
                self._state["drawn_step"] = value
        elif section in _SECTIONS:
            if (step := self._state.get("drawn_step")) is not None and section == "train":
                reading.positions["step"] = step
            if kind(name) != "position":
                reading.metrics[f"{section}/{name}"] = value
        elif kind(name) == "metric":
            reading.metrics[name] = value
        return reading if reading.metrics else None


def _categories(header: list[str], cells: list[str]) -> Reading:
    """Detectron2's results by category, several side by side: `| category | AP | category | AP |`."""
    reading, label = Reading(), ""
    for name, cell in zip(header, cells, strict=True):
        if normal(name) == "category":
            label = cell
        elif label and CELL.match(cell) and kind(name) == "metric":
            reading.metrics.setdefault(f"{name}-{label}", number(cell.rstrip("%")))
    return reading
