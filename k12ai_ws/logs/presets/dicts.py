"""Dictionaries: JSON lines, Python's own print of one (Hugging Face's Trainer), and both over several lines
(`json.dumps(..., indent=2)`, `pprint`).
"""

import json
import re

from k12ai_ws.wire.bodies import Json

from .reading import Reading, number
from .vocabulary import POSITIONS, kind, normal

_ITEM = re.compile(
    r"""(['"])(?P<name>[^'"\n]{1,80})\1\s*:\s*(?:(?:\w{1,20}\([^{}\n]{0,40})?(?P<opens>\{)|(?P<list>\[)?(?:(?:np\.|numpy\.|torch\.|jnp\.)?[a-z]+\d*\()?['"]?"""
    r"""(?P<number>[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?|[-+]?nan|[-+]?inf)(?=['",)}\]\s]|$)"""
    r"""(?(list)(?=['"]?\)?\])|))|(?P<closes>\})""",
    re.IGNORECASE,
)
_TUPLE = re.compile(r"""\(('[^'\n]{1,80}'|"[^"\n]{1,80}"), """)
"""Of an ordered dictionary before Python 3.12: `OrderedDict([('loss', 0.5), ('acc', 0.9)])`."""
_DEEPEST = 5
_LONGEST_NAME = 200
_WHERE = POSITIONS.keys() - {"epochs", "steps", "iterations", "iters"}
_INSIDE = re.compile(r"""\s*(?:["'\[\]{}]|[-+]?\d|true\b|false\b|null\b|None\b|True\b|False\b|nan\b|NaN\b)""")
_FIRST = re.compile(r"""\s*\{\s*(?:["'][^"']{1,80}["']:.*,\s*)?$""")
_MOST = 20_000


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
            return _without_settings(reading, parsed)
    path: list[str] = []
    for match in _ITEM.finditer(body):
        if match["closes"]:
            del path[-1:]
        elif match["opens"]:
            path.append(match["name"])
        else:
            _place(reading, "/".join([*path, match["name"]]), number(match["number"]), match["number"])
    return reading


def ordered(text: str) -> str:
    """The text, with an ordered dictionary in it written as a plain one."""
    if "OrderedDict([(" not in text:
        return text
    return _TUPLE.sub(r"\1: ", text.replace("OrderedDict([", "{").replace("])", "}"))


def _without_settings(reading: Reading, parsed: dict[str, Json]) -> Reading:
    """`epochs` and `steps` beside unknown numbers alone are settings: how many there shall be."""
    if not reading.metrics and not any(normal(str(name)) in _WHERE for name in parsed):
        reading.others.clear()
    return reading


def _of_list(items: list[Json]) -> Json:
    """The number of a list of one; a dictionary of `[{"name": "loss", "value": 0.5}, ...]`; else the list."""
    if len(items) == 1 and isinstance(items[0], int | float):
        return items[0]
    if items and all(isinstance(item, dict) and {"name", "value"} <= item.keys() for item in items):
        return {str(item["name"]): item["value"] for item in items}
    return items


def _flatten(items: dict[str, Json], path: str, reading: Reading, depth: int) -> None:
    for name, value in items.items():
        if isinstance(value, list) and depth < _DEEPEST:
            value = _of_list(value)  # noqa: PLW2901
        full = f"{path}/{name}" if path else str(name)
        if isinstance(value, dict) and depth < _DEEPEST:
            _flatten(value, full, reading, depth + 1)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            if isinstance(value, str) and re.fullmatch(
                r"[-+]?(?:\d++(?:\.\d*+)?(?:[eE][-+]?\d++)?|nan|inf)", value.strip(), re.IGNORECASE
            ):
                _place(reading, full, number(value.strip()), value)
        else:
            exact = float(value) if abs(value) < 1e300 else None  # an int may be larger than any float
            _place(reading, full, value if exact is not None and len(str(value)) < 19 else exact, repr(value))


def _place(reading: Reading, name: str, value: float | None, printed: str) -> None:
    if not (name.isprintable() and len(name) <= _LONGEST_NAME):
        return  # half a surrogate, a control character: nothing that a name is made of
    what = kind(name)
    if what == "position":
        if value is not None and not (normal(name) == "update" and "." in printed):  # fairseq's share of an epoch
            reading.positions.setdefault(POSITIONS[normal(name)], value)
    elif what == "metric":
        reading.metrics.setdefault(name, value)
    elif what == "companion":
        reading.companions.setdefault(name, value)
    elif what == "other" and not printed.lstrip("+-").isdigit():
        reading.others.setdefault(name, value)


class BlockReader:
    """Reads a dictionary that goes over several lines; its lines so far are in `state["block"]`."""

    def __init__(self, state: dict[str, Json]) -> None:
        self._state = state

    def takes(self, line: str) -> bool:
        """Whether this line begins such a dictionary, or goes on with it."""
        return "block" in self._state or (bool(_FIRST.match(line)) and line.count("{") > line.count("}"))

    def read(self, line: str) -> tuple[Reading | None, bool]:
        """What the dictionary shows, with its last line or the first that is none of it (None before that), and whether
        this line was one of it.
        """
        before = self._state.get("block", [])
        inside = bool(_INSIDE.match(line)) and sum(map(len, before)) + len(line) < _MOST
        lines = [*before, line] if inside else before
        text = "\n".join(lines)
        ended = text.count("{") <= text.count("}")
        if inside and not ended:
            self._state["block"] = lines
            return None, True
        self._state.pop("block", None)
        reading = read_dict(text if ended else text + "}")
        shows = reading is not None and (reading.metrics or (reading.others and reading.positions))
        return (reading if shows else None), inside
