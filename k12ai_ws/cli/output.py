"""Where a command writes: JSON for programs, colours for a terminal, plain lines for everything else."""

import argparse
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .lines import printable
from .options import language
from .words import Words


class Output:
    """Standard output in the form that was asked for. Notes for the person go to standard error."""

    def __init__(self, words: Words, *, json: bool = False, out: TextIO | None = None, terminal: bool | None = None):
        """`terminal` (by default: whether `out` is one) turns colours and live displays on; never with `json`."""
        self.words = words
        self.json = json
        self._out = sys.stdout if out is None else out
        is_terminal = self._out.isatty() if terminal is None else terminal
        self.console = Console(file=self._out, highlight=False) if is_terminal and not json else None

    @classmethod
    def of(cls, args: argparse.Namespace) -> "Output":
        """As the options of `options.add_output` say."""
        return cls(Words(language(args)), json=args.json)

    def data(self, value: Any) -> None:
        """One JSON value, on one line."""
        self._out.write(orjson.dumps(value).decode() + "\n")
        self._out.flush()

    def line(self, text: str, style: str = "") -> None:
        """One line; `style` (rich's) shows in a terminal."""
        if self.console is not None:
            self.console.print(Text(text, style=style), soft_wrap=True)
        else:
            self._out.write(text + "\n")
            self._out.flush()

    def note(self, text: str) -> None:
        """A line for the person alone, on standard error."""
        print(text, file=sys.stderr, flush=True)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table; every cell on one line."""
        cells = [["" if cell is None else printable(cell) for cell in row] for row in rows]
        if self.console is not None:
            table = Table(box=None, pad_edge=False, header_style="bold")
            for header in headers:
                table.add_column(header, overflow="fold")
            for row in cells:
                table.add_row(*(Text(cell) for cell in row))
            self.console.print(table)
            return
        widths = [max(map(_width, column)) for column in zip(headers, *cells, strict=True)]
        for row in (list(headers), *cells):
            padded = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
            self.line("  ".join(padded).rstrip())


def _width(text: str) -> int:
    """Columns that the text takes: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def short_time(rfc3339: str | None) -> str:
    """`2026-11-23 09:15:02` of an RFC 3339 time."""
    return "" if not rfc3339 else rfc3339[:19].replace("T", " ")


def facts(pairs: Mapping[str, object]) -> str:
    """`a=1  b=2`."""
    return "  ".join(f"{printable(k)}={printable(v)}" for k, v in pairs.items())
