"""Lines that carry a dictionary: JSON lines, and Python's own print of one (Hugging Face's Trainer)."""

import json
import math
import re

from k12ai_ws.wire.bodies import Json

from .reading import Reading, number
from .vocabulary import POSITIONS, kind, normal

_ITEM = re.compile(
    r"""(['"])(?P<name>[^'"\n]{1,80})\1\s*:\s*(?:(?:np\.|numpy\.|torch\.|jnp\.)?[a-z]+\d*\()?['"]?"""
    r"""(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?nan|[-+]?inf)(?=['",)}\]\s]|$)""",
    re.IGNORECASE,
)
_DEEPEST = 5


def read_dict(text: str) -> Reading | None:
    """What a dictionary in this text shows, or None where there is none. `text` may have words before it."""
    at = text.find("{")
    if at < 0 or "}" not in text:
        return None
    body = text[at:].strip()
    reading = Reading()
    if body.endswith("}"):
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, dict):
            _flatten(parsed, "", reading, 0)
            return reading
    for match in _ITEM.finditer(body):
        _place(reading, match["name"], number(match["number"]), match["number"])
    return reading


def _flatten(items: dict[str, Json], path: str, reading: Reading, depth: int) -> None:
    for name, value in items.items():
        full = f"{path}/{name}" if path else str(name)
        if isinstance(value, dict) and depth < _DEEPEST:
            _flatten(value, full, reading, depth + 1)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            if isinstance(value, str) and re.fullmatch(
                r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)", value.strip(), re.IGNORECASE
            ):
                _place(reading, full, number(value.strip()), value)
        else:
            _place(reading, full, value if math.isfinite(value) else None, repr(value))


def _place(reading: Reading, name: str, value: float | None, printed: str) -> None:
    what = kind(name)
    if what == "position":
        if value is not None:
            reading.positions.setdefault(POSITIONS[normal(name)], value)
    elif what == "metric":
        reading.metrics.setdefault(name, value)
    elif what == "companion":
        reading.companions.setdefault(name, value)
    elif what == "other" and not printed.lstrip("+-").isdigit():
        reading.others.setdefault(name, value)
