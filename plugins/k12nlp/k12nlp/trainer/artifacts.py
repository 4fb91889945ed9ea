"""What a run leaves behind in the output folder, and how it gets there: whole or not at all."""

import csv
import io
import json
import math
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .card import CARD_MEMBER, MODEL_FILE, BrokenModelError, Card, read_card
from .classifier import Classifier, kind

METRICS_FILE = "metrics.json"
CONFUSION_FILE = "confusion_matrix.csv"
PREDICTIONS_FILE = "predictions.jsonl"
MODEL_BYTES = 1 << 30
"""No model of ours comes near; it bounds what a file made by someone else can make us unpack."""


def write(path: Path, fill: Callable[[IO[bytes]], None]) -> None:
    """Writes a file under another name and renames it: a reader, or a run after a crash, sees the old or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with draft.open("xb") as file:
        fill(file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def save_model(output: Path, card: Card, model: Classifier) -> None:
    """Writes the model file: the card, and the arrays in NumPy's own format. Nothing in it is pickled."""

    def fill(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(CARD_MEMBER, card.to_json())
            for name, array in model.arrays().items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(
                        member, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False
                    )

    write(output / MODEL_FILE, fill)


def load_model(output: Path) -> tuple[Card, Classifier]:
    """The model in the output folder. Raises MissingModelError or BrokenModelError."""
    path = output / MODEL_FILE
    card = read_card(path)
    if card.model not in {"linear", "transformer"}:
        raise BrokenModelError(f"{path} holds a model of a kind unknown here, {card.model!r}")
    chosen = kind(card.model)
    try:
        return card, chosen.restore(card.settings, _arrays(path), len(card.classes))
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise BrokenModelError(f"{path} is broken: {error}; train again without --resume") from error


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename != CARD_MEMBER]
        if sum(member.file_size for member in members) > MODEL_BYTES:
            raise ValueError(f"it holds more than {MODEL_BYTES >> 30} GiB")
        found = {}
        for member in members:
            found[member.filename.removesuffix(".npy")] = _array(archive.read(member), member.filename)
        return found


def _array(content: bytes, name: str) -> NDArray[Any]:
    """The array of an `.npy` file's bytes. Unlike `np.load`, it sets aside no memory that the bytes do not fill."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"its {name} is of an unknown version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or fortran or file.tell() + math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"its {name} is not a plain array of the size it claims")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape).copy()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes one JSON object, readable by people."""
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    write(path, lambda file: _put(file, text))


def update_metrics(output: Path, task: str, measured: Mapping[str, Any]) -> None:
    """Puts a task's results under its name in `metrics.json`; those of the other tasks stay."""
    path = output / METRICS_FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # none yet, or not ours: what was just measured matters more
        known = {}
    write_json(path, {**(known if isinstance(known, dict) else {}), task: dict(measured)})


def write_confusion(output: Path, classes: Sequence[str], matrix: NDArray[np.int64]) -> None:
    """Writes the confusion matrix as CSV: a row per true class, a column per predicted one."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true \\ predicted", *classes])
    for name, row in zip(classes, matrix.tolist(), strict=True):
        writer.writerow([name, *row])
    write(output / CONFUSION_FILE, lambda file: _put(file, text.getvalue()))


def write_predictions(output: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Writes one JSON object per text: `text`, `label`, `probability` (0..1), and `truth` where it is known."""

    def fill(file: IO[bytes]) -> None:
        for line in lines:
            _put(file, json.dumps(line, ensure_ascii=False) + "\n")

    write(output / PREDICTIONS_FILE, fill)


def _put(file: IO[bytes], text: str) -> None:
    # A text may hold half a surrogate pair (JSON can write one): a question mark in its place is no loss.
    file.write(text.encode("utf-8", "replace"))
