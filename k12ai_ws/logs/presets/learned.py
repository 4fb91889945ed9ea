"""Lines of one shape are read alike: what a reader made of a few of them is learned, and the next cost little more than
their numbers.

How a line's values come about is found out by trial: each number is changed in turn, without changing the line's
shape, and the reader is asked again. Where every value is one of the numbers as it stands, its place is known.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from k12ai_ws.logs.sieve import shape_of

from .reading import Reading
from .study import NUMBER
from .vocabulary import is_validation

_TOKEN = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_RUN = re.compile(r"\d+")
_OTHER = str.maketrans("0123456789", "5678943218")
"""Another digit for each; none becomes 0."""
_SHAPES = 4_000
_LONGEST = 1_000
_AFTER = 2
"""A shape is learned when it is seen for the third time: many shapes come once."""
_NUMBERS = 24

Reads = Callable[[str], Sequence[Reading]]


@dataclass(frozen=True, slots=True)
class Said:
    """What a line says of its values' place: the names of its positions, whether all are of validation data, and
    whether any is of a test.
    """

    positions: tuple[str, ...]
    validation: bool
    test: bool

    @classmethod
    def of(cls, names: Iterable[str], positions: Iterable[str]) -> "Said":
        """From the names alone."""
        positions = tuple(positions)
        test = any(name.lower().startswith("test") for name in names)
        return cls(positions, not positions and all(is_validation(name) for name in names), test)


@dataclass(frozen=True, slots=True)
class Learned:
    """Where the values of a line stand, by their names in the order of an event."""

    names: tuple[str, ...]
    said: Said
    parts: Callable[[str], Sequence[str]]
    types: tuple[type[int] | type[float], ...]

    def values(self, line: str) -> dict[str, float | None]:
        """The values of this line; a float may be infinite."""
        texts = self.parts(line)
        return {name: of(text) for name, of, text in zip(self.names, self.types, texts, strict=True)}


class Learner:
    """Remembers what `reads` makes of shapes of lines. A memo of a pure function, and no part of any state."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._fixed: dict[bytes, Sequence[slice]] = {}  # shape -> where digits stand that make another name of a name
        self._known: dict[Any, Learned | int] = {}  # shape and these digits -> what was learned, or how often it came

    def known(self, line: str) -> Learned | None:
        """What was learned of lines like this one."""
        found = self._known.get(self._key(line))
        return found if isinstance(found, Learned) else None

    def seen(self, line: str, readings: Sequence[Reading]) -> None:
        """The reader gave these for a line: learns from it, when it is time."""
        if len(readings) != 1 or len(line) > _LONGEST:
            return
        key = self._key(line)
        count = self._known.get(key, 0)
        if isinstance(count, Learned) or count > _AFTER:
            return
        if len(self._known) >= _SHAPES:
            self._known.clear()
            self._fixed.clear()
        if count < _AFTER:
            self._known[key] = count + 1
            return
        learned, fixed = _learned(line, readings[0], self._reads)
        self._known[key] = count + 1  # never again, unless it is learned now
        if fixed:
            self._fixed[shape_of(line)] = fixed
        if learned is not None:
            self._known[self._key(line)] = learned

    def _key(self, line: str) -> Any:
        shape = shape_of(line)
        fixed = self._fixed.get(shape)
        return (shape, *[line[digits] for digits in fixed]) if fixed else shape


def _learned(line: str, reading: Reading, reads: Reads) -> tuple[Learned | None, list[slice]]:
    """What can be learned from this line, and where its digits stand that are parts of names."""
    values = reading.values()
    tokens = [match.span() for match in _TOKEN.finditer(line)]
    if values is None or len(tokens) > _NUMBERS or None in values.values():
        return None, []
    numbers = [match.span() for match in NUMBER.finditer(line)]
    fixed = [slice(*m.span()) for m in _RUN.finditer(line) if not any(a <= m.start() < b for a, b in numbers)]
    places: dict[str, slice] = {}
    for start, end in tokens:
        other = line[:start] + line[start:end].translate(_OTHER) + line[end:]
        again = reads(other)
        changed = again[0].values() if len(again) == 1 else None
        if changed is None or list(changed) != list(values) or list(again[0].positions) != list(reading.positions):
            fixed += [slice(start + m.start(), start + m.end()) for m in _RUN.finditer(line[start:end])]
            continue
        for name in [name for name in values if changed[name] != values[name]]:
            place = _place((line, other), start, end, (values[name], changed[name]))
            if place is None or name in places:
                return None, fixed
            places[name] = place
    if not values or places.keys() != values.keys():
        return None, fixed
    slices = [places[name] for name in values]
    types = tuple(int if isinstance(value, int) else float for value in values.values())
    get = itemgetter(*slices) if len(slices) > 1 else lambda text, only=slices[0]: (text[only],)
    return Learned(tuple(values), Said.of(values, reading.positions), get, types), fixed


def _place(lines: tuple[str, str], start: int, end: int, values: tuple[float | None, float | None]) -> slice | None:
    """Where the number stands that is the value in both lines: with its sign or without; None where it is not so."""
    of = int if isinstance(values[0], int) else float
    for at in (start, start + 1) if lines[0][start] in "+-" else (start,):
        try:
            read = tuple(of(line[at:end]) for line in lines)
        except ValueError:  # a fraction where a whole number was read: not this number as it stands
            continue
        if read == values and type(values[0]) is type(values[1]):
            return slice(at, end)
    return None
