"""How often a progress bar is worth an event."""

import re
from collections.abc import Iterator
from dataclasses import asdict

from k12ai_ws.wire.bodies import Json, Progress

from .bars import read_progress
from .limits import Limits

_DIGITS = re.compile(r"\d+")


class ProgressMeter:
    """Throttles bars by the log's own time: at most one event of a bar each interval, the last one always sent."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sent: dict[str, int] = {}  # bar -> when its last event went out
        self._last: dict[str, Progress] = {}  # bar -> that event
        self._held: dict[str, Progress] = {}  # bar -> its newest state that waits
        self._new: list[int] = []  # when the last bars began, or ended because another one followed
        self._run: tuple[str, str, int] | None = None  # the bar whose states are put off, and the time of that
        self._unread = ""  # the last of these states

    def tick(self, at_ms: int) -> Iterator[Progress]:
        """The waiting states whose time has come."""
        self._settle()
        if self._held:
            late = [k for k in self._held if at_ms - self._sent.get(k, -(10**15)) >= self._limits.progress_interval_ms]
            for key in late:
                yield self._send(key, self._held.pop(key), at_ms)

    def draw(self, stream: str, text: str, at_ms: int) -> list[Progress]:
        """A state that is drawn over was seen. While nothing of its bar may be sent, only the last one is read."""
        at = text.find("%|")
        if at > 0:
            key = (stream, text[:at].rstrip("0123456789. "), at_ms)
            if key == self._run:
                self._unread = text
                return []
            self._settle()
            state = read_progress(text)
            if state is None:
                return []
            events = self.see(stream, state, at_ms)
            if self._sent.get(self._key(stream, state), -(10**15)) > at_ms - self._limits.progress_interval_ms:
                self._run = key
            return events
        state = read_progress(text)
        return self.see(stream, state, at_ms) if state else []

    def _settle(self) -> None:
        """Reads the state that was put off. It can only wait: its bar was sent a moment ago."""
        if self._run is not None:
            stream, _, at_ms = self._run
            text, self._run, self._unread = self._unread, None, ""
            if text and (state := read_progress(text)):
                self.see(stream, state, at_ms)

    @staticmethod
    def _key(stream: str, state: Progress) -> str:
        return f"{stream}:{state.desc}:{state.total}"

    def see(self, stream: str, state: Progress, at_ms: int) -> list[Progress]:
        """A bar was drawn: the events to send now, if any."""
        self._settle()
        key = self._key(stream, state)
        overtaken = self._overtaken(key, at_ms)
        sent = self._sent.get(key)
        if self._last.get(key) == state:
            self._held.pop(key, None)
            return overtaken
        if sent is None:
            if self._room(at_ms):
                return [*overtaken, self._send(key, state, at_ms)]
        elif at_ms - sent >= self._limits.progress_interval_ms or at_ms < sent:
            self._held.pop(key, None)
            return [*overtaken, self._send(key, state, at_ms)]
        self._held[key] = state
        if len(self._held) > self._limits.bars:
            del self._held[next(iter(self._held))]
        return overtaken

    def _overtaken(self, key: str, at_ms: int) -> list[Progress]:
        """What waits of bars that this one follows (`Epoch 3/20` before `Epoch 4/20`): given now or never, so that
        nobody sees progress go back.
        """
        family = _DIGITS.sub("#", key)
        before = [other for other in self._held if other != key and _DIGITS.sub("#", other) == family]
        states = [(other, self._held.pop(other)) for other in before]
        return [self._send(other, state, at_ms) for other, state in states if self._room(at_ms)]

    def _room(self, at_ms: int) -> bool:
        """Whether one more bar may begin or end in this second."""
        self._new = [t for t in self._new if 0 <= at_ms - t < 1000]
        if len(self._new) >= self._limits.bars_per_second:
            return False
        self._new.append(at_ms)
        return True

    def _send(self, key: str, state: Progress, at_ms: int) -> Progress:
        self._sent.pop(key, None)
        self._sent[key] = at_ms
        self._last[key] = state
        if len(self._sent) > self._limits.bars:
            oldest = next(iter(self._sent))
            del self._sent[oldest], self._last[oldest]
        return state

    def flush(self, at_ms: int) -> list[Progress]:
        """Everything that waits, now."""
        self._settle()
        held, self._held = self._held, {}
        return [self._send(key, state, at_ms) for key, state in held.items()]

    def dump(self) -> Json:
        """The state, as JSON."""
        self._settle()
        return [
            dict(self._sent),
            {key: asdict(state) for key, state in self._last.items()},
            {key: asdict(state) for key, state in self._held.items()},
            list(self._new),
        ]

    def load(self, state: Json) -> None:
        """Goes on from a dumped state."""
        sent, last, held, new = state
        self._sent, self._new = dict(sent), list(new)
        self._last = {key: Progress(**fields) for key, fields in last.items()}
        self._held = {key: Progress(**fields) for key, fields in held.items()}
