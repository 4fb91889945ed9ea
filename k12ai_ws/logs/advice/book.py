"""All advice that may speak of one job's errors, found by the type of the exception."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from k12ai_ws.wire.bodies import Json

from .entry import Advice, BuiltIn, Said

MAX_TEXT_CHARS = 2_000
"""So much of an exception's text is searched: half from its beginning, half from its end."""
INNERMOST_FRAMES = 8

_CLOSED = """
    NameError UnboundLocalError KeyError ZeroDivisionError RecursionError StopIteration KeyboardInterrupt SyntaxError
    IndentationError TabError UnicodeDecodeError UnicodeEncodeError JSONDecodeError ModuleNotFoundError FileExistsError
    IsADirectoryError NotADirectoryError
"""
CLOSED = frozenset(_CLOSED.split())
"""Types whose text is Python's own or a key: what is said of errors in general does not hold for them."""

_HEADER = "Traceback (most recent call last):"
_LAST_LINE = re.compile(r"([A-Za-z_][\w.]{0,199})(?::(?: ([\s\S]*))?)?$")
_WRAPPED = re.compile(r"\((\w{1,100})\)$")
_QUOTED = re.compile(r"'([^']{1,100})'")


class Spoken(NamedTuple):
    """The advice that speaks of an error, and what it found in the error's text."""

    advice: Advice
    match: re.Match[str]


_Lane = tuple[tuple[str, Advice], ...]
"""Advice in its order, each before a text that it needs (one with several stands there as often)."""


class AdviceBook:
    """Pieces of advice in the order in which they are tried; the first that holds speaks."""

    def __init__(self, entries: Sequence[Advice], then: "AdviceBook | None" = None) -> None:
        """`then` is asked where none of these holds."""
        self._then = then
        python = [entry for entry in entries if entry.about != "foreign"]
        foreign = [entry for entry in entries if entry.about != "python"]
        self._any = {False: _lane(_untyped(python)), True: _lane(_untyped(foreign))}
        self._typed = {False: _by_type(python), True: _by_type(foreign)}

    def spoken(self, said: Said) -> Spoken | None:
        """The advice that speaks of this error, or None where nothing useful is known."""
        text = said.text
        failed: Advice | None = None
        for hint, entry in self._typed[said.foreign].get(said.name, self._any[said.foreign]):
            if hint in text and entry is not failed:
                match = entry.match(said)
                if match is not None:
                    return Spoken(entry, match)
                failed = entry
        return self._then.spoken(said) if self._then else None

    def first(self, said: Said) -> Advice | None:
        """The piece that speaks."""
        spoken = self.spoken(said)
        return spoken.advice if spoken else None


def _untyped(entries: Sequence[Advice]) -> Sequence[Advice]:
    return [entry for entry in entries if not entry.names]


def _lane(entries: Sequence[Advice]) -> _Lane:
    return tuple((hint, entry) for entry in entries for hint in entry.hints or ("",))


def _by_type(entries: Sequence[Advice]) -> Mapping[str, _Lane]:
    """What each type may meet that an entry names: its own, and in their places those about any type."""
    own: dict[str, list[int]] = {name: [] for name in CLOSED}
    anybody, drivers = [], []
    for number, entry in enumerate(entries):
        for name in entry.names:
            own.setdefault(name, []).append(number)
        if not entry.names:
            anybody.append(number)
            if not isinstance(entry, BuiltIn):
                drivers.append(number)
    return {
        name: _lane([entries[n] for n in sorted(numbers + (drivers if name in CLOSED else anybody))])
        for name, numbers in own.items()
    }


def read(detail: Mapping[str, Json]) -> Said:
    """What an error's detail says. Where its text carries the traceback of the error behind it (a data loader's
    worker, a spawned process, a remote task), that one is meant.
    """
    kind = str(detail.get("exc_type") or "")
    text = str(detail.get("exc_text") or "")
    if _HEADER in text:
        kind, text = _innermost(text) or (kind, text)
    if kind.endswith(")") and (wrapped := _WRAPPED.search(kind)):  # RayTaskError(ValueError)
        kind = wrapped[1]
    if len(text) > MAX_TEXT_CHARS:
        half = MAX_TEXT_CHARS // 2
        text = f"{text[:half]}\n{text[-half:]}"
    foreign = bool(detail.get("language"))
    name = kind if foreign else kind.rpartition(".")[2]
    frames = detail.get("traceback") or []
    suggestion = _QUOTED.search(str(detail.get("suggestion") or ""))
    return Said(
        name,
        text,
        str(frames[-1].get("source") or "") if frames else "",
        "\n".join(str(frame.get("filename")) for frame in frames[-INNERMOST_FRAMES:]),
        suggestion[1] if suggestion else "",
        kind,
        foreign,
    )


def behind(detail: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """The errors that stand for this one where it says nothing itself: its group's members, then its causes, the
    nearest first. What it merely came after (`context`) is none of them.
    """
    yield from detail.get("group") or []
    for link in reversed(detail.get("chain") or []):
        if link.get("relation") != "cause":
            return
        yield link


def _innermost(text: str) -> tuple[str, str] | None:
    """Type and text of the exception that ends the last traceback in this text."""
    tail = text[text.rindex(_HEADER) + len(_HEADER) :].lstrip("\n")[-10 * MAX_TEXT_CHARS :]
    lines = tail.split("\n")
    for number, line in enumerate(lines):
        if line[:1].isalpha() or line[:1] == "_":
            match = _LAST_LINE.match("\n".join(lines[number:]).rstrip()[:MAX_TEXT_CHARS])
            return (match[1], match[2] or "") if match else None
    return None
