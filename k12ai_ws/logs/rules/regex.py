"""A rule's pattern, compiled by RE2: every line is matched in time linear in its length, whatever the pattern."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import re2

from .mistakes import mistake, sure_mistakes
from .syntax import group_names, literal

MAX_PATTERN = 1_000
"""Longest pattern, in characters."""
MAX_GROUPS = 40
"""Most groups of a pattern."""
MAX_NAME = 100
"""Longest name of a group or a metric, in characters."""
MAX_PROGRAM = 2_500
"""Most steps of a compiled pattern, as RE2 counts them: a line's cost is their number times its length at worst."""
MAX_MEMORY = 1 << 20
"""What RE2 may use for one pattern, in bytes."""


class BadPattern(ValueError):
    """A pattern that cannot be used; the text says where, why, and what would be right.

    `at` is the index of the character at fault.
    """

    def __init__(self, at: int, message: str) -> None:
        super().__init__(f"at character {at + 1}, {message}")
        self.at = at


@dataclass(frozen=True, slots=True)
class Regex:
    """A pattern that can be used. `compiled` matches bytes; `groups` maps names to numbers, in the pattern's order;
    `count` is the number of all groups; `literal` is a text that every matching line has, or None.
    """

    pattern: str
    compiled: Any
    groups: Mapping[str, int]
    count: int
    literal: str | None


def compile_pattern(pattern: str) -> Regex:
    """The pattern, compiled. Raises BadPattern."""
    if not pattern:
        raise BadPattern(
            0, "``: the pattern is empty: it must have a group for the value, such as `loss=(?P<loss>\\S+)`"
        )
    if len(pattern) > MAX_PATTERN:
        raise BadPattern(MAX_PATTERN, f"the pattern has {len(pattern)} characters: {MAX_PATTERN} are the most")
    for at, message in sure_mistakes(pattern):
        raise BadPattern(at, message)
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False  # to the standard error of the process
    try:
        compiled = re2.compile(pattern.encode(), options)
    except UnicodeEncodeError as e:
        raise BadPattern(e.start, "half a character stands there (a lone surrogate): remove it") from None
    except re2.error as e:
        said = e.args[0].decode("utf-8", "replace") if isinstance(e.args[0], bytes) else str(e)
        raise BadPattern(*mistake(pattern, said)) from None
    if compiled.programsize > MAX_PROGRAM:
        raise BadPattern(
            0,
            f"the pattern is too large when its repetitions are written out ({compiled.programsize} steps, "
            f"{MAX_PROGRAM} are the most): use smaller numbers, or * and +",
        )
    if compiled.groups > MAX_GROUPS:
        raise BadPattern(0, f"the pattern has {compiled.groups} groups: {MAX_GROUPS} are the most; (?:...) is no group")
    groups = {name.decode(): number for name, number in compiled.groupindex.items()}
    for name, at in group_names(pattern):
        if len(name) > MAX_NAME:
            raise BadPattern(at, f"a group's name has {MAX_NAME} characters at most")
    ordered = dict(sorted(groups.items(), key=lambda item: item[1]))
    return Regex(pattern, compiled, ordered, compiled.groups, literal(pattern))
