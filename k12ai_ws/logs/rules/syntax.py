"""What a pattern is made of, read as RE2 reads it: for the text that must stand in every line it matches, for where it
can be cut in two, and for where a mistake stands.

RE2's syntax: https://github.com/google/re2/wiki/Syntax
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<quoted> \\Q (?P<quotation> (?: [^\\] | \\(?!E) )* ) (?: \\E )? )
    | (?P<escape> \\ (?: x\{[0-9A-Fa-f]{1,6}\} | x[0-9A-Fa-f]{2} | [pP](?:\{\^?\w+\}|\w) | [0-7]{2,3} | . )? )
    | (?P<set>    \[ \^? \]? (?: \[:\^?\w+:\] | \\. | [^\]\\] )* \]? )
    | (?P<open>   \( (?: \? (?: P?<(?P<group>\w+)> | (?P<flags>[imsU]*(?:-[imsU]+)?) (?P<colon>[:)]) ) )? )
    | (?P<close>  \) )
    | (?P<repeat> (?: [*+?] | \{(?P<least>\d+)(?:,\d*)?\} ) \?? )
    | (?P<bar>    \| )
    | (?P<anchor> [\^$] )
    | (?P<any>    \. )
    | (?P<char>   . )
    """,
    re.VERBOSE | re.DOTALL,
)
_SIMPLE_ESCAPES = {"t": "\t", "f": "\f", "r": "\r", "v": "\v", "a": "\a"}


class Token(NamedTuple):
    """One part of a pattern: what it is, where it stands, and the text that it matches where that is one text."""

    kind: str
    at: int
    end: int
    text: str | None
    least: int
    """Of a repetition: the least number of times."""


def tokens(pattern: str) -> Iterator[Token]:
    """The parts of a pattern, in order. Every character belongs to one, however wrong the pattern is."""
    for match in _TOKEN.finditer(pattern):
        kind, text, least = match.lastgroup or "char", None, 0
        if kind == "char":
            text = match[0]
        elif match["quoted"] is not None:
            kind, text = "quoted", match["quotation"]
        elif match["escape"] is not None:
            kind, text = "escape", _escaped(match[0])
        elif match["open"] is not None:
            kind = "flags" if match["colon"] == ")" else "open"
        elif match["repeat"] is not None:
            kind, least = "repeat", int(match["least"] or (match[0][0] == "+"))
        yield Token(kind, match.start(), match.end(), text, least)


def _escaped(escape: str) -> str | None:
    """The character that an escape stands for; None where it stands for several."""
    body = escape[1:]
    if body[:1] == "x" and len(body) > 1:
        code = int(body[1:].strip("{}"), 16)
        return chr(code) if code <= 0x10FFFF else None
    if body[:1].isdigit():
        return chr(int(body, 8)) if len(body) > 1 else None
    if body in _SIMPLE_ESCAPES:
        return _SIMPLE_ESCAPES[body]
    return body if body and not body.isalnum() else None


class _Level:
    """What is known of one nesting level of groups while a pattern is read."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.run = ""
        self.alternatives = False

    def cut(self) -> None:
        """Something that is no fixed text follows."""
        if self.run:
            self.runs.append(self.run)
        self.run = ""


def literal(pattern: str) -> str | None:
    """The longest text found that every line has which the (valid) pattern matches; None where none is sure."""
    levels = [_Level()]
    parts = [*tokens(pattern), Token("end", len(pattern), len(pattern), None, 0)]
    for token, following in pairwise(parts):
        level = levels[-1]
        least = following.least if following.kind == "repeat" else 1
        if token.text and (token.kind != "quoted" or following.kind != "repeat"):
            if least:
                level.run += token.text
            if following.kind == "repeat":
                level.cut()
            continue
        if token.text != "":
            level.cut()
        if token.kind == "open":
            levels.append(_Level())
        elif token.kind == "bar":
            level.alternatives = True
        elif token.kind == "close" and len(levels) > 1:
            levels.pop()
            if least and not level.alternatives:
                levels[-1].runs += level.runs
    levels[0].cut()
    runs = [] if levels[0].alternatives or len(levels) > 1 else levels[0].runs
    if re.search(r"\(\?[msU]*i", pattern):
        runs = [part for run in runs for part in _uncased(run)]
    best = max(runs, key=lambda run: len(run.strip()), default="")
    return best if best.strip() else None


def _uncased(text: str) -> list[str]:
    """The parts of a text that ignoring case cannot change."""
    return "".join(c if c.lower() == c == c.upper() else "\n" for c in text).split("\n")


def cuts(pattern: str) -> list[int]:
    """Where a (valid) pattern can be cut so that what stands before is a pattern by itself, from left to right."""
    found, depth = [], 0
    parts = list(tokens(pattern))
    for token, following in zip(parts, [*parts[1:], None], strict=True):
        depth += (token.kind == "open") - (token.kind == "close")
        if token.kind == "bar" and depth == 0:
            return []
        if depth == 0 and (following is None or following.kind != "repeat") and token.kind != "flags":
            found.append(token.end)
    return found


def group_names(pattern: str) -> list[tuple[str, int]]:
    """The names of a pattern's groups, and where each group begins."""
    return [(match["group"], match.start()) for match in _TOKEN.finditer(pattern) if match["group"] is not None]
