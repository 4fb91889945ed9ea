"""One piece of advice: when it holds, and what it says."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    """Holds where the exception's type is one of `types` (empty: any) and `pattern` is found in its text.

    `{1}` and its like in the sentences stand for the pattern's groups.
    """

    types: frozenset[str]
    pattern: re.Pattern[str]
    en: str
    zh: str


def advice(types: str, pattern: str, en: str, zh: str) -> Advice:
    """`types` are names with spaces between them."""
    return Advice(frozenset(types.split()), re.compile(pattern), en, zh)
