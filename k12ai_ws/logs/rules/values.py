"""The numbers and names that a rule captures."""

import re

from k12ai_ws.logs.presets.reading import number

from .regex import MAX_NAME

_NUMBER = re.compile(
    r"[+-]?(?:(?:\d{1,3}(?:,\d{3}){1,6}|\d{1,400})(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,5})?", re.ASCII
)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


class NoNumber(ValueError):
    """The text is no number."""


def value_of(text: str, scale: float | None = None) -> float | None:
    """The number that a text is, times `scale`; None where it is not finite. Raises NoNumber.

    A percent sign behind it is left out, and commas between thousands too; a comma before decimals is no number, as
    nobody can tell `1,234` from the other thing.

    >>> value_of("1,234.5"), value_of("98 %"), value_of("-inf")
    (1234.5, 98, None)
    """
    text = text.strip().removesuffix("%").rstrip()
    if _NOT_FINITE.fullmatch(text):
        return None
    if not _NUMBER.fullmatch(text):
        raise NoNumber(text)
    value = number(text)
    if value is None or scale is None:
        return value
    scaled = float(f"{value * scale:.15g}")  # 57 * 0.01 is 0.57 to whoever reads it
    return None if scaled in (float("inf"), float("-inf")) else scaled


def name_of(text: str) -> str | None:
    """The name that a text is, as captured but for the spaces around it; None where it can be none."""
    name = text.strip()
    return name if name and len(name) <= MAX_NAME and name.isprintable() else None
