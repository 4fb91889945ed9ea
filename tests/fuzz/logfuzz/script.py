"""How one log came: its chunks, their streams and times, and the moments of silence. The same log can come in many."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from k12ai_ws.logs.limits import Limits
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import Fault, LogEvent, LogLines, Metrics, Progress, Stream
from k12ai_ws.wire.codes import Language

STREAMS: tuple[Stream, Stream] = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class Op:
    """One step: bytes that came (`feed`), a silence (`idle`), or a restart of the server (`restart`)."""

    what: str
    at_ms: int = 0
    data: bytes = b""
    stream: Stream = "stdout"


@dataclass(frozen=True, slots=True)
class Reader:
    """How a log is read: presets, bounds, language."""

    presets: tuple[str, ...] = ("auto",)
    limits: Limits = field(default_factory=Limits)
    language: Language = "en"

    def pipeline(self) -> Pipeline:
        """A new one."""
        return Pipeline(list(self.presets), limits=self.limits, language=self.language)


@dataclass(slots=True)
class Outcome:
    """What reading gave. How lines are packed into `log` events is no part of it: that follows the chunks."""

    lines: dict[str, list[str]] = field(default_factory=lambda: {stream: [] for stream in STREAMS})
    truncated: int = 0
    events: list[LogEvent] = field(default_factory=list)
    raw: list[LogEvent] = field(default_factory=list)
    state_chars: int = 0
    """The largest dumped state, as JSON text; 0 where nothing was dumped."""

    def add(self, events: Sequence[LogEvent]) -> None:
        """Sorts events in."""
        self.raw += events
        for event in events:
            if isinstance(event, LogLines):
                self.lines[event.stream] += event.lines
                self.truncated += event.truncated
            else:
                self.events.append(event)

    def same(self, other: "Outcome") -> str | None:
        """What differs, or None."""
        for stream in STREAMS:
            if self.lines[stream] != other.lines[stream]:
                return f"lines of {stream}: {_first(self.lines[stream], other.lines[stream])}"
        if self.truncated != other.truncated:
            return f"truncated bytes: {self.truncated} and {other.truncated}"
        for what, kind in (("", Fault), ("", Metrics), ("progress ", Progress)):
            one, two = ([e for e in each.events if isinstance(e, kind)] for each in (self, other))
            if one != two:
                return f"{what}events: {_first(one, two)}"
        if self.events != other.events:
            return f"order of events: {_first(self.events, other.events)}"
        return None


def _first(one: Sequence[object], other: Sequence[object]) -> str:
    for index in range(max(len(one), len(other))):
        a = one[index] if index < len(one) else "nothing"
        b = other[index] if index < len(other) else "nothing"
        if a != b:
            return f"#{index}: {str(a)[:700]!r}\n    and {str(b)[:700]!r}"
    return "equal"


def play(script: Sequence[Op], reader: Reader) -> Outcome:
    """Reads a log as it came."""
    outcome, pipeline, at_ms = Outcome(), reader.pipeline(), 0
    for op in script:
        at_ms = op.at_ms
        if op.what == "feed":
            outcome.add(pipeline.feed(op.data, stream=op.stream, at_ms=at_ms))
        elif op.what == "idle":
            outcome.add(pipeline.idle(at_ms=at_ms))
        else:
            text = json.dumps(pipeline.dump())
            outcome.state_chars = max(outcome.state_chars, len(text))
            pipeline = reader.pipeline()
            pipeline.load(json.loads(text))
    outcome.add(pipeline.close(at_ms=at_ms))
    return outcome


def written(data: bytes, rng: Random) -> list[Op]:
    """A log as it may have come: all at once or in chunks, from one stream or two, in no time or over some seconds."""
    if rng.random() < 0.3:
        return [Op("feed", 0, data)]
    two, at_ms, out = rng.random() < 0.3, 0, []
    edges = sorted({0, len(data), *(rng.randint(0, len(data)) for _ in range(rng.randint(0, 6)))})
    for start, end in pairwise(edges):
        out.append(Op("feed", at_ms, data[start:end], rng.choice(STREAMS) if two else "stdout"))
        at_ms += rng.choice((0, 0, 1, 60, 249, 250, 1000, 5000)) - (rng.random() < 0.03) * 400
        if rng.random() < 0.08:
            out.append(Op("idle", at_ms))
    return out


def split(script: Sequence[Op], rng: Random, *, restarts: bool, single: bool = False) -> list[Op]:
    """The same log in smaller chunks; `single`: in bytes. With `restarts` the server is restarted between some."""
    out: list[Op] = []
    for op in script:
        if op.what != "feed":
            out.append(op)
            continue
        size = len(op.data)
        few = {rng.randint(0, size) for _ in range(rng.choice((1, 2, 3, 8)))}
        edges = list(range(size + 1)) if single else sorted({0, size, *few})
        for start, end in pairwise(edges):
            out.append(Op("feed", op.at_ms, op.data[start:end], op.stream))
            if restarts and (not single or rng.random() < 0.02):
                out.append(Op("restart", op.at_ms))
    return out
