"""A declarative rule: a regular expression whose named groups say what a line shows."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from k12ai_ws.wire.bodies import Json, Severity
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import MAX_LOG_RULES

from .groups import POSITIONS, check_groups
from .regex import MAX_NAME, BadPattern, Regex, compile_pattern
from .values import name_of

MAX_RULES = MAX_LOG_RULES
"""Most rules of one job from each of: its driver, its request, the configuration."""
MAX_CONTAINS = 200
"""Longest `contains`, in characters."""
SCALES = (1e-30, 1e30)
"""The least and the greatest size of a `scale`."""
ERROR_CODES = frozenset(code.value for code in Code if code >= Code.OUT_OF_MEMORY)
"""The codes that a rule's errors may have."""
KINDS = ("metrics", "progress", "error")
SEVERITIES: tuple[Severity, ...] = ("error", "warning")


class RuleError(ValueError):
    """One rule or more that cannot be used; the text says what is wrong and what would be right.

    `problems` has it as the contract's `detail.fields` do: `[{loc, msg, type}]`. `at` is the index of the character at
    fault in a single rule's pattern, where that is what is wrong.
    """

    def __init__(self, problems: Sequence[Mapping[str, str]], at: int | None = None) -> None:
        super().__init__("; ".join(f"{p['loc']}: {p['msg']}" if p["loc"] else p["msg"] for p in problems))
        self.problems = tuple(problems)
        self.at = at

    def below(self, loc: str) -> "RuleError":
        """The same of something that stands in `loc`."""
        return RuleError([{**p, "loc": f"{loc}.{p['loc']}".rstrip(".")} for p in self.problems])


def problem(loc: str, msg: str, kind: str = "rule") -> RuleError:
    """An error with one problem."""
    return RuleError([{"loc": loc, "msg": msg, "type": kind}])


@dataclass(frozen=True, slots=True)
class Rule:
    r"""What to look for in every line of a log. Raises RuleError where it cannot be used.

    `pattern` is a regular expression in RE2's syntax, found anywhere in the line. By `kind`:

    - `metrics`: the groups `name` and `value` (every match of the line), or `value` (or the only group) with the fixed
      `name`, or one group per metric, named as the metric. `step`, `epoch`, `batch` and `rank` are positions that
      stand beside the values; `split` (train, valid) goes before the names. A rule with positions alone gives them to
      the lines below. `scale` is multiplied into the values (0.01: percent to fractions).
    - `progress`: the groups `current` and `total`, or `percent`; also `unit` and `desc`.
    - `error`: the group `text`; also `type`, `filename`, `linenum` and `funcname`. `code` and `severity` are its own.

    `contains` is a text that must stand in the line too: a cheap test. Where there is none, one is taken from the
    pattern.
    """

    pattern: str
    name: str | None = None
    contains: str | None = None
    scale: float | None = None
    kind: str = "metrics"
    code: int | None = None
    severity: Severity = "error"
    regex: Regex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_types(self)
        try:
            regex = compile_pattern(self.pattern)
            check_groups(regex, self.kind, self.name)
        except BadPattern as e:
            raise RuleError([{"loc": "pattern", "msg": str(e), "type": "pattern"}], e.at) from None
        object.__setattr__(self, "regex", regex)

    @property
    def needs(self) -> tuple[str, ...]:
        """Texts that stand in every line that the rule can read."""
        return tuple(dict.fromkeys(text for text in (self.contains, self.regex.literal) if text))

    def to_json(self) -> dict[str, Json]:
        """What `from_json` takes: the fields that are not their default."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        return {name: value for name, value in given.items() if value != _DEFAULTS.get(name, ...)}

    @classmethod
    def from_json(cls, data: object) -> "Rule":
        """A rule of a table in a TOML file or a request. Raises RuleError."""
        if not isinstance(data, Mapping):
            raise problem("", "a rule is a table (an object) with `pattern`, and what else it needs", "type")
        for key in data:
            if key not in _FIELDS:
                raise problem(str(key)[:MAX_NAME], f"a rule has no such field{_nearest(str(key))}", "unknown")
        if "pattern" not in data:
            raise problem("pattern", r"a rule needs a pattern, such as `loss=(?P<loss>\S+)`", "missing")
        return cls(**data)


_FIELDS = tuple(f.name for f in fields(Rule) if f.init)
_DEFAULTS: Mapping[str, Any] = {f.name: f.default for f in fields(Rule) if f.init and f.name != "pattern"}


def _nearest(key: str) -> str:
    near = difflib.get_close_matches(key[:MAX_NAME], _FIELDS, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(_FIELDS)}"


def _check_types(rule: Rule) -> None:
    """Raises RuleError where a field is not what it must be, or does not belong to the rule's kind."""
    for key in ("pattern", "name", "contains", "kind", "severity"):
        value = getattr(rule, key)
        if not isinstance(value, str) and (value is not None or _DEFAULTS.get(key, "") is not None):
            raise problem(key, f"must be a text, not {type(value).__name__}", "type")
    if rule.kind not in KINDS:
        raise problem("kind", f"{rule.kind[:MAX_NAME]!r} is no kind; there are {', '.join(KINDS)}")
    if rule.severity not in SEVERITIES:
        raise problem("severity", f"{rule.severity[:MAX_NAME]!r} is none; there are {', '.join(SEVERITIES)}")
    if rule.name is not None and name_of(rule.name) != rule.name:
        raise problem("name", f"must have 1 to {MAX_NAME} printable characters, and no spaces around them")
    if rule.name is not None and (place := rule.name.lower()) in POSITIONS:
        raise problem("name", rf"{place} is a position and no metric: leave name out, and write (?P<{place}>\d+)")
    if rule.contains is not None and not (
        0 < len(rule.contains) <= MAX_CONTAINS and rule.contains.replace("\t", " ").isprintable()
    ):
        raise problem("contains", f"must have 1 to {MAX_CONTAINS} printable characters (or tabs)")
    scale, code = rule.scale, rule.code
    if scale is not None and (type(scale) not in (int, float) or not abs(scale) < math.inf or scale == 0):
        raise problem("scale", f"must be a finite number and not 0, such as 0.01; not {scale!r:.100}")
    if scale is not None and not SCALES[0] <= abs(scale) <= SCALES[1]:
        raise problem("scale", f"must be {SCALES[0]:g} to {SCALES[1]:g} in size, such as 0.01; not {scale!r:.100}")
    if code is not None and (type(code) is not int or code not in ERROR_CODES):
        raise problem("code", f"must be a code of an error, such as {Code.VALUE_ERROR:d}; not {code!r:.100}")
    wrong = [
        ("name", rule.name is not None and rule.kind != "metrics", "metrics"),
        ("scale", scale is not None and rule.kind != "metrics", "metrics"),
        ("code", code is not None and rule.kind != "error", "error"),
        ("severity", rule.severity != "error" and rule.kind != "error", "error"),
    ]
    for key, is_wrong, kind in wrong:
        if is_wrong:
            raise problem(key, f"belongs to rules of the kind {kind}, and this one's kind is {rule.kind}")
