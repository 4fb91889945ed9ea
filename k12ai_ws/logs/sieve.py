"""Which lines of a log can matter at all: most lines cost one look-up by their shape.

The shape of a line is the line with every digit written as `0`: a log's lines have few shapes. What lines of one
shape may be is found out once, for all the new ones of a chunk together, and remembered. It is a memo of a pure
function, and no part of any state.
"""

import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from .parser import LogParser

_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_MOST = 8_192
"""Shapes remembered; then all are forgotten, and found out again."""
_LONGEST = 512
"""Bytes of the longest shape that is remembered."""

_NO_DIGIT = re.compile(
    r"\\[xp]\{[^}]*\}|\\x[0-9A-Fa-f]{2}|\\[0-7]{1,3}|\\.|\(\?P?<\w*>|\{\d+(?:,\d*)?\}"
    r"|\[\^\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\[\]?(?:\\.|\[:\^?\w+:\]|[^\]\\0])*0(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]",
    re.DOTALL,
)
"""Parts of a pattern whose digits are no texts, and sets of characters that hold a `0` or all but some."""


class SignsError(ValueError):
    """A log parser's `signs` that cannot work; the text names the parser, and says what would be right."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a line may be: part of a fault's report, a bar's state, something for these parsers (by their index)."""

    fault: bool = False
    bar: bool = False
    parsers: tuple[int, ...] = ()


NO_USE = Use()


class Sieve:
    """Sorts lines by the signs of what can be of use: patterns of RE2, one of which is found in the shape of every
    such line. `parsers` has those of each parser that is in use; None: it wants every line.
    """

    def __init__(self, fault: str, bar: str, parsers: Mapping[int, str | None]) -> None:
        self._every = tuple(index for index, signs in parsers.items() if signs is None)
        signs = {index: signs for index, signs in parsers.items() if signs is not None}
        self._any = _whole_lines([fault, bar, *signs.values()])
        self._fault, self._bar = _whole_lines([fault]), _whole_lines([bar])
        self._parsers = {index: _whole_lines([pattern]) for index, pattern in signs.items()}
        self._known: dict[bytes, Use] = {}
        self._dull: set[bytes] = set()

    def useful(self, lines: Sequence[str]) -> list[tuple[int, Use]]:
        """Index and use of the lines that may be of any. They have no line ends in them."""
        shapes = "\n".join(lines).encode().translate(_ALIKE).split(b"\n")
        dull, known = self._dull, self._known
        busy = [index for index, shape in enumerate(shapes) if shape not in dull]
        new = {shape for index in busy if (shape := shapes[index]) not in known}
        if not new:
            return [(index, known[shapes[index]]) for index in busy]
        fresh = self._studied(new)
        quiet = new.difference(fresh)
        out = [(index, known.get(shape) or fresh[shape]) for index in busy if (shape := shapes[index]) not in quiet]
        self._remember(new, fresh)
        return out

    def use(self, line: str) -> Use:
        """What this line alone may be."""
        shape = shape_of(line)
        if shape in self._dull:
            return NO_USE
        if (use := self._known.get(shape)) is not None:
            return use
        found = self.useful([line])
        return found[0][1] if found else NO_USE

    def _studied(self, new: set[bytes]) -> dict[bytes, Use]:
        """The use of those that are of any."""
        some = _lines_with(self._any, b"\n".join(new))
        if not some and not self._every:
            return {}
        text = b"\n".join(some)
        faults, bars = _lines_with(self._fault, text), _lines_with(self._bar, text)
        wanted = {index: _lines_with(signs, text) for index, signs in self._parsers.items()}
        return {
            shape: Use(
                shape in faults,
                shape in bars,
                tuple(sorted([*self._every, *(index for index, shapes in wanted.items() if shape in shapes)])),
            )
            for shape in (new if self._every else some)
        }

    def _remember(self, new: set[bytes], fresh: Mapping[bytes, Use]) -> None:
        if len(self._known) + len(self._dull) + len(new) > _MOST:
            self._known.clear()
            self._dull.clear()
        if len(max(new, key=len)) > _LONGEST:
            new = {shape for shape in new if len(shape) <= _LONGEST}
        self._dull |= new.difference(fresh)
        self._known |= {shape: fresh[shape] for shape in new.intersection(fresh)}


def signs_of(parser: LogParser) -> str | None:
    """The parser's `signs`, once it is sure that they can be found. Raises SignsError."""
    name, signs = type(parser).__name__, parser.signs
    if signs is None:
        return None
    if not isinstance(signs, str):
        raise SignsError(f"signs of the log parser {name} must be a text or None, not {reprlib.repr(signs)}")
    try:
        _compiled(signs)
    except (re2.error, UnicodeEncodeError) as e:
        why = e.args[0].decode(errors="replace") if isinstance(e.args[0], bytes) else e
        raise SignsError(f"signs {signs[:80]!r} of the log parser {name} are no pattern of RE2: {why}") from e
    if digit := re.search("[1-9]", _NO_DIGIT.sub("", signs)):
        raise SignsError(
            f"signs {signs[:80]!r} of the log parser {name} have a {digit[0]} that no line has: they are searched in "
            "lines whose digits are all written as 0; write 0 for it"
        )
    return signs


def _whole_lines(signs: Iterable[str]) -> Any:
    """A pattern that finds the lines in which one of these is found."""
    return _compiled(f"(?m)^.*(?:{'|'.join(f'(?:{sign})' for sign in signs)}).*$")


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.never_capture = True
    options.never_nl = True  # `\s` and `[^0]` never reach into the next line
    options.log_errors = False
    return re2.compile(pattern.encode(), options)


def _lines_with(signs: Any, text: bytes) -> set[bytes]:
    return {match.group() for match in signs.finditer(text)}


def shape_of(line: str) -> bytes:
    """The line's shape, in UTF-8."""
    return line.encode().translate(_ALIKE)
