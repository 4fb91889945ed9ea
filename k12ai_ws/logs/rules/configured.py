"""Rules that an operator wrote into the configuration, `[[logs.rules]]`, and for which jobs they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from k12ai_ws.logs.parser import LogParser
from k12ai_ws.wire.codes import Language

from .parser import RulesParser
from .rule import MAX_RULES, Rule, RuleError, problem

MAX_STEPS = 10_000
"""Most steps of all the compiled patterns of one list: they are what a line can cost at worst, about 0.2 s. Ordinary
ones have 20 to 60 each.
"""
_FOR = ("services", "tasks")


@dataclass(frozen=True, slots=True)
class ConfiguredRule:
    """A rule for the jobs of these services and tasks; None: of all."""

    rule: Rule
    services: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None

    def is_for(self, service_name: str, task: str) -> bool:
        """Whether it reads the logs of this service's task."""
        return (self.services is None or service_name in self.services) and (self.tasks is None or task in self.tasks)

    @classmethod
    def from_json(cls, data: object) -> "ConfiguredRule":
        """A rule's table with `services` and `tasks`. Raises RuleError."""
        if not isinstance(data, Mapping):
            return cls(Rule.from_json(data))
        chosen: dict[str, tuple[str, ...] | None] = {}
        for key in _FOR:
            names: Any = data.get(key)
            if names is not None and not (
                isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names)
            ):
                raise problem(key, f'must be a list of names, such as ["k12cv"]; without {key} it is for all', "type")
            chosen[key] = names and tuple(names)
        return cls(Rule.from_json({k: v for k, v in data.items() if k not in _FOR}), **chosen)


def read_rules(tables: Sequence[object], loc: str) -> tuple[Rule, ...]:
    """The rules of a request's list. Raises RuleError: all that is wrong in any of them, below `loc`."""
    return tuple(made.rule for made in _all(tables, loc, lambda table: ConfiguredRule(Rule.from_json(table))))


def read_configured(tables: Sequence[object], loc: str = "rules") -> tuple[ConfiguredRule, ...]:
    """The rules of a configuration's list of tables. Raises RuleError: all that is wrong in any of them."""
    return _all(tables, loc, ConfiguredRule.from_json)


def _all(tables: Sequence[object], loc: str, make: Callable[[object], ConfiguredRule]) -> tuple[ConfiguredRule, ...]:
    if len(tables) > MAX_RULES:
        raise problem(loc, f"there are {len(tables)} rules: {MAX_RULES} are the most", "too_long")
    made: list[ConfiguredRule] = []
    problems: list[Mapping[str, str]] = []
    for index, table in enumerate(tables):
        try:
            made.append(make(table))
        except RuleError as e:
            problems += e.below(f"{loc}.{index}").problems
    if problems:
        raise RuleError(problems)
    steps = sum(configured.rule.regex.compiled.programsize for configured in made)
    if steps > MAX_STEPS:
        raise problem(
            loc,
            f"the patterns together are too large when their repetitions are written out ({steps} steps, {MAX_STEPS} "
            "are the most): use smaller numbers, or * and +",
            "too_long",
        )
    return tuple(made)


def with_rules(parsers: Sequence[LogParser | str | Rule], *, language: Language = "en") -> list[LogParser | str]:
    """The parsers of a pipeline: one for all the rules among these, in their order, then the others, which see nothing
    of a line that a rule read.
    """
    rules = list(dict.fromkeys(parser for parser in parsers if isinstance(parser, Rule)))
    others = [parser for parser in parsers if not isinstance(parser, Rule)]
    return [RulesParser(rules, language=language), *others] if rules else others
