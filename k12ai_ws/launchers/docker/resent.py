"""What an engine sends a second time: its `follow` begins a log file again where that is rotated under it.

Every message of a stream has a time of its own in nanoseconds, and the pieces of one line share one. A time that was
seen before is told from a clock that was set back: that gives times which nobody has seen.
"""

from collections import deque
from typing import Final

_REMEMBERED: Final = 1 << 16


class Resent:
    """One stream's. Timestamps of one fixed length, so that they compare as the times do."""

    def __init__(self) -> None:
        self._seen: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._pieces = 0  # of the newest
        self._repeated: int | None = None  # pieces of the newest that came again; None: nothing is being repeated

    def is_again(self, stamp: bytes) -> bool:
        """Whether the message of this time was there before; asked once for each, in the order of their coming."""
        seen = self._seen
        if not seen or stamp > seen[-1]:
            seen.append(stamp)
            self._pieces, self._repeated = 1, None
            return False
        if stamp == seen[-1]:
            if self._repeated is not None and self._repeated < self._pieces:
                self._repeated += 1
                return True
            self._pieces += 1
            self._repeated = None
            return False
        if self._repeated is None and not self._was_seen(stamp):
            seen.clear()  # the machine's clock was set back
            seen.append(stamp)
            self._pieces = 1
            return False
        self._repeated = 0
        return True

    def _was_seen(self, stamp: bytes) -> bool:
        return stamp in self._seen or (len(self._seen) == _REMEMBERED and stamp < self._seen[0])
