"""Names and numbers in a line of prose: `name=value`, `name: value`, `name value`, and the positions beside them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from k12ai_ws.logs.sieve import shape_of

from .frameworks import SHAPES
from .preset import Shape
from .reading import Reading, number
from .records import message_of
from .study import NUMBER, Step, Study

_FIRST = re.compile(r"[\[(]?[A-Za-z_]{3,}")


_DIGITS = re.compile(r"\d+")
_SHAPES = 2_000
_LONGEST = 4000
"""A longer line is no report of metrics."""


@dataclass(frozen=True, slots=True)
class Place:
    """The number that stands at these characters of a line is `name`'s; a percentage of the one at `of`, where set."""

    name: str
    position: bool
    at: slice
    of: slice | None


class PairReader:
    """Reads lines of names and numbers. A log's lines have few shapes: what was found out about one is kept, so that
    the next line of that shape costs little more than its numbers.
    """

    def __init__(self, shapes: Sequence[Shape] = SHAPES) -> None:
        self._shapes = shapes
        self._fixed: dict[bytes, list[slice]] = {}  # shape -> where digits that are no values stand (`acc1`)
        self._plans: dict[tuple[bytes | str, ...], list[list[Place]]] = {}  # a shape and these digits -> its values

    def read(self, line: str) -> list[Reading]:
        """Every name with a number in this line. More than one reading comes out where two processes wrote into one
        line.
        """
        if len(line) > _LONGEST:
            return []
        shape = shape_of(line)
        fixed = self._fixed.get(shape, ())
        plans = self._plans.get((shape, *[line[digits] for digits in fixed]))
        if plans is None:
            plans = self._study(line)
            self._remember(line, shape, plans)
        return [_follow(plan, line) for plan in plans]

    def _remember(self, line: str, shape: bytes, plans: list[list[Place]]) -> None:
        if len(self._plans) >= _SHAPES:
            self._plans.clear()
            self._fixed.clear()
        fixed = self._fixed.setdefault(shape, [])
        fixed += [digits for digits in _no_values(line, plans) if digits not in fixed]
        self._plans[shape, *[line[digits] for digits in fixed]] = plans

    def _study(self, line: str) -> list[list[Place]]:
        """Where the values of this line stand; nothing where no metric is among them."""
        plans = []
        ends = {match.start(): match.end() for match in NUMBER.finditer(line)}
        for start, text in _records(line):
            steps = [s for s in Study(text, self._shapes).steps() if start + s.at in ends]
            fields = {step.field for step in steps}
            if "metrics" in fields or fields >= {"others", "positions"}:
                plans.append(_plan(steps, start, ends))
        return plans


def _no_values(line: str, plans: list[list[Place]]) -> list[slice]:
    """Where digits stand that belong to words or to names: `acc1` and `acc5` have one shape and are two names."""
    covered = set[int]().union(*(range(*match.span()) for match in NUMBER.finditer(line)))
    for name in {place.name for plan in plans for place in plan if _DIGITS.search(place.name)}:
        at = line.find(name)
        covered -= set(range(at, at + len(name)) if at >= 0 else range(len(line)))
    return [slice(*match.span()) for match in _DIGITS.finditer(line) if match.start() not in covered]


def _plan(steps: list[Step], start: int, ends: dict[int, int]) -> list[Place]:
    """In the order of an event: positions, metrics, other names, companions; the first of a name counts."""
    order = ("positions", "metrics", "others", "companions")
    plan: dict[tuple[bool, str], Place] = {}
    for step in sorted(steps, key=lambda step: order.index(step.field)):
        at = slice(start + step.at, ends[start + step.at])
        of = slice(start + step.of, ends[start + step.of]) if start + step.of in ends and step.of >= 0 else None
        position = step.field == "positions"
        plan.setdefault((position, step.name), Place(step.name, position, at, of))
    return list(plan.values())


def _follow(plan: list[Place], line: str) -> Reading:
    positions: dict[str, float] = {}
    values: dict[str, float | None] = {}
    for place in plan:
        value = number(line[place.at])
        if place.of is not None:
            whole = number(line[place.of])
            value = 100 * (value or 0) / whole if whole else value
        if not place.position:
            values[place.name] = value
        elif value is not None:
            positions[place.name] = value
    return Reading(positions, values)


def read_positions(text: str) -> dict[str, float]:
    """Only the positions of a text: the words before a dictionary."""
    if not any(map(str.isdigit, text)):
        return {}
    starts = {match.start(): match["number"] for match in NUMBER.finditer(text)}
    found = {step.name: number(starts[step.at]) for step in Study(text).steps() if step.field == "positions"}
    return {name: value for name, value in found.items() if value is not None}


def _records(line: str) -> list[tuple[int, str]]:
    """The messages in a line and where they begin: two where its own first word stands again right behind a number,
    because two processes wrote at once.
    """
    word = _FIRST.match(line)
    starts = [0]
    if word and line.find(word[0], word.end()) >= 0:
        starts += [m.start() for m in re.finditer(rf"(?<=[\d)%\]])(?={re.escape(word[0])})", line)]
    out = []
    for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
        message = message_of(line[start:end])
        out.append((end - len(message), message))
    return out
