"""How often a progress bar is worth an event."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from k12ai_ws.wire.bodies import Json, Progress

from .bars import read_progress
from .limits import Limits
from .sieve import shape_of

_SHARE = "0123456789. "
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Run:
    """States of one bar, drawn one after the other at one time: what is done differs, `desc` and `total` do not.

    tqdm's change their shape as they grow. Of others only those are a run that differ in digits alone, and not in
    those of `same`.
    """

    stream: str
    at_ms: int
    first: str
    desc: str = ""
    total: str = ""
    shape: bytes | None = None
    same: tuple[tuple[slice, str], ...] = ()

    @classmethod
    def of(cls, stream: str, text: str, state: Progress, at_ms: int) -> "Run | None":
        """The run that a state begins; None where the line does not show its `desc` and `total` as they are."""
        if (at := text.find("%|")) >= 0:
            end = text.find(" ", text.find("|", at + 2) + 2)
            slash = text.rfind("/", at, end)
            if at < slash < end:
                return cls(stream, at_ms, text, text[:at].rstrip(_SHARE), text[slash : end + 1])
        same = []
        for shown in (state.desc, state.total):
            if shown is not None and _DIGITS.search(str(shown)):
                places = list(re.finditer(rf"(?<![\d.]){re.escape(str(shown))}(?![\d.])", text))
                if len(places) != 1:
                    return None
                same.append((slice(*places[0].span()), places[0][0]))
        return cls(stream, at_ms, text, shape=shape_of(text), same=tuple(same))

    def end(self, states: Sequence[str], start: int) -> int:
        """The index behind those states, from `start` on, that are of this run."""
        if self.shape is None:
            return self._end_of_tqdm(states, start)
        for index in range(start, len(states)):
            text = states[index]
            if shape_of(text) != self.shape or any(text[place] != shown for place, shown in self.same):
                return index
        return len(states)

    def _end_of_tqdm(self, states: Sequence[str], start: int) -> int:
        desc, total, length = self.desc, self.total, len(self.desc)
        for index in range(start, len(states)):
            text = states[index]
            if total not in text or not text.startswith(desc) or text[length : text.find("%|")].strip(_SHARE):
                return index
        return len(states)


class ProgressMeter:
    """Throttles bars by the log's own time: at most one event of a bar each interval, the last one always sent."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sent: dict[str, int] = {}  # bar -> when its last event went out
        self._last: dict[str, Progress] = {}  # bar -> that event
        self._held: dict[str, Progress] = {}  # bar -> its newest state that waits
        self._new: list[int] = []  # when the last bars began, or ended because another one followed
        self._run: Run | None = None  # the bar whose states are put off
        self._unread = ""  # the last of these states
        self._ticked: int | None = None  # when it was last asked for what waits

    def tick(self, at_ms: int) -> Iterator[Progress]:
        """The waiting states whose time has come."""
        if at_ms == self._ticked:
            return
        self._ticked = at_ms
        self._settle()
        for key in [key for key in self._held if self._may_send(key, at_ms)]:
            yield self._send(key, self._held.pop(key), at_ms)

    def _may_send(self, key: str, at_ms: int) -> bool:
        sent = self._sent.get(key)
        return self._room(at_ms) if sent is None else at_ms - sent >= self._limits.progress_interval_ms

    def draw(self, stream: str, states: Sequence[str], at_ms: int) -> list[Progress]:
        """States of bars were seen, one after the other. Of a bar's states at one time only the first and the last are
        read: nothing can be sent between them.
        """
        events: list[Progress] = []
        index = 0
        while index < len(states):
            if self._run is not None and (self._run.stream, self._run.at_ms) == (stream, at_ms):
                end = self._run.end(states, index)
                if end > index:
                    self._unread = states[end - 1]
                    index = end
                    continue
            self._settle()
            text = states[index]
            index += 1
            if (state := read_progress(text)) is not None:
                events += self.see(stream, state, at_ms)
                self._run = Run.of(stream, text, state, at_ms)
        return events

    def _settle(self) -> None:
        """Reads the state that was put off. It can only wait: of its bar something was seen at the same time."""
        if self._run is not None:
            run, text = self._run, self._unread
            self._run, self._unread = None, ""
            if text and (state := read_progress(text)):
                self.see(run.stream, state, run.at_ms)

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
        run = self._run
        return [
            dict(self._sent),
            {key: asdict(state) for key, state in self._last.items()},
            {key: asdict(state) for key, state in self._held.items()},
            list(self._new),
            self._ticked,
            [run.stream, run.at_ms, run.first, self._unread] if run is not None else None,
        ]

    def load(self, state: Json) -> None:
        """Goes on from a dumped state."""
        sent, last, held, new, self._ticked, run = state
        self._sent, self._new = dict(sent), list(new)
        self._last = {key: Progress(**fields) for key, fields in last.items()}
        self._held = {key: Progress(**fields) for key, fields in held.items()}
        self._run, self._unread = None, ""
        if run is not None:
            stream, at_ms, first, self._unread = run
            if (began := read_progress(first)) is not None:
                self._run = Run.of(stream, first, began, at_ms)
