"""Coming back from what does not end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Hanging(BaseException):
    """The reader did not come back. Not an Exception: those the reader itself may catch."""


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Raises Hanging where what runs inside takes more CPU time of this process. In the main thread alone; regexes too
    are interrupted.
    """

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hanging

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
