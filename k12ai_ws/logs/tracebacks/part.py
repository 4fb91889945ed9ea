"""One exception of a traceback, as its lines."""

from dataclasses import dataclass, field

from k12ai_ws.wire.bodies import Json


@dataclass(slots=True)
class Part:
    """One exception of a block: the lines of its frames, its first line, text, notes and how it led to the next."""

    frames: list[str] = field(default_factory=list)
    exc_type: str | None = None
    text: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    relation: str | None = None
    group: list[Json] = field(default_factory=list)
