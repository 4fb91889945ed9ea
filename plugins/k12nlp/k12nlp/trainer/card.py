"""A model's card: what it was trained on and what it tells apart, kept as JSON inside the model file.

Only the standard library is needed to read it, so that whether a model fits is known before anything is loaded.
"""

import errno
import json
import os
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

MODEL_FILE = "model.npz"
CARD_MEMBER = "card.json"
CARD_FORMAT = 1
CARD_BYTES = 1 << 20
"""A larger card is no card of ours; it bounds what a broken file can make us read."""

_TYPES: dict[str, type] = {
    "model": str,
    "classes": list,
    "train_counts": list,
    "epoch": int,
    "dataset": str,
    "text_field": str,
    "label_field": str,
    "settings": dict,
}


class BrokenModelError(ValueError):
    """The model file is no model of this program, or is damaged."""


class MissingModelError(FileNotFoundError):
    """There is no model file yet."""


@dataclass(frozen=True, slots=True)
class Card:
    """A model's kind, its classes by number with how many training texts each had, the epochs it was trained for,
    the file and fields it was trained on, and the settings of its kind (JSON values).
    """

    model: str
    classes: tuple[str, ...]
    train_counts: tuple[int, ...]
    epoch: int
    dataset: str
    text_field: str
    label_field: str
    settings: Mapping[str, Any]

    @property
    def majority(self) -> int:
        """The number of the class that training saw most often (of several, the first)."""
        return self.train_counts.index(max(self.train_counts))

    def to_json(self) -> str:
        """The card as it stands in the model file."""
        return json.dumps({"format": CARD_FORMAT, **asdict(self)}, ensure_ascii=False)


def read_card(path: Path) -> Card:
    """The card of the model file at `path`, without reading the weights.

    Raises MissingModelError where there is no file, and BrokenModelError where it is not a model of ours.
    """
    try:
        with _open(path) as file, zipfile.ZipFile(file) as archive, archive.open(CARD_MEMBER) as member:
            text = member.read(CARD_BYTES + 1)
        if len(text) > CARD_BYTES:
            raise ValueError(f"its card is longer than {CARD_BYTES} bytes")
        return _card(json.loads(text))
    except FileNotFoundError as error:
        raise MissingModelError(f"no model in {path.parent}: train one first") from error
    except (
        zipfile.BadZipFile,
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        NotImplementedError,
        RecursionError,
    ) as error:
        raise BrokenModelError(f"{path} is not a model of this trainer, or is broken: {error}") from error


def _open(path: Path) -> BinaryIO:
    """The model file, and nothing that a job may have put in its place: a link leads out of the output folder, and a
    pipe is never at its end. Raises FileNotFoundError, BrokenModelError.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BrokenModelError(f"{path} is a link, and no model") from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise BrokenModelError(f"{path} is no file, and no model")
    return os.fdopen(fd, "rb")


def _card(fields: Any) -> Card:
    """The card of its JSON object; raises KeyError, TypeError or ValueError where that is not one."""
    if not isinstance(fields, dict) or fields.get("format") != CARD_FORMAT:
        raise ValueError(f"its card is not of format {CARD_FORMAT}")
    values = {name: fields[name] for name in Card.__dataclass_fields__}
    for name, kind in _TYPES.items():
        if type(values[name]) is not kind:
            raise TypeError(f"{name} in its card is not of type {kind.__name__}")
    classes, counts = values["classes"], values["train_counts"]
    if len(classes) < 2 or len(counts) != len(classes) or not all(isinstance(name, str) for name in classes):
        raise ValueError("its card does not list its classes")
    if not all(type(count) is int for count in counts):
        raise TypeError("train_counts in its card are not whole numbers")
    return Card(**{**values, "classes": tuple(classes), "train_counts": tuple(counts)})
