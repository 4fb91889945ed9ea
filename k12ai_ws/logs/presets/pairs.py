"""Names and numbers in a line of prose: `name=value`, `name: value`, `name value`, and the positions beside them."""

import re

from .reading import Reading, number
from .records import message_of
from .study import NUMBER, Step, Study

_FIRST = re.compile(r"[\[(]?[A-Za-z_]{3,}")


class PairReader:
    """Reads lines of names and numbers. A log's lines have few shapes: what was found out about one is kept, so that
    the next line of that shape costs one split.
    """

    def __init__(self, *, known_only: bool = True) -> None:
        self._known_only = known_only
        self._plans: dict[tuple[object, ...], list[list[Step]]] = {}

    def read(self, line: str) -> list[Reading]:
        """Every name with a number in this line. More than one reading comes out where two processes wrote into one
        line.
        """
        if len(line) > _LONGEST:
            return []
        pieces = NUMBER.split(line)
        numbers = pieces[1::2]
        key = (*pieces[::2], *map(str.isdigit, numbers))
        plans = self._plans.get(key)
        if plans is None:
            if len(self._plans) >= _SHAPES:
                self._plans.clear()
            plans = self._plans[key] = self._study(line)
        return [_follow(plan, numbers) for plan in plans]

    def _study(self, line: str) -> list[list[Step]]:
        """What the numbers of this line are, by their order in it; nothing where no metric is among them."""
        order = {match.start(): index for index, match in enumerate(NUMBER.finditer(line))}
        plans = []
        for start, text in _records(line):
            plan = Study(text, known_only=self._known_only).steps()
            steps = [
                Step(
                    step.field,
                    step.name,
                    order[start + step.at],
                    order.get(start + step.of, -1) if step.of >= 0 else -1,
                )
                for step in plan
                if start + step.at in order
            ]
            fields = {step.field for step in steps}
            if "metrics" in fields or fields >= {"others", "positions"}:
                plans.append(steps)
        return plans


_SHAPES = 500
_LONGEST = 4000
"""A longer line is no report of metrics."""


def _follow(plan: list[Step], numbers: list[str]) -> Reading:
    reading = Reading()
    for step in plan:
        value = number(numbers[step.at])
        if step.of >= 0:
            whole = number(numbers[step.of])
            value = 100 * (value or 0) / whole if whole else value
        target: dict[str, float | None] = getattr(reading, step.field)
        if step.name not in target:
            target[step.name] = value
    return reading


def read_pairs(line: str, *, known_only: bool = True) -> list[Reading]:
    """The same for one line alone."""
    return PairReader(known_only=known_only).read(line)


def read_positions(text: str) -> dict[str, float]:
    """Only the positions of a text: the words before a dictionary."""
    if not any(map(str.isdigit, text)):
        return {}
    starts = {match.start(): match["number"] for match in NUMBER.finditer(text)}
    found = {
        step.name: number(starts[step.at]) for step in Study(text, known_only=True).steps() if step.field == "positions"
    }
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
