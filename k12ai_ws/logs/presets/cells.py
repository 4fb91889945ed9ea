"""The cells of a table's row, by the names above them."""

import re
from collections.abc import Sequence

from .reading import Reading, number
from .vocabulary import POSITIONS, kind, normal

CELL = re.compile(r"[-+]?(?:\d{1,18}\.?\d{0,18}|\.\d{1,18})(?:[eE][-+]?\d{1,4})?%?$|[-+]?(?:nan|inf)$", re.IGNORECASE)
"""A number, as it stands in a cell."""
_NAME = re.compile(r"(?:[^\W\d][\w@./()\- %#:]*|#)(?<!\s\d)(?<!\.\d)$")
_DATA = frozenset(
    [
        "id",
        "idx",
        "index",
        "label",
        "labels",
        "target",
        "text",
        "sentence",
        "image",
        "filename",
        "file",
        "path",
        "url",
        "user",
        "user_id",
        "age",
        "date",
        "name",
        "gender",
    ]
)
"""Columns of a data set: such a table without a position is a preview of it."""


_SHORT = frozenset(("box", "obj", "cls", "total"))


def is_header(names: list[str]) -> bool:
    """Whether these can be the names of a table's columns, of which some may be metrics."""
    return 2 <= len(names) <= 64 and all(len(name) <= 40 and _NAME.match(name) for name in names)


def is_preview(names: list[str]) -> bool:
    """Whether these are the columns of a data set, not of a report."""
    return not _DATA.isdisjoint(map(normal, names))


def short_losses(names: Sequence[str]) -> frozenset[str]:
    """The losses under this header that only the older YOLOs call so: `Epoch gpu_mem box obj cls total labels`."""
    of_yolo = len(names) > 1 and kind(names[0]) == "position" and normal(names[1]) == "gpu_mem"
    return _SHORT.intersection(names) if of_yolo else frozenset()


class CellReader:
    """Reads rows under these columns."""

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        self._losses = short_losses(columns)

    def row(self, cells: list[str], prefix: str = "", *, all_known: bool = False) -> Reading | None:
        """What the row shows, None where it is nothing. `prefix` comes before the metrics' names; `all_known`: names
        that are no known metric are metrics too, where they have a fraction.
        """
        reading = Reading()
        for name, cell in zip(self._columns, cells, strict=False):
            what = "other" if name in self._losses else kind(name)
            if what == "position":
                if (value := _position(cell)) is not None:
                    reading.positions.setdefault(POSITIONS[normal(name)], value)
            elif CELL.match(cell):
                whole = cell.lstrip("+-").isdigit()
                value = number(cell.rstrip("%"))
                if whole and name in ("l1", "l2"):
                    continue  # sizes of layers, in a table of what was tried
                if what == "metric" or (what == "other" and all_known and not whole):
                    reading.metrics.setdefault(prefix + name, value)
                elif what == "companion":
                    reading.companions.setdefault(name, value)
                elif what == "other" and not whole:
                    reading.others.setdefault(prefix + name, value)
        return reading if reading.values() is not None else None


def _position(cell: str) -> float | None:
    shown = cell.partition("/")[0].strip()
    return number(shown) if CELL.match(shown) else None
