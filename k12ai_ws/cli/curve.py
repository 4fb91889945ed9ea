"""A small curve of one line."""

from collections.abc import Sequence
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """The values as a line of bars, at most `width` of them: neighbours are averaged where there are more.

    >>> sparkline([0, 1, 2, 3], 8), sparkline([5, 5], 8), sparkline([0, 0, 7, 7], 2)
    ('▁▃▆█', '▁▁', '▁█')
    """
    if not values or width < 1:
        return ""
    count = min(width, len(values))
    edges = [len(values) * i // count for i in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    span = high - low
    return "".join(BARS[round((m - low) / span * (len(BARS) - 1)) if span > 0 else 0] for m in means)
