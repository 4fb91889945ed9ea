"""`--rule` and `--rules`: rules to try on a saved log, and what became of them; or to send with a job."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .exits import UsageError
from .lines import printable
from .words import Language, Words

if TYPE_CHECKING:
    from k12ai_ws.logs.parser import LogParser
    from k12ai_ws.logs.rules import Outcome, Rule, Trial

MAX_FILE_BYTES = 1 << 20
"""Largest file of rules; as many as there may be, at their longest, are a tenth of it."""
SHOWN_CHARS = 160
"""Characters shown of a line of the log."""


def add_rules(parser: argparse.ArgumentParser, what: str) -> None:
    """The two options; `what` says what the rules are for."""
    parser.add_argument(
        "--rule",
        metavar="REGEX",
        action="append",
        default=[],
        help=f"{what}: a regular expression with named groups, such as "
        r"'loss=(?P<loss>\S+)' (may be given again)",
    )
    parser.add_argument(
        "--rules",
        metavar="FILE.toml",
        action="append",
        default=[],
        help="the rules of this file: [[logs.rules]], as in the server's configuration; all of them, whatever services "
        "they are for",
    )


def read_rules(args: argparse.Namespace) -> "list[Rule]":
    """The rules that the options give. Raises UsageError."""
    if not args.rule and not args.rules:
        return []
    from k12ai_ws.logs.rules import MAX_RULES, Rule, RuleError

    rules = []
    for number, pattern in enumerate(args.rule, 1):
        try:
            rules.append(Rule(pattern))
        except RuleError as e:
            which = "--rule" if len(args.rule) == 1 else f"--rule (number {number})"
            raise UsageError(f"{which}: {_pointed(pattern, e.at, e.problems[0]['msg'])}") from e
    for file in args.rules:
        rules += _of_file(file)
    if len(rules) > MAX_RULES:
        raise UsageError(f"there are {len(rules)} rules: {MAX_RULES} are the most")
    return rules


def _pointed(pattern: str, at: int | None, message: str) -> str:
    """The message, with the pattern and a mark below the character at fault."""
    shown = printable(pattern)
    if at is None or shown != pattern or len(shown) > SHOWN_CHARS or not shown.isascii():
        return message
    return f"{message}\n  {shown}\n  {' ' * at}^"


def _of_file(file: str) -> "list[Rule]":
    import tomllib

    from k12ai_ws.logs.rules import RuleError, read_configured

    try:
        with Path(file).open("rb") as source:
            content = source.read(MAX_FILE_BYTES + 1)
            if len(content) > MAX_FILE_BYTES:
                raise UsageError(f"--rules {file}: larger than {MAX_FILE_BYTES} bytes: this is no file of rules")
            data: Any = tomllib.loads(content.decode())
    except OSError as e:
        raise UsageError(f"--rules {file}: {e.strerror}") from e
    except ValueError as e:  # TOMLDecodeError, or no UTF-8
        hint = ": write patterns between ' and ', where a backslash is itself" if "escape" in str(e) else ""
        raise UsageError(f"--rules {file}: this is no TOML: {e}{hint}") from e
    logs = data.get("logs")
    tables = logs.get("rules") if isinstance(logs, dict) else None
    if not isinstance(tables, list) or not tables:
        raise UsageError(
            f"--rules {file}: it holds no rules: each is a section\n  [[logs.rules]]\n  pattern = 'loss=(?P<loss>\\S+)'"
        )
    try:
        return [configured.rule for configured in read_configured(tables, "logs.rules")]
    except RuleError as e:
        shown = "".join(f"\n  {problem['loc']}: {printable(problem['msg'])}" for problem in e.problems)
        raise UsageError(f"--rules {file}:{shown}") from e


def rules_parser(rules: "Sequence[Rule]", tongue: Language) -> "list[LogParser | str]":
    """The parser of these rules, new for every log; nothing where there are none."""
    if not rules:
        return []
    from k12ai_ws.logs.rules import with_rules

    return with_rules(rules, language=tongue)


def trial_of(rules: "Sequence[Rule]", tongue: Language) -> "Trial":
    """The same, for people who try them."""
    from k12ai_ws.logs.rules import Trial

    return Trial(rules, language=tongue)


def trial_lines(trial: "Trial", words: Words) -> Iterator[str]:
    """What became of each rule, for people."""
    for number, outcome in enumerate(trial.outcomes(), 1):
        yield from _outcome_lines(number, outcome, trial.lines, words)


def _outcome_lines(number: int, outcome: "Outcome", seen: int, words: Words) -> Iterator[str]:
    pattern = printable(outcome.rule.pattern)
    if outcome.lines:
        yield words("rule_found", n=number, pattern=pattern, lines=outcome.lines, line=_quoted(outcome.first))
        if outcome.bad:
            yield words("rule_also_no_number", lines=outcome.bad, captured=_quoted(outcome.captured))
    elif outcome.bad:
        yield words("rule_no_number", n=number, pattern=pattern, lines=outcome.bad, captured=_quoted(outcome.captured))
    else:
        yield words("rule_not_found", n=number, pattern=pattern, seen=seen)
        if not seen:
            yield words("rule_no_lines")
            return
        if outcome.missing is not None:
            yield words("rule_missing", text=_quoted(outcome.missing))
        if outcome.other_case is not None:
            yield words("rule_other_case", line=_quoted(outcome.other_case))
        if outcome.beginning is not None and outcome.rest:
            beginning, rest = f"`{printable(outcome.beginning)}`", f"`{printable(outcome.rest)}`"
            yield words("rule_near", beginning=beginning, rest=rest, line=_quoted(outcome.near))
        elif outcome.beginning is not None:
            yield words("rule_whole", line=_quoted(outcome.near))


def _quoted(text: str | None) -> str:
    shown = printable(text or "")
    return f'"{shown}"' if len(shown) <= SHOWN_CHARS else f'"{shown[:SHOWN_CHARS]}..."'
