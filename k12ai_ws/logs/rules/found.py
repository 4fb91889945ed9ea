"""What one rule finds in one line."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from k12ai_ws.wire.bodies import Fault, Progress
from k12ai_ws.wire.codes import Code

from .groups import POSITIONS, metric_groups
from .rule import Rule
from .values import NoNumber, name_of, value_of

MAX_MATCHES = 100
"""Most matches of one rule in one line."""
_MESSAGE_CHARS = 2_000


@dataclass(slots=True)
class Finding:
    """Positions and metrics of a line, and other events; `bad` is a captured text that is no number (or no name)."""

    positions: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    events: list[Progress | Fault] = field(default_factory=list)
    bad: str | None = None


Reader = Callable[[str, bytes], Finding | None]
"""Reads a line (as text, and in UTF-8); None where the pattern does not match."""


def reader_of(rule: Rule) -> Reader:
    """The function that reads lines by this rule."""
    if rule.kind == "progress":
        return _Progress(rule)
    return _Error(rule) if rule.kind == "error" else _Metrics(rule)


class _Captured:
    """The rule's groups, by number."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._search = rule.regex.compiled.search
        self._groups = rule.regex.groups

    def _text(self, match: Any, group: str) -> str | None:
        number = self._groups.get(group)
        raw = match[number] if number is not None else None
        return raw.decode("utf-8", "replace") if raw is not None else None

    def _number(self, text: str | None, found: Finding, scale: float | None = None) -> tuple[bool, float | None]:
        """Whether a captured text is a number, and which; an empty one is none, and no mistake."""
        if text is None or not text.strip():
            return False, None
        try:
            return True, value_of(text, scale)
        except NoNumber:
            found.bad = found.bad or text
            return False, None


class _Metrics(_Captured):
    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self._positions = [name for name in POSITIONS if name in self._groups]
        self._metrics = metric_groups(rule.regex)
        self._pairs = "name" in self._groups
        if rule.name is not None and "value" not in self._groups:
            self._groups = {**self._groups, "value": 1}
        self._find = rule.regex.compiled.finditer

    def __call__(self, line: str, raw: bytes) -> Finding | None:
        found: Finding | None = None
        for match in self._matches(raw):
            found = found or Finding()
            for name in self._positions:
                is_number, value = self._number(self._text(match, name), found)
                if is_number and value is not None:
                    found.positions.setdefault(name, value)
            split = (self._text(match, "split") or "").strip().lower()
            for name, text in self._named(match, found):
                place = name.lower() if name.lower() in POSITIONS else None
                is_number, value = self._number(text, found, None if place else self._rule.scale)
                if is_number and place is None:
                    full = name if not split or name.lower().startswith(split) else f"{split}_{name}"
                    found.metrics.setdefault(full, value)
                elif is_number and place is not None and value is not None:
                    found.positions.setdefault(place, value)
        return found

    def _matches(self, raw: bytes) -> Iterator[Any]:
        if not self._pairs:
            if (match := self._search(raw)) is not None:
                yield match
            return
        for _, match in zip(range(MAX_MATCHES), self._find(raw), strict=False):
            yield match

    def _named(self, match: Any, found: Finding) -> Iterator[tuple[str, str | None]]:
        """The metrics' names, and what was captured for their values."""
        if self._pairs:
            captured = self._text(match, "name") or ""
            name = name_of(captured)
            if name is None:
                found.bad = found.bad or captured
            else:
                yield name, self._text(match, "value")
        elif self._rule.name is not None:
            yield self._rule.name, self._text(match, "value")
        else:
            for name in self._metrics:
                yield name, self._text(match, name)


class _Progress(_Captured):
    def __call__(self, line: str, raw: bytes) -> Finding | None:
        match = self._search(raw)
        if match is None:
            return None
        found = Finding()
        numbers = {name: self._number(self._text(match, name), found)[1] for name in ("current", "total", "percent")}
        current, total, percent = numbers["current"], numbers["total"], numbers["percent"]
        if current is not None and total is not None and current >= 0 and total > 0:
            value = min(current / total, 1.0)
        elif percent is not None and 0 <= percent <= 100:
            value = percent / 100
        else:
            return found
        unit, desc = ((self._text(match, name) or "").strip()[:_MESSAGE_CHARS] or None for name in ("unit", "desc"))
        found.events.append(Progress(value if math.isfinite(value) else 1.0, current, total, unit, desc))
        return found


class _Error(_Captured):
    def __call__(self, line: str, raw: bytes) -> Finding | None:
        match = self._search(raw)
        if match is None:
            return None
        found = Finding()
        text = (self._text(match, "text") or "").strip()[:_MESSAGE_CHARS]
        detail: dict[str, Any] = {}
        for name in ("filename", "funcname"):
            if captured := (self._text(match, name) or "").strip():
                detail[name] = captured[:_MESSAGE_CHARS]
        is_number, linenum = self._number(self._text(match, "linenum"), found)
        if is_number and isinstance(linenum, int):
            detail["linenum"] = linenum
        if exc_type := (self._text(match, "type") or "").strip():
            detail |= {"exc_type": exc_type[:_MESSAGE_CHARS], "exc_text": text}
        code = self._rule.code if self._rule.code is not None else Code.UNKNOWN
        found.events.append(Fault(code, text or None, self._rule.severity, {**detail, "raw": line}))
        return found
