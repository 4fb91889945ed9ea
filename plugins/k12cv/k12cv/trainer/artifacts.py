"""What a job leaves in its output folder. Each file is whole or not there: written beside, synced, and renamed."""

import csv
import io
import json
import math
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .card import CARD_MEMBER, MODEL_FILE, BrokenModelError, Card, read_card
from .models import Classifier, Training, create

METRICS_FILE = "metrics.json"
CONFUSION_FILE = "confusion_matrix.csv"
PREDICTIONS_FILE = "predictions.jsonl"
METRICS_BYTES = 16 << 20
"""A larger metrics.json is not ours, and is written anew."""


def save_model(folder: Path, card: Card, model: Classifier) -> None:
    """Writes `model.npz`: the arrays, and the card as `card.json`. Needs no pickle, to write or to read."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **model.arrays())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(CARD_MEMBER, card.to_json())
    _write(folder / MODEL_FILE, buffer.getvalue())


def load_model(folder: Path, training: Training) -> tuple[Card, Classifier]:
    """The model of `folder`. Raises FileNotFoundError where there is none, BrokenModelError where it does not load."""
    path = folder / MODEL_FILE
    card = read_card(path)
    try:
        model = create(card, training)
        with np.load(path, allow_pickle=False) as stored:
            model.restore({name: stored[name] for name in stored.files if name != CARD_MEMBER})
    except (ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise BrokenModelError(f"{path} is broken: {error}") from error
    return card, model


def save_metrics(folder: Path, task: str, values: Mapping[str, Any]) -> None:
    """Puts the results of `task` into `metrics.json`. A training's replace all: the others were an older model's."""
    known = {} if task == "train" else read_metrics(folder)
    text = json.dumps(_finite({**known, task: values}), ensure_ascii=False, indent=2, allow_nan=False)
    _write(folder / METRICS_FILE, text.encode())


def save_confusion(folder: Path, classes: Sequence[str], matrix: npt.NDArray[np.int64]) -> None:
    """Writes `confusion_matrix.csv`: a row per true class, a column per predicted one, in counts of images."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true\\predicted", *classes])
    writer.writerows([name, *row] for name, row in zip(classes, matrix.tolist(), strict=True))
    _write(folder / CONFUSION_FILE, text.getvalue().encode())


def save_predictions(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes `predictions.jsonl`: one JSON object per image."""
    _write(folder / PREDICTIONS_FILE, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())


def read_metrics(folder: Path) -> dict[str, Any]:
    """What `metrics.json` holds; {} where it is absent or no JSON object of a sensible size."""
    path = folder / METRICS_FILE
    try:
        if path.stat().st_size > METRICS_BYTES:
            return {}
        known = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _finite(value: Any) -> Any:
    """The same with null for what JSON cannot say."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def _write(path: Path, data: bytes) -> None:
    """Replaces the file in one step. The name beside it is fixed, so that a killed job leaves at most one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
