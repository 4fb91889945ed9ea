"""The beginning of a chain that only its separator gives away: an exception with no traceback of its own."""

import re
from collections.abc import Sequence

from . import syntax
from .block import Block


def split(line: str) -> tuple[str, str]:
    """A separator's line as what stands before it, and the separator."""
    text = line.rstrip()
    separator = next(separator for separator in syntax.SEPARATORS if text.endswith(separator))
    return text[: -len(separator)], separator


def find(recent: Sequence[str], prefix: re.Pattern[str] | None) -> tuple[tuple[str, str | None], list[str]] | None:
    """The exception's name and the first line of its text, and all its lines, among the last lines that went by; each
    has the `prefix`. None where there is none.
    """
    lines: list[str] = []
    for before in reversed(recent):
        match = prefix.match(before) if prefix else None
        if prefix and not match:
            return None
        lines.insert(0, before[match.end() :] if match else before)
        if syntax.bare(lines[0]) and (named := syntax.exception_line(lines[0], [])):
            return named, lines
        if lines[0].strip() and syntax.RECORD.match(lines[0]):
            return None
    return None


def begin(block: Block, named: tuple[str, str | None], lines: Sequence[str], separator: str) -> None:
    """The block has read the exception and the separator below it: the next one's traceback follows."""
    block.begin_text(*named)
    text = [*block.part.text, *lines[1:]]
    while len(text) > 1 and not text[-1].strip():
        text.pop()
    block.part.text, block.part.relation, block.state = text, syntax.relation_of(separator), "between"
