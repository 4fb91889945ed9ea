"""How long to wait before the next attempt: doubling, capped, and with jitter, so that clients do not come in step."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds: `first_s`, doubled each time up to `cap_s`; of each, between half and all is taken.

    `give_up_after` attempts in a row that failed are enough; None goes on for ever. `random` gives floats in [0, 1).
    """

    first_s: float = 0.25
    cap_s: float = 15.0
    give_up_after: int | None = None
    random: Callable[[], float] = random.random

    def delay(self, attempt: int) -> float:
        """Seconds to wait before attempt number `attempt` (from 1).

        >>> [Backoff(1, 5, random=lambda: 0.0).delay(n) for n in (1, 2, 3, 4, 1000)]
        [0.5, 1.0, 2.0, 2.5, 2.5]
        """
        whole = min(self.cap_s, self.first_s * 2.0 ** min(attempt - 1, 60))
        return whole * (0.5 + self.random() / 2)

    def exhausted(self, attempt: int) -> bool:
        """Whether attempt number `attempt` is one too many."""
        return self.give_up_after is not None and attempt > self.give_up_after
