"""The reader behind every preset: dictionaries, tables and named numbers, and what lines above say of them."""

import re
from collections.abc import Iterable

from k12ai_ws.logs.parser import Found, LogParser
from k12ai_ws.wire.bodies import Metrics

from .dicts import BlockReader, read_dict
from .frameworks import FRAMEWORKS, SHAPES
from .learned import Learner, Said
from .pairs import PairReader, read_positions
from .prefilter import SIGNS, may_head
from .preset import ALL, Preset
from .reading import Reading
from .recognise import Recogniser, is_over
from .records import message_of
from .tables import TableReader
from .vocabulary import kind, plain
from .wrapped import WRAPPED, Unwrapper

AUTO = Preset("auto", "any framework, recognised from the log itself", ALL, (), SHAPES)
_HEADING = re.compile(r"^\W*epoch\s*:?\s*[\[(]?\s*(\d+)\b(?:\s*(?:/|of)\s*\d+)?\W*$", re.IGNORECASE)
_SETTINGS = re.compile(
    r"(?:param(?:eter)?s?|config(?:uration)?s?|settings?|options?|arg(?:ument)?s|space|weights?)\W{0,8}$", re.IGNORECASE
)
"""What stands before a dictionary of settings."""
_WHOLE = tuple(shape for shape in SHAPES if shape.whole)


class GenericParser(LogParser):
    """Reads what these presets read (`auto` where none is given): dictionaries, tables and named numbers, in this
    order; the first that knows the line has it.

    `epoch` of a heading (`Epoch 3/10` alone on its line) stands beside the metrics of the lines below it.
    """

    signs = f"{SIGNS}|{WRAPPED}"

    def __init__(self, *presets: Preset) -> None:
        presets = presets or (AUTO,)
        self.readers = frozenset(reader for preset in presets for reader in preset.readers)
        self._pairs = PairReader(tuple(dict.fromkeys(shape for preset in presets for shape in preset.shapes)))
        self._learner = Learner(self._plainly)
        self._sure = False  # that it has begun, and which framework it is: both stay so
        self._named = None if AUTO in presets else presets[0].name

    @property
    def framework(self) -> str | None:
        """The preset of the framework that wrote this log, or None where nothing told it yet."""
        return self._named or self.state.get("framework")

    def feed(self, line: str) -> Iterable[Found]:
        """The metrics of this line."""
        if self._settled() and (learned := self._learner.known(line)) is not None:
            return (Metrics(self._placed(learned.values(line), learned.said)),)
        if "wrapped" not in self.state and "━" not in line:
            return self._metrics(line)
        return [found for whole in Unwrapper(self.state).lines(line) for found in self._metrics(whole)]

    def _settled(self) -> bool:
        """Whether nothing above decides what the next line is."""
        state = self.state
        if "columns" in state or "block" in state or "wrapped" in state:
            return False
        if not self._sure:
            self._sure = bool(state.get("begun")) and (self._named is not None or is_over(state))
        return self._sure

    def close(self) -> Iterable[Found]:
        """The metrics of a bar that was still being drawn."""
        return [found for whole in Unwrapper(self.state).rest() for found in self._metrics(whole)]

    def _metrics(self, line: str) -> list[Metrics]:
        if self._named is None and not is_over(self.state):
            Recogniser(self.state, FRAMEWORKS).look(line)
        return [
            Metrics(self._placed(values, Said.of(values, reading.positions)))
            for reading in self._read(line)
            if (values := reading.values()) is not None and not self._are_settings(reading)
        ]

    def _are_settings(self, reading: Reading) -> bool:
        """Whether these are a program's settings: before anything was reported, round numbers (two digits at most)
        whose names say more than any metric's name.
        """
        if self.state.get("begun"):
            return False
        if reading.positions:
            self.state["begun"] = True
            return False
        names = [name for name in (*reading.metrics, *reading.others) if kind(name) != "companion"]
        return all(_is_round(reading.metrics.get(name, 0)) for name in names) and not all(map(plain, names))

    def _placed(self, values: dict[str, float | None], said: Said) -> dict[str, float | None]:
        """Adds the positions that lines above said: those of the training line that a validation line follows, and
        the epoch of the last heading.
        """
        if said.positions:
            self.state["last"] = {name: values[name] for name in said.positions}
        elif said.validation:
            values = {**self.state.get("last", {}), **values}
        if "epoch" in values or "epoch" not in self.state or said.test:
            return values
        return {"epoch": self.state["epoch"], **values}

    def _read(self, line: str) -> list[Reading]:
        if ("poch" in line or "POCH" in line) and (heading := _HEADING.match(line)):
            self.state["epoch"] = int(heading[1][:15])
            self.state["begun"] = True
            return []
        if "tables" in self.readers and ("columns" in self.state or may_head(line)):
            reading = TableReader(self.state).read(line)
            if reading is not None:
                return [reading]
        if "dicts" in self.readers and ("block" in self.state or line.lstrip()[:1] == "{"):
            block = BlockReader(self.state)
            if block.takes(line):
                reading, inside = block.read(line)
                return [*([reading] if reading else []), *([] if inside else self._read(line))]
        readings = self._plainly(line)
        self._learner.seen(line, readings)
        return readings

    def _plainly(self, line: str) -> list[Reading]:
        """What a line shows whatever stood above it."""
        if "dicts" in self.readers and "{" in line:
            text = message_of(line)
            known = any(shape.hint in text and shape.pattern.search(text) for shape in _WHOLE)
            if not known and _SETTINGS.search(text[: text.index("{")][-60:]):
                return []
            reading = None if known else read_dict(text)
            whole = reading is not None and bool(reading.positions) and text.rstrip().endswith("}")
            if reading is not None and (reading.metrics or reading.others or whole):
                reading.positions = {**read_positions(text[: text.index("{")]), **reading.positions}
                return [reading]
        return self._pairs.read(line) if "pairs" in self.readers else []


def _is_round(value: float | None) -> bool:
    """Whether a number has two digits at most that are not zero: 0.25, 1e-05, 300."""
    return value is not None and float(f"{value:.1e}") == value
