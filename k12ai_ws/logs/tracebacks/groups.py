"""Exception groups: the tree that Python draws with `|` and `+` margins, read back into exceptions."""

import re
from collections.abc import Callable

from k12ai_ws.logs.limits import Limits
from k12ai_ws.wire.bodies import Json

from .detail import exception_detail
from .part import TracebackReader
from .syntax import HEADER

_MEMBER = re.compile(r"\s*\+-?\+?-+ (?:\d+|\.\.\.) -+$")
_CLOSE = re.compile(r"\s*\+-+$")
_DEEPEST = 64
"""Python itself nests a group's drawing no deeper than ten by default."""


class _NoMargin(str):
    """A line without a margin: Python before 3.13 prints the further lines of a text so."""

    __slots__ = ()


Token = str | list[Json]
"""A line behind a margin, or the members of the group that opens there."""


class GroupReader:
    """Reads one drawn group, whose first line is its header (`  + Exception Group Traceback ...`).

    `new` makes an empty reader: the lines behind each margin are a traceback of their own.
    """

    def __init__(self, lines: list[str], limits: Limits, new: Callable[[], TracebackReader]) -> None:
        self._lines = lines
        self._limits = limits
        self._new = new
        self._at = 1

    def block(self) -> TracebackReader:
        """The group as a traceback whose exceptions hold their members."""
        indent = len(self._lines[0]) - len(self._lines[0].lstrip())
        return self._block([HEADER, *self._own(indent, 0)])

    def _own(self, indent: int, depth: int) -> list[Token]:
        """What stands behind the margin at `indent`."""
        margin = " " * indent + "|"
        tokens: list[Token] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.startswith(" " * indent + "+-+-") and depth < _DEEPEST and _MEMBER.match(line):
                tokens.append(self._members(indent + 2, depth + 1))
                continue
            if line.startswith(margin):
                tokens.append(line[indent + 2 :])
            elif not line.lstrip().startswith(("|", "+-")):
                tokens.append(_NoMargin(line))
            else:
                break
            self._at += 1
        return tokens

    def _members(self, indent: int, depth: int) -> list[Json]:
        """The members of a group, each between its numbered ruler and the next."""
        members: list[Json] = []
        while self._at < len(self._lines) and _MEMBER.match(self._lines[self._at]):
            self._at += 1
            parts = self._block(self._own(indent, depth)).parts
            if parts[-1].exc_type:
                members.append(exception_detail(parts, self._limits, None))
        if self._at < len(self._lines) and _CLOSE.match(self._lines[self._at]):
            self._at += 1
        return members

    def _block(self, tokens: list[Token]) -> TracebackReader:
        """Reads the lines behind one margin. All of them belong to it, so nothing that they say can end it early."""
        block = self._new()
        for token in tokens:
            if isinstance(token, list):
                block.finish(self._limits, why="close")
                block.part.group = token
                block.part.text = block.part.text or [""]  # members of an exception that no line tells of
                block.state, block.whole = "text", True
            elif isinstance(token, _NoMargin):
                block.add_text(token)
            elif not (token.rstrip().endswith(HEADER) and block.state == "frames" and not block.part.frames):
                line = token.replace("Exception Group " + HEADER, HEADER)
                if block.take(line, self._limits, lambda _: False) == "end":
                    block.tail.append(line)
        block.finish(self._limits, why="close")
        return block
