"""Rules that an operator wrote into the configuration, `[[logs.rules]]`, and for which jobs they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from k12ai_ws.logs.parser import LogParser
from k12ai_ws.wire.codes import Language

from .budget import Clock
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


def for_nobody(
    rules: Sequence[ConfiguredRule], services: Mapping[str, Sequence[str]], loc: str = "logs.rules"
) -> Iterator[str]:
    """What is odd in a configuration's rules: names of services and tasks that there are not.

    `services` are the tasks of each service.
    """
    for index, rule in enumerate(rules):
        for name in rule.services or ():
            if name not in services:
                yield f"{loc}.{index}: there is no service {name!r}; there are: {', '.join(services) or 'none'}"
        chosen = [name for name in services if rule.services is None or name in rule.services]
        tasks = sorted({task for name in chosen for task in services[name]})
        for name in rule.tasks or ():
            if chosen and name not in tasks:
                yield f"{loc}.{index}: there is no task {name!r}; there are: {', '.join(tasks)}"


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


def with_rules(
    parsers: Sequence[LogParser | str | Rule],
    *,
    asked: Sequence[Rule] = (),
    configured: Sequence[Rule] = (),
    clock: Clock | None = None,
    language: Language = "en",
    whole: bool = True,
) -> list[LogParser | str]:
    """The parsers of a pipeline: one for all the rules, then the others, which see nothing of a line that a rule read.

    The request's rules (`asked`) come first, then those among `parsers`, then the operator's (`configured`). At the
    log's end the first two are told of, each by themselves, where they found nothing; the operator's never, as nobody
    who reads the job's events has written them. `clock` bounds what rules may cost. `whole`: they read the log from its
    beginning.
    """
    own = [parser for parser in parsers if isinstance(parser, Rule)]
    others = [parser for parser in parsers if not isinstance(parser, Rule)]
    rules = list(dict.fromkeys([*asked, *own, *configured]))
    if not rules:
        return others
    told = [[rules.index(rule) for rule in group] for group in (asked, own)]
    return [RulesParser(rules, told=told, clock=clock, language=language, whole=whole), *others]
