"""Many rows in one step of SQLite.

Each step of a statement gives up the interpreter and has to win it back from the event loop: a step per row costs a
writer beside a busy loop a hundred times more than the row itself.
"""

import sqlite3
from collections.abc import Sequence

MOST = 2048
"""Rows in one step: SQLite allows 32,766 values in a statement."""


class Bulk:
    """A statement over rows, as `VALUES` with the columns `column1`, `column2`, ... and `column1` never NULL.

    There is one text for each power of two, so that SQLite's cache of prepared statements holds them all; what a step
    has too few rows for is filled with NULLs, and left out by the statement itself.
    """

    def __init__(self, statement: str, width: int) -> None:
        """`{rows}` in the statement stands for the rows: `... FROM {rows}`, with a WHERE of its own or none."""
        self._width = width
        row, filled = f"({', '.join('?' * width)})", "(SELECT * FROM (VALUES {}) WHERE column1 IS NOT NULL)"
        sizes = [1 << power for power in range(MOST.bit_length())]
        self._texts = [statement.format(rows=filled.format(", ".join([row] * size))) for size in sizes]

    def execute(self, connection: sqlite3.Connection, values: Sequence[object]) -> None:
        """`values` are the rows' values, one row after the other."""
        step = MOST * self._width
        for at in range(0, len(values), step):
            part = values[at : at + step]
            count = len(part) // self._width
            power = (count - 1).bit_length()
            connection.execute(self._texts[power], [*part, *[None] * (self._width * ((1 << power) - count))])
