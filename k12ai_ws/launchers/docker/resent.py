"""What an engine sends a second time: its `follow` begins a log file again where that is rotated under it.

Every message of a stream has a time of its own in nanoseconds, and the pieces of one line share one. A time that was
seen before is told from a clock that was set back: that gives times which nobody has seen.
"""

from collections import deque
from typing import Final

_REMEMBERED: Final = 1 << 16


class Resent:
    """One stream's, whose long lines come in pieces of so many bytes. Timestamps of one fixed length, so that they
    compare as the times do.
    """

    def __init__(self, piece_bytes: int) -> None:
        self._piece_bytes = piece_bytes
        self._seen: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._first = b""  # piece of the newest
        self._last = b""  # piece of the newest so far
        self._pieces = 0  # of the newest
        self._repeated: int | None = None  # pieces of the newest that came again; None: nothing is being repeated

    def is_again(self, stamp: bytes, payload: bytes) -> bool:
        """Whether the message of this time was there before; asked once for each, in the order of their coming."""
        seen = self._seen
        if not seen or stamp > seen[-1]:
            self._is_newest(stamp, payload)
            return False
        if stamp == seen[-1]:
            if self._repeated is not None and self._repeated < self._pieces:
                self._repeated += 1
                return True
            if self._begins_again(payload):
                self._repeated = 1
                return True
            self._last = payload
            self._pieces += 1
            self._repeated = None
            return False
        if self._repeated is None and not self._was_seen(stamp):
            seen.clear()  # the machine's clock was set back
            self._is_newest(stamp, payload)
            return False
        self._repeated = 0
        return True

    def _is_newest(self, stamp: bytes, payload: bytes) -> None:
        self._seen.append(stamp)
        self._first = self._last = payload
        self._pieces, self._repeated = 1, None

    def _begins_again(self, payload: bytes) -> bool:
        """Whether this is the newest line's first piece again, and not its next one: the file held no line before it.

        Full pieces that are all alike cannot be told apart, and count as a line that goes on.
        """
        return payload == self._first and (self._last.endswith(b"\n") or len(self._last) < self._piece_bytes)

    def _was_seen(self, stamp: bytes) -> bool:
        return stamp in self._seen or (len(self._seen) == _REMEMBERED and stamp < self._seen[0])
