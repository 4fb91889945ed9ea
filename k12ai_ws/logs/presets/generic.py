"""The preset `auto`, and the narrower ones that are made of the same readers."""

import re
from collections.abc import Iterable

from k12ai_ws.logs.parser import Found, LogParser
from k12ai_ws.wire.bodies import Metrics

from .dicts import read_dict
from .pairs import PairReader, read_positions
from .prefilter import may_head
from .reading import Reading
from .records import message_of
from .tables import TableReader
from .vocabulary import is_validation

_HEADING = re.compile(r"^\W*epoch\s*:?\s*[\[(]?\s*(\d+)\b(?:\s*(?:/|of)\s*\d+)?\W*$", re.IGNORECASE)


class GenericParser(LogParser):
    """Reads dictionaries, tables and named numbers, in this order; the first that knows the line has it.

    `epoch` of a heading (`Epoch 3/10` alone on its line) stands beside the metrics of the lines below it.
    """

    dicts = True
    tables = True
    pairs = True
    known_only = True

    def __init__(self) -> None:
        self._pairs = PairReader(known_only=self.known_only)

    def feed(self, line: str) -> Iterable[Found]:
        """The metrics of this line."""
        return [
            Metrics(self._placed(values, reading.positions))
            for reading in self._read(line)
            if (values := reading.values()) is not None
        ]

    def _placed(self, values: dict[str, float | None], positions: dict[str, float]) -> dict[str, float | None]:
        """Adds the positions that lines above said: those of the training line that a validation line follows, and
        the epoch of the last heading.
        """
        if positions:
            self.state["last"] = positions
        elif all(is_validation(name) for name in values):
            values = {**self.state.get("last", {}), **values}
        if "epoch" in values or "epoch" not in self.state or any(name.lower().startswith("test") for name in values):
            return values
        return {"epoch": self.state["epoch"], **values}

    def _read(self, line: str) -> list[Reading]:
        if ("poch" in line or "POCH" in line) and (heading := _HEADING.match(line)):
            self.state["epoch"] = int(heading[1][:15])
            return []
        if self.tables and ("columns" in self.state or may_head(line)):
            reading = TableReader(self.state).read(line)
            if reading is not None:
                return [reading]
        if self.dicts and "{" in line:
            text = message_of(line)
            reading = read_dict(text)
            if reading is not None and (reading.metrics or reading.others):
                reading.positions = {**read_positions(text[: text.index("{")]), **reading.positions}
                return [reading]
        return self._pairs.read(line) if self.pairs else []


class AutoParser(GenericParser):
    """Any framework's log."""


class KeyValueParser(GenericParser):
    """`name=value` and `name: value`."""

    tables = False


class KerasParser(GenericParser):
    """Keras: `10/10 - 0s - 3ms/step - loss: 0.5 - val_loss: 0.6` under `Epoch 1/3`."""

    tables = dicts = False


class SklearnParser(GenericParser):
    """scikit-learn's `verbose`: `Iteration 1, loss = 2.39`, and the table of its gradient boosting."""

    dicts = False


class HuggingFaceParser(GenericParser):
    """Hugging Face's Trainer: `{'loss': 0.5, 'epoch': 1.0}`."""

    tables = pairs = False


class TqdmParser(GenericParser):
    """What a progress bar shows behind its rate: `loss=0.5, acc=0.9`."""

    tables = dicts = False


class JsonLinesParser(GenericParser):
    """One JSON object per line."""

    tables = pairs = False


class CsvParser(GenericParser):
    """A header of names, then rows."""

    dicts = pairs = False
