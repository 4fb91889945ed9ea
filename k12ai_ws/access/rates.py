"""How often somebody may ask: token buckets, in a table that cannot grow without end."""

import math
from collections import OrderedDict
from collections.abc import Callable

MOST_KEYS = 10_000


class Buckets:
    """A bucket of `burst` per key, filled up with `rate` a second. A key that is forgotten begins full again.

    The table holds `most` keys; the one that was used least recently goes first.
    """

    def __init__(self, rate: float, burst: float, now: Callable[[], float], most: int = MOST_KEYS) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._now = now
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> float:
        """Takes one; 0 where there was one, else the seconds until there will be."""
        level, now = self._level(key)
        if level < 1.0:
            return (1.0 - level) / self._rate
        self._buckets[key] = (level - 1.0, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0

    def give(self, key: str) -> None:
        """Gives one back."""
        level, now = self._level(key)
        if key in self._buckets:
            self._buckets[key] = (min(self._burst, level + 1.0), now)

    def _level(self, key: str) -> tuple[float, float]:
        now = self._now()
        level, since = self._buckets.get(key, (self._burst, now))
        return min(self._burst, level + (now - since) * self._rate), now


def whole_seconds(wait: float) -> int:
    """For Retry-After: at least 1."""
    return max(1, math.ceil(wait))
