"""What one line shows: positions, metrics, and numbers that only count beside them."""

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Reading:
    """What a line shows: positions (epoch, step), metrics, and names that only stand beside metrics."""

    positions: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    companions: dict[str, float | None] = field(default_factory=dict)
    others: dict[str, float | None] = field(default_factory=dict)

    def values(self) -> dict[str, float | None] | None:
        """The metrics event of this line, or None where it shows none. Names that are no known metric count where a
        position or a known metric stands in the same line.
        """
        if not self.metrics and not (self.others and self.positions):
            return None
        return {**self.positions, **self.metrics, **self.others, **self.companions}


def number(text: str) -> float | None:
    """The number as an int where it is whole, a float, or None where it is not finite."""
    if text.isdigit() and len(text) < 19:
        return int(text)
    try:
        value = float(text)
    except ValueError:
        value = float(text.replace(",", ""))
    if not math.isfinite(value):
        return None
    return int(value) if text.lstrip("+-").isdigit() and len(text) < 19 else value
