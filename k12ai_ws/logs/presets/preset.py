"""What a preset is: data about how a framework writes its log."""

import re
from dataclasses import dataclass
from typing import Literal

Reader = Literal["dicts", "tables", "pairs"]
ALL: frozenset[Reader] = frozenset(("dicts", "tables", "pairs"))
TEXT: frozenset[Reader] = frozenset(("pairs",))


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A form of line of which the names alone do not say enough.

    `pattern` is searched in a message that holds `hint` (a literal), once for all lines that differ in their numbers
    alone, and must not backtrack far. Its named groups are numbers: `epoch`, `step`, `batch` are positions, `value` is
    the metric that the group `name` names, `training` and `validation` are that metric on these data. The numbers left
    are read by their names, unless the shape is `whole`.
    """

    hint: str
    pattern: re.Pattern[str]
    any_name: bool = False
    """Whatever `name` is, it is a metric; else a known one alone is."""
    of_split: bool = False
    """A `name` that begins with a split is a metric too, whatever stands behind it: `Valid MR at step 200: 51.9`."""
    whole: bool = False
    """Nothing else in the message is a metric."""
    rounds: bool = False
    """Every number behind a name and a colon is a metric: no other numbers stand in such lines."""


@dataclass(frozen=True, slots=True)
class Preset:
    """How one framework writes: the readers that its log needs, and shapes of its own.

    `marks` are regexes of which one is in a line with metrics of this framework, and in none of others: by these
    `auto` recognises it.
    """

    name: str
    title: str
    readers: frozenset[Reader] = ALL
    marks: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    only: bool = False
    """Named numbers are read in lines of these shapes alone: the framework writes no others."""
