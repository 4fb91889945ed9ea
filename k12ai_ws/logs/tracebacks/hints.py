"""The cheapest test: which lines can have anything to do with a traceback."""

from collections.abc import Sequence

HINTS = ("rror", "raceback", "xception", 'File "', "nterrupt", "Exit", "Iteration", "Timeout", "Warning", "ell In[")
"""Without one of these a line can begin no traceback."""


def has_hint(line: str, hints: Sequence[str] = HINTS) -> bool:
    """Whether one of these literals is in the line."""
    return any(hint in line for hint in hints)
