"""One exception of a traceback, as its lines; and what reads a traceback, as a group's reader needs it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from k12ai_ws.logs.limits import Limits
from k12ai_ws.wire.bodies import Json

T = TypeVar("T")
Verdict = Literal["mine", "foreign", "end"]
"""Of a line: part of the block; not part of it but the block goes on; not part of it and the block is over."""


@dataclass(slots=True)
class Part:
    """One exception of a block: the lines of its frames, its first line, text, notes and how it led to the next."""

    frames: list[str] = field(default_factory=list)
    exc_type: str | None = None
    text: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    relation: str | None = None
    group: list[Json] = field(default_factory=list)


class TracebackReader(Protocol):
    """What reads the lines of one traceback: a `Block`. Groups are tracebacks within tracebacks."""

    parts: list[Part]
    tail: list[str]
    state: str
    whole: bool

    @property
    def part(self) -> Part:
        """The exception that is being read."""
        ...

    def take(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        """Reads one line."""
        ...

    def add_text(self, line: str) -> None:
        """A line that can only be more of the last exception."""
        ...

    def finish(self, limits: Limits, *, why: str) -> list[str]:
        """Nothing more comes."""
        ...


def shrink(raw: list[str], group_lines: list[str], parts: list[Part], limits: Limits) -> tuple[int, int]:
    """Lets the middle of every long list go: how a traceback begins and ends says most.

    Returns how many lines of `raw` that were, and how many characters are left in all.
    """
    cut = _without_middle(raw)
    _without_middle(group_lines)
    if len(parts) > limits.chain:
        _without_middle(parts)
    lists = [raw, group_lines]
    for part in parts:
        for lines in (part.frames, part.text, part.notes):
            _without_middle(lines)
            lists.append(lines)
    return cut, sum(len(line) for lines in lists for line in lines)


def _without_middle(lines: list[T]) -> int:
    """Drops the middle third; how many that were. What is short stays."""
    third = len(lines) // 3 if len(lines) > 12 else 0
    del lines[third : 2 * third]
    return third
