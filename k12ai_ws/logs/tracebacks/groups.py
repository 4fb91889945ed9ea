"""Exception groups: the tree that Python draws with `|` and `+` margins, read back into exceptions."""

import re
from typing import TYPE_CHECKING

from k12ai_ws.logs.limits import Limits
from k12ai_ws.wire.bodies import Json

from .syntax import HEADER

if TYPE_CHECKING:
    from .block import Block

_MEMBER = re.compile(r"(\s*)\+-?\+?-+ (?:\d+|\.\.\.) -+$")
_CLOSE = re.compile(r"(\s*)\+-+$")
_DEEPEST = 64
"""Python itself nests a group's drawing no deeper than ten by default."""


def read_group(lines: list[str], limits: Limits) -> "Block":
    """The block of a drawn group, whose first line is its header (`  + Exception Group Traceback ...`)."""
    indent = len(lines[0]) - len(lines[0].lstrip())
    tokens, _ = _own(["", *lines[1:]], 1, indent, limits, 0)
    return _block([HEADER, *tokens], limits)


def _own(lines: list[str], at: int, indent: int, limits: Limits, depth: int) -> tuple[list[str | list[Json]], int]:
    """What stands behind the margin at `indent`: lines, and one list of members where a group opens."""
    margin = " " * indent + "|"
    tokens: list[str | list[Json]] = []
    while at < len(lines):
        line = lines[at]
        if line.startswith(margin):
            tokens.append(line[indent + 2 :])
            at += 1
        elif line.startswith(" " * indent + "+-+-") and depth < _DEEPEST:
            members, at = _members(lines, at, indent + 2, limits, depth + 1)
            tokens.append(members)
        elif not line.lstrip().startswith(("|", "+-")):
            tokens.append(line)  # a further line of a text, which has no margin
            at += 1
        else:
            break
    return tokens, at


def _members(lines: list[str], at: int, indent: int, limits: Limits, depth: int) -> tuple[list[Json], int]:
    """The members of a group, each between its numbered ruler and the next; and where the drawing goes on."""
    members: list[Json] = []
    while at < len(lines) and _MEMBER.match(lines[at]):
        tokens, at = _own(lines, at + 1, indent, limits, depth)
        detail = _detail(tokens, limits)
        if detail:
            members.append(detail)
    if at < len(lines) and _CLOSE.match(lines[at]):
        at += 1
    return members, at


def _detail(tokens: list[str | list[Json]], limits: Limits) -> Json:
    from .detail import exception_detail

    block = _block(tokens, limits)
    return exception_detail(block.parts, limits, None) if block.parts and block.parts[-1].exc_type else None


def _block(tokens: list[str | list[Json]], limits: Limits) -> "Block":
    """Reads the lines behind one margin. All of them belong to it, so nothing that they say can end it early."""
    from .block import Block, Part

    block = Block(parts=[Part()])
    for token in tokens:
        if isinstance(token, list):
            block.finish(limits, end_of_log=True)
            block.part.group = token
            block.state, block.whole = "text", True
            continue
        if token.rstrip().endswith(HEADER) and block.state == "frames" and not block.part.frames:
            continue
        line = token.replace("Exception Group " + HEADER, HEADER)
        if block.take(line, limits, lambda _: False) == "end":
            block.tail.append(line)
    block.finish(limits, end_of_log=True)
    return block
