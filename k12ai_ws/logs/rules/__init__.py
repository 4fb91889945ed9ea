"""Declarative rules: regular expressions that read metrics, progress and errors where no preset does.

See docs/rules.md.
"""

from .configured import ConfiguredRule, for_nobody, read_configured, read_rules, with_rules
from .parser import RulesParser
from .rule import MAX_RULES, Rule, RuleError
from .schema import rules_schema
from .trial import Outcome, Trial

__all__ = [
    "MAX_RULES",
    "ConfiguredRule",
    "Outcome",
    "Rule",
    "RuleError",
    "RulesParser",
    "Trial",
    "for_nobody",
    "read_configured",
    "read_rules",
    "rules_schema",
    "with_rules",
]
