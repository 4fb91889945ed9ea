"""One piece of advice: when it holds, and what it says."""

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from k12ai_ws.wire.codes import MEANINGS, Language

from .packages import package_of

MAX_PATTERN_CHARS = 1_000
MAX_SENTENCE_CHARS = 1_000
MAX_VALUE_CHARS = 160
"""Longest value that a sentence takes over from an error's text."""

Speaker = Literal["python", "foreign", "any"]

_PLACE = re.compile(r"\{(\w+)(?::(\w+))?\}")
_OPTIONAL = re.compile(r"\[\[([^\[\]]*)\]\]")
_REPEAT = re.compile(r"_\d+$")


class AdviceError(ValueError):
    """A piece of advice that cannot work; the text says which part, and what would be right."""


class Said(NamedTuple):
    """What an error says of itself, ready to be searched."""

    name: str
    """The exception's type without its module."""
    text: str
    source: str = ""
    """The line of code at fault, where the traceback shows it."""
    files: str = ""
    """The files of the innermost frames, one a line."""
    suggestion: str = ""
    """The name that Python itself suggests."""
    kind: str = ""
    """The exception's type as it was printed, with its module."""
    foreign: bool = False
    """Whether another language's program printed it, or the shell or the system."""


@dataclass(frozen=True)
class Advice:
    """Holds where the exception's type is one of `types` and `pattern` is found in its text.

    `en`, `zh`: one sentence each. `{1}` stands for the pattern's first group, `{name}` for a named one. What stands
    in `[[...]]` is left out where one of its values was not found. `types`: names without modules, in a tuple or
    separated by spaces (none: any type). `contains`: texts separated by `|`, one of which the error's text must have:
    tried first, because it is cheap. `facts`: a pattern with named groups, all of whose finds fill in more values
    (`total` and `total_2` both give `{total}`). `source`: a pattern for the line of code at fault; `file`: part of the
    name of a file among the innermost frames. `code`: the contract's; a driver's counts before the exception's type,
    this package's own where the type says nothing (RuntimeError). `speaker`: whose errors it is about; by default
    Python's where it names types, anybody's where it names none.

    Raises AdviceError.
    """

    pattern: str
    en: str
    zh: str
    types: str | tuple[str, ...] = ""
    contains: str = ""
    facts: str = ""
    source: str = ""
    file: str = ""
    code: int | None = None
    speaker: Speaker | None = None

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raises AdviceError where a part is of a wrong type, a pattern is none, or a sentence has a value that nothing
        gives.
        """
        for part in ("pattern", "facts", "source", "contains", "file"):
            text = getattr(self, part)
            if not isinstance(text, str) or len(text) > MAX_PATTERN_CHARS:
                raise AdviceError(
                    f"{part} must be a text of at most {MAX_PATTERN_CHARS} characters, not {reprlib.repr(text)}"
                )
        for part in ("pattern", "facts", "source"):
            text = getattr(self, part)
            try:
                re.compile(text)
            except re.error as e:
                raise AdviceError(f"{part} {text[:80]!r} is no regular expression: {e}") from e
        self._check_choices()
        if not (self.pattern or self.contains or self.types):
            raise AdviceError("it would hold for every error: give a pattern, `contains`, or `types`")
        given = {str(n) for n in range(1, self.regex.groups + 1)} | {*self.regex.groupindex, "suggestion"}
        given |= {_REPEAT.sub("", name) for name in re.compile(self.facts).groupindex}
        for part in ("en", "zh"):
            text = getattr(self, part)
            if not isinstance(text, str) or not text.strip() or len(text) > MAX_SENTENCE_CHARS:
                raise AdviceError(f"{part} must be a sentence of at most {MAX_SENTENCE_CHARS} characters")
            for place in _PLACE.finditer(text):
                if place[1] not in given:
                    raise AdviceError(f"{part} speaks of {place[0]}, but the patterns have no such group")

    def _check_choices(self) -> None:
        if not isinstance(self.types, str | tuple) or not all(isinstance(name, str) and name for name in self.types):
            raise AdviceError(
                f"types must be names in a tuple, or in one text with spaces between, not {reprlib.repr(self.types)}"
            )
        if self.speaker not in (None, "python", "foreign", "any"):
            raise AdviceError(f"speaker must be 'python', 'foreign' or 'any', not {reprlib.repr(self.speaker)}")
        if self.about == "python" and (dotted := sorted(name for name in self.names if "." in name)):
            raise AdviceError(
                f"types has {dotted[0]!r}: names stand without their modules, such as {dotted[0].rpartition('.')[2]!r}"
            )
        if self.contains and "" in self.hints:
            raise AdviceError(
                f"contains {self.contains[:80]!r} has an empty text between its |, which is in every error"
            )
        if self.code is not None and not (isinstance(self.code, int) and self.code in MEANINGS):
            raise AdviceError(f"code {reprlib.repr(self.code)} is not in the contract's table (k12ai_ws.drivers.Code)")

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Compiled when it is first needed: a program that only starts must not pay for all of them."""
        return re.compile(self.pattern)

    @cached_property
    def names(self) -> frozenset[str]:
        """The types that it is about; empty: any."""
        return frozenset(self.types.split() if isinstance(self.types, str) else self.types)

    @cached_property
    def hints(self) -> tuple[str, ...]:
        """Texts one of which must be there; empty: none is needed."""
        return tuple(self.contains.split("|")) if self.contains else ()

    @property
    def about(self) -> Speaker:
        """Whose errors it is about."""
        return self.speaker or ("python" if self.types else "any")

    def match(self, said: Said) -> re.Match[str] | None:
        """What it found in an error of its types that has one of its `hints`; None where it does not hold."""
        if self.file and self.file not in said.files:
            return None
        if self.source and not re.search(self.source, said.source):
            return None
        return self.regex.search(said.text)

    def say(self, match: re.Match[str], said: Said, language: Language) -> str:
        """The sentence, with the values of what it found."""
        values: dict[str, str] = {"suggestion": said.suggestion}
        values |= {str(number): value or "" for number, value in enumerate(match.groups(), 1)}
        values |= {name: value or "" for name, value in match.groupdict().items()}
        if self.facts:
            for found in re.finditer(self.facts, said.text):
                for name, value in found.groupdict().items():
                    if value and not values.get(_REPEAT.sub("", name)):
                        values[_REPEAT.sub("", name)] = value
        sentence = self.zh if language == "zh" else self.en
        return fill(sentence, {name: _shown(value) for name, value in values.items()})


class BuiltIn(Advice):
    """Advice of this package: the tests check it, not each start of the program."""

    def __post_init__(self) -> None:
        return


def advice(
    types: str | tuple[str, ...],
    contains: str,
    pattern: str,
    en: str,
    zh: str,
    *,
    code: int | None = None,
    facts: str = "",
    source: str = "",
    file: str = "",
    speaker: Speaker | None = None,
) -> Advice:
    """A piece of this package's own advice; the words as in `Advice`."""
    return BuiltIn(
        pattern, en, zh, types, contains=contains, code=code, facts=facts, source=source, file=file, speaker=speaker
    )


def optional(pattern: str) -> str:
    """A pattern that always holds, and finds this one's groups where they are: what a sentence can do without."""
    return rf"\A(?:[\s\S]*?(?:{pattern}))?"


def fill(sentence: str, values: Mapping[str, str]) -> str:
    """The sentence with its values; `{1:package}` gives the package that has the module."""

    def value(place: re.Match[str]) -> str:
        found = values.get(place[1], "")
        return package_of(found) if place[2] == "package" else found

    def option(part: re.Match[str]) -> str:
        whole = all(values.get(place[1]) for place in _PLACE.finditer(part[1]))
        return part[1] if whole else ""

    return _PLACE.sub(value, _OPTIONAL.sub(option, sentence))


def _shown(value: str) -> str:
    value = " ".join(value.split())
    return value if len(value) <= MAX_VALUE_CHARS else f"{value[: MAX_VALUE_CHARS - 3]}..."
