"""Trying rules on a saved log: how often each matched, and how near those came that did not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from k12ai_ws.logs.parser import Found
from k12ai_ws.wire.codes import Language

from .parser import MAX_LINE, RulesParser
from .regex import BadPattern, compile_pattern
from .rule import Rule
from .syntax import cuts

MAX_TRIED = 200_000
"""Lines looked through for how near a rule came."""


@dataclass(slots=True)
class Outcome:
    """What became of one rule.

    `lines`: how many gave something, and `first` is the first of them. `bad`: how many matched with a value that is no
    number, and `captured` is the first of these values. Of a rule that never matched: `missing` is a text that every
    matching line must have and none had (`other_case`: a line that has it but for small and capital letters),
    `beginning` is the longest beginning of the pattern that was found, `rest` is
    what comes next in the pattern, and `near` is the first line where that was so.
    """

    rule: Rule
    lines: int = 0
    first: str | None = None
    bad: int = 0
    captured: str | None = None
    missing: str | None = None
    other_case: str | None = None
    beginning: str | None = None
    rest: str | None = None
    near: str | None = None


class Trial(RulesParser):
    """Reads as `RulesParser` does, and every line; `outcomes` tells what became of each rule. Its `close` is silent."""

    def __init__(self, rules: Sequence[Rule], *, language: Language = "en") -> None:
        super().__init__(rules, language=language)
        self.signs = None  # every line: one that does not match may come near
        self._rules_tried = [_Tried(rule) for rule in rules]
        self.lines = 0

    def feed(self, line: str) -> Iterable[Found]:
        """What the rules find in this line."""
        self.lines += 1
        before = list(self._notes()["found"])
        bad = {index: count for index, (count, _) in self._notes()["bad"].items()}
        found = super().feed(line)
        notes = self._notes()
        for index, tried in enumerate(self._rules_tried):
            if notes["found"][index] > before[index]:
                tried.first = tried.first or line
            elif tried.first is None and notes["bad"].get(str(index), (0,))[0] == bad.get(str(index), 0):
                tried.look(line, self.lines)
        return found

    def close(self) -> Iterable[Found]:
        """Nothing: `outcomes` says it."""
        return ()

    def outcomes(self) -> list[Outcome]:
        """One for each rule, in their order."""
        notes = self._notes()
        out = []
        for index, tried in enumerate(self._rules_tried):
            outcome = Outcome(tried.rule, notes["found"][index], tried.first)
            outcome.bad, outcome.captured = notes["bad"].get(str(index), (0, None))
            if not outcome.lines and not outcome.bad:
                tried.explain(outcome)
            out.append(outcome)
        return out


class _Tried:
    """How near one rule came."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.first: str | None = None
        self._cuts = cuts(rule.pattern)
        self._reached = 0  # how many of the cuts were matched by some line
        self._near: str | None = None
        self._next: Any = None  # the beginning up to the next cut, compiled
        self._given_up = False
        self._missing = list(rule.needs)
        self._other_case: dict[str, str] = {}  # text -> the first line that has it but for small and capital letters

    def look(self, line: str, number: int) -> None:
        """Compares a line that the rule does not match with what it wants."""
        if number > MAX_TRIED or len(line) > MAX_LINE:
            return
        self._missing = [need for need in self._missing if need not in line]
        for need in self._missing:
            if need not in self._other_case and need.lower() in line.lower():
                self._other_case[need] = line
        raw = line.encode("utf-8", "replace")
        while self._reached < len(self._cuts) and not self._given_up:
            if self._next is None:
                self._next = self._beginning(self._cuts[self._reached])
            if self._next is None or self._next.search(raw) is None:
                return
            self._next = None
            self._reached += 1
            self._near = line

    def _beginning(self, end: int) -> Any:
        try:
            return compile_pattern(self.rule.pattern[:end]).compiled
        except BadPattern:
            self._given_up = True  # this beginning is no pattern by itself
            return None

    def explain(self, outcome: Outcome) -> None:
        """Fills in how near it came."""
        if self._missing:
            outcome.missing, outcome.other_case = self._missing[0], self._other_case.get(self._missing[0])
        if self._near is not None:
            at = self._cuts[self._reached - 1]
            outcome.beginning, outcome.rest = self.rule.pattern[:at], self.rule.pattern[at:]
            outcome.near = self._near
