"""Whether a channel's client lives: when to ping it, and how long it has been silent."""

from enum import Enum, auto
from typing import Protocol

from k12ai_ws.settings import ChannelSettings


class Beat(Enum):
    """What to do at a tick."""

    NOTHING = auto()
    PING = auto()
    DEAD = auto()


class Backlog(Protocol):
    """What a pulse looks at: `websocket.connection.Connection` has it."""

    taken: int

    @property
    def behind(self) -> bool:
        """Whether anything waits for the socket to take it."""
        ...


class Pulse:
    """One client's pings and pongs. Times in seconds of the monotonic clock.

    Silence counts only while a pong could come through: not while a request is being handled, for nothing is read
    from the client then; and not while the client takes what waits for it, for the ping waits behind that. A client
    that takes nothing of it is as silent as any.
    """

    __slots__ = ("_awaiting", "_settings", "_since", "_sink", "_taken")

    def __init__(self, settings: ChannelSettings, sink: Backlog, now: float) -> None:
        self._settings = settings
        self._sink = sink
        self._taken = 0
        self._since = now  # the last ping, or the last sign of life after it
        self._awaiting = False

    def pong(self) -> None:
        """The client answered a ping."""
        self._awaiting = False

    def heard(self, now: float) -> None:
        """The client sent something else: its pong may come behind it."""
        if self._awaiting:
            self._since = now

    def tick(self, now: float, *, busy: bool) -> Beat:
        """What is due; `busy`: a request of the client's is being handled."""
        takes = self._sink.behind and self._sink.taken != self._taken
        self._taken = self._sink.taken
        if not self._awaiting:
            if now - self._since < self._settings.ping_interval_s:
                return Beat.NOTHING
            self._since, self._awaiting = now, True
            return Beat.PING
        if busy or takes:
            self._since = now
        return Beat.DEAD if now - self._since >= self._settings.pong_timeout_s else Beat.NOTHING
