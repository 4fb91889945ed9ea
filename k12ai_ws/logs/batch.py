"""A saved log at once, and events as JSON objects: what `k12ai parse` prints."""

from collections.abc import Sequence

from k12ai_ws.wire.bodies import Json, LogEvent, LogLines
from k12ai_ws.wire.codes import Language

from .parser import LogParser
from .pipeline import Pipeline


def parse(data: bytes, parsers: Sequence[LogParser | str] = ("auto",), language: Language = "en") -> list[LogEvent]:
    """All events of a saved log, without its lines (`LogLines`). Raises UnknownPreset."""
    pipeline = Pipeline(parsers, language=language)
    events = pipeline.feed(data) + pipeline.close(at_ms=0)
    return [event for event in events if not isinstance(event, LogLines)]


def event_json(event: LogEvent, language: Language = "en") -> dict[str, Json]:
    """An event without its envelope: `{"type": "metrics", "metrics": {...}}`."""
    return {"type": event.type, event.type: event.body(language)}
