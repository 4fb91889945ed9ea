"""The cheapest test: which lines can have anything to do with a traceback."""

HINTS = ("rror", "raceback", "xception", 'File "', "nterrupt", "Exit", "Iteration", "Timeout", "Warning", "ell In[")
"""Without one of these a line can begin no traceback."""


def has_hint(line: str) -> bool:
    """Whether this line may begin a traceback."""
    return any(hint in line for hint in HINTS)
