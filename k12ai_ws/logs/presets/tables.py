"""Tables: a header of names, then rows of numbers. Separated (CSV, `;`, tabs), aligned by spaces (scikit-learn, spaCy,
Ultralytics, pandas), or drawn (rich, PrettyTable, tabulate, Markdown), which `drawn_tables` reads.
"""

import re

from k12ai_ws.wire.bodies import Json

from .cells import CELL, CellReader, is_header, short_losses
from .class_tables import ClassTable
from .drawn_tables import DrawnTable
from .reading import Reading
from .vocabulary import kind, normal

_WORDS = re.compile(r"\S+(?: \S+)*")
_CELLS = re.compile(r"\S+")
_POSITION = re.compile(r"\d{1,15}(?:/\d{1,15}|\.\d{1,6})?$")
_RULE = re.compile(r"^[\s\-=+|:━-╿]+$")
_BAR = re.compile(r"\s*(?:total|this epoch) \[[#.]{10,80}\]|\s*\d+ iter, \d+ epoch /|\s*[\d.]+ iters/sec\. ")
"""What Chainer's bar draws between the rows of its table."""
_COUNTED = frozenset(("epoch", "step", "global_step", "iter", "iteration", "num_updates"))
_IDENTIFIER = re.compile(r"[^\W\d][\w./@:-]*$")
_SAID = re.compile(r": |=")


class TableReader:
    """Remembers the last header; its state is JSON, in the dictionary that it is given: `columns` and `sep` while a
    table is open, `spans` (where its names stand, where spaces align it), `at` (the positions of its last row).
    `any_name`: rows that an epoch or a step counts are a report, whatever their columns are called.
    """

    def __init__(self, state: dict[str, Json], *, any_name: bool = False) -> None:
        self._state = state
        self._any_name = any_name

    def read(self, line: str) -> Reading | None:
        """What this line shows as a row of the table that is open, or None. A header opens one."""
        if not line.strip() or _RULE.match(line) or _BAR.match(line):
            return None
        if ("Class " in line or "classes " in line) and ClassTable(self._state).heads(line):
            return Reading()
        if "scores" in self._state and line.lstrip().startswith("all ") and (row := ClassTable(self._state).row(line)):
            return row
        drawn = DrawnTable(self._state)
        if drawn.knows(line):
            return drawn.read(line)
        columns = self._state.get("columns")
        if columns:
            cells = self._cells(line, columns)
            if cells is not None and (reading := CellReader(columns).row(cells)) and self._goes_on(reading):
                return reading
            self._close()
        self._open(line)
        return None

    def _close(self) -> None:
        for key in ("columns", "sep", "spans", "at"):
            self._state.pop(key, None)

    def _open(self, line: str) -> None:
        if _SAID.search(line):
            return
        separator = next((sep for sep in "\t;," if sep in line.strip()), "")
        spans: list[tuple[int, int]] = []
        if separator:
            names = [cell.strip().strip("'\"") for cell in line.split(separator)]
            if separator == "\t" and not is_header(names):
                separator, names = "", []
        if not separator:
            words = list(_WORDS.finditer(line.expandtabs()))
            spans, names = [word.span() for word in words], [word[0] for word in words]
        if not is_header([name for name in names if name] if separator else names):
            return
        kinds = [kind(name) for name in names]
        measured = "metric" in kinds or short_losses(names)
        known = measured and (kinds[0] == "position" or (separator and "position" in kinds[:3]))
        if known or (self._any_name and separator and _counts(names) and "other" in kinds):
            self._state.update(columns=names, sep=separator)
            if spans:
                self._state["spans"] = [list(span) for span in spans]

    def _cells(self, line: str, columns: list[str]) -> list[str] | None:
        """The cells of a row, one for each column ("" where it has none); None where the line is no row."""
        separator = self._state.get("sep", "")
        if separator:
            cells = [cell.strip().strip("'\"") for cell in line.split(separator)]
            if separator == ";":
                cells = [cell.replace(",", ".", 1) if cell.count(",") == 1 else cell for cell in cells]
            return cells if len(cells) == len(columns) and any(map(CELL.match, cells)) else None
        found = list(_CELLS.finditer(line.expandtabs()))
        if len(found) == len(columns):
            cells = [cell[0] for cell in found]
        else:
            cells = _aligned(found, self._state.get("spans", []))
            if not all(cells[:2]) and len(found) > len(columns) and "/" in found[0][0]:
                cells = [cell[0] for cell in found[: len(columns)]]
        return cells if _POSITION.match(cells[0]) and any(map(CELL.match, cells[1:])) else None

    def _goes_on(self, reading: Reading) -> bool:
        """Whether a row follows the last one: where every position goes back, it is of another table, whose header was
        no header that is known.
        """
        last = self._state.get("at") or {}
        if last and reading.positions and all(reading.positions.get(n, 0) < value for n, value in last.items()):
            return False
        self._state["at"] = reading.positions
        return True


def _counts(names: list[str]) -> bool:
    """Whether rows under these names are counted, so that what they hold was reported, whatever it is called."""
    return normal(names[0]) in _COUNTED and all(map(_IDENTIFIER.match, names))


def _aligned(found: list[re.Match[str]], spans: list[list[int]]) -> list[str]:
    """The cells that stand under the names: pandas has an index before them, skorch has empty cells."""
    cells = []
    for start, end in spans:
        under = [cell[0] for cell in found if cell.start() < end and cell.end() > start]
        cells.append(under[0] if len(under) == 1 else "")
    return cells or [""]
