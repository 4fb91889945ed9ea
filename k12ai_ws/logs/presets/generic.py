"""The reader behind every preset: dictionaries, tables and named numbers, and what lines above say of them."""

import re
from collections.abc import Iterable

from k12ai_ws.logs.parser import Found, LogParser
from k12ai_ws.wire.bodies import Metrics

from .dicts import BlockReader, ordered, read_dict
from .frameworks import FRAMEWORKS, SHAPES
from .learned import Learner, Said
from .pairs import PairReader, read_positions
from .prefilter import SIGNS, heads_plan, may_head
from .preset import ALL, Preset
from .reading import Reading
from .recognise import Recogniser, is_over
from .records import message_of
from .tables import TableReader
from .vocabulary import kind, plain, says_no_more
from .wrapped import WRAPPED, Unwrapper

AUTO = Preset("auto", "any framework, recognised from the log itself", ALL, (), SHAPES)
_HEADING = re.compile(
    r"\W{0,40}epoch\s{0,4}:?\s{0,4}[\[(]?\s{0,8}#?(\d+)\b(?:\s{0,4}(?:/|of|\|)\s{0,4}\d+)?(?:\W{0,4}\(\d+/\d+\))?"
    r"(?:\W{1,6}(?:(?:epoch )?time|lr|learning rate)\W{1,4}(?:\d[\d.:e-]{0,15} ?(?:[hms]|min|sec|seconds)? ?){1,3})?"
    r"\W{0,80}$"
    r"|\[epoch=(\d+)\](?:\[batch=\d+/\d+\])?:\s*$",
    re.IGNORECASE,
)
"""`Epoch 3/10`, `Epoch: [3 | 164] LR: 0.1`, `Epoch: 03 | Time: 0m 12s`, Composer's `[epoch=1][batch=10/100]:`."""
_SETTINGS = re.compile(
    r"(?:param(?:eter)?s?|config(?:uration)?s?|settings?|options?|arg(?:ument)?s|space|weights?)\W{0,8}$", re.IGNORECASE
)
"""What stands before a dictionary of settings."""
_DUMPED = re.compile(r"\s{10,60}\w{1,40}: \S{1,20}\s*(?:\[default: [^\n]{0,80}\]\s*)?$")
"""A line of a dump of options: `                   loss_D: 0.5                           `."""
_ITEMS = re.compile(r"\{\s*(['\"])[^'\"\n]{1,80}\1\s*:")
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
        writers = [preset for preset in presets if "pairs" in preset.readers]
        self._only = [shape for preset in writers for shape in preset.shapes] if all(p.only for p in writers) else None
        self._learner = Learner(self._plainly)
        self._sure = False  # that it has begun, and which framework it is: both stay so
        self._named = None if AUTO in presets else presets[0].name

    @property
    def framework(self) -> str | None:
        """The preset of the framework that wrote this log, or None where nothing told it yet."""
        return self._named or self.state.get("framework")

    def feed(self, line: str) -> Iterable[Found]:
        """The metrics of this line."""
        if "wrapped" in self.state or "━" in line:  # what stands below may belong to it, whatever was learned
            return [found for whole in Unwrapper(self.state).lines(line) for found in self._metrics(whole)]
        if self._settled() and (learned := self._learner.known(line)) is not None:
            return (Metrics(self._placed(learned.values(line), learned.said)),)
        return self._metrics(line)

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
        if "begun" not in self.state:
            self._plan(line)
        return [
            Metrics(self._placed(values, Said.of(values, reading.positions)))
            for reading in self._read(line)
            if (values := reading.values()) is not None and not self._are_settings(line, reading)
        ]

    def _plan(self, line: str) -> None:
        """Remembers that the indented lines below are settings, until one is not indented."""
        if heads_plan(line):
            self.state["plan"] = True
        elif not line[:1].isspace():
            self.state.pop("plan", None)

    def _are_settings(self, line: str, reading: Reading) -> bool:
        """Whether these are a program's settings: before anything was reported, round numbers (two digits at most)
        whose names say more than any metric's name, or that stand in a dump of settings.
        """
        if self.state.get("begun"):
            return False
        if reading.positions:
            self.state["begun"] = True
            return False
        names = [name for name in (*reading.metrics, *reading.others) if kind(name) != "companion"]
        told = [name for name in names if not says_no_more(name)] or names
        if not all(_is_round(reading.metrics.get(name, 0)) for name in told):
            return False
        planned = "plan" in self.state and line[:1].isspace()
        return planned or bool(_DUMPED.match(line)) or not all(map(plain, told))

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
        if ("poch" in line or "POCH" in line) and (heading := _HEADING.match(message_of(line[:300]))):
            self.state["epoch"] = int((heading[1] or heading[2])[:15])
            self.state["begun"] = True
            self.state.pop("last", None)
            return []
        if line.startswith(("[CV", "Function value obtained")):  # a search of scikit-learn or scikit-optimize
            self.state["begun"] = True
        if "tables" in self.readers and ("columns" in self.state or may_head(line)):
            reading = TableReader(self.state, any_name=self._named is not None).read(line)
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
        if "dicts" in self.readers and ("{" in line or "OrderedDict([(" in line):
            text = ordered(message_of(line))
            before, opened, _ = text.partition("{")
            known = any(shape.hint in text and shape.pattern.search(text) for shape in _WHOLE)
            if not known and opened and _SETTINGS.search(before[-60:]):
                return []
            reading = None if known else read_dict(text)
            whole = reading is not None and bool(reading.positions) and text.rstrip().endswith("}")
            if reading is not None and (reading.metrics or reading.others or whole):
                reading.positions = {**read_positions(before), **reading.positions}
                return [reading]
        return self._pairs.read(line) if "pairs" in self.readers and self._is_theirs(line) else []

    def _is_theirs(self, line: str) -> bool:
        """Whether named numbers of this line are of these presets: no dictionary where they write none."""
        if "dicts" not in self.readers and "{" in line and _ITEMS.search(line):
            return False
        if self._only is None:
            return True
        text = message_of(line)
        return any(shape.hint in text and shape.pattern.search(text) for shape in self._only)


def _is_round(value: float | None) -> bool:
    """Whether a number has two digits at most that are not zero: 0.25, 1e-05, 300."""
    return value is not None and float(f"{value:.1e}") == value
