"""What a feed asks of a connection."""

from typing import Protocol


class Sink(Protocol):
    """Where a feed's frames go."""

    def send(self, frame: bytes) -> bool:
        """Takes the frame, or several joined into one piece of bytes; False: more is unsent than the reader may have
        outstanding, so stop pushing for now.
        """
        ...

    async def drained(self) -> None:
        """Returns once little enough is unsent. Raises nothing: a closed sink is drained."""
        ...

    def fail(self) -> None:
        """The feed is broken: ends the connection, so that the reader comes back and resumes."""
        ...

    def end(self) -> None:
        """Nothing more can be told: ends the connection once all that was sent is taken."""
        ...
