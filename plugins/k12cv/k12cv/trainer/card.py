"""A model's card: what it takes in and gives out, kept as JSON inside the model file.

Only the standard library is needed to read it, so that whether a model fits is known before anything is loaded.
"""

import errno
import json
import os
import stat
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

MODEL_FILE = "model.npz"
CARD_MEMBER = "card.json"
CARD_FORMAT = 1
CARD_BYTES = 1 << 20
"""A larger card is no card of ours; it bounds what a broken file can make us read."""


class BrokenModelError(ValueError):
    """The model file is no model of this program, or is damaged."""


@dataclass(frozen=True, slots=True)
class Card:
    """A model's architecture, its classes by number, the images it takes, and the epochs it was trained for."""

    model: str
    classes: tuple[str, ...]
    image_size: int
    color: str
    hidden: int
    epoch: int
    dataset: str

    def to_json(self) -> str:
        """The card as it stands in the model file."""
        return json.dumps({"format": CARD_FORMAT, **asdict(self)}, ensure_ascii=False)


def read_card(path: Path) -> Card:
    """The card of the model file at `path`, without reading the weights.

    Raises FileNotFoundError where there is no file, and BrokenModelError where it is not a model of ours.
    """
    try:
        with _open(path) as file, zipfile.ZipFile(file) as archive, archive.open(CARD_MEMBER) as member:
            text = member.read(CARD_BYTES + 1)
        if len(text) > CARD_BYTES:
            raise BrokenModelError(f"{path} is broken: its card is longer than {CARD_BYTES} bytes")
        return _card(json.loads(text))
    except (zipfile.BadZipFile, KeyError, TypeError, EOFError, NotImplementedError) as error:
        raise BrokenModelError(f"{path} is not a model of this trainer, or is broken: {error}") from error
    except BrokenModelError:
        raise
    except ValueError as error:
        raise BrokenModelError(f"{path} is broken: its card does not read: {error}") from error


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
    if fields["format"] != CARD_FORMAT:
        raise BrokenModelError(f"a model of format {fields['format']!r}; this trainer reads {CARD_FORMAT}")
    values = {name: fields[name] for name in Card.__dataclass_fields__}
    for name in ("model", "color", "dataset"):
        if not isinstance(values[name], str):
            raise TypeError(f"{name} is no text")
    for name in ("image_size", "hidden", "epoch"):
        if not isinstance(values[name], int):
            raise TypeError(f"{name} is no whole number")
    if not isinstance(values["classes"], list) or not all(isinstance(name, str) for name in values["classes"]):
        raise TypeError("classes is no list of names")
    return Card(**{**values, "classes": tuple(values["classes"])})
