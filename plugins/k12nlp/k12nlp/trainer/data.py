"""Texts and labels: CSV and JSONL files in, examples out, and the fixed split."""

import csv
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

MAX_FILE_BYTES = 32 << 20
"""A larger file would not fit in a small machine's memory once turned into features."""
MAX_LINE_CHARS = 64 << 10
MAX_ROWS = 200_000
MAX_CLASSES = 200
MAX_LABEL_CHARS = 100

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
TRAIN_SHARE, VAL_SHARE = 0.70, 0.10


@dataclass(frozen=True, slots=True)
class Example:
    """One line of a dataset. `label` is None where the file says none (only in a file to predict)."""

    text: str
    label: str | None


def normal(text: str) -> str:
    """`text` without case, spaces, punctuation and width: what two texts share that differ in nothing else.

    >>> normal("Ｗhy  not? ") == normal("why not")
    True
    """
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def split_of(text: str) -> Split:
    """Where a text belongs: 70 % of all texts to train, 10 % to val, 20 % to test.

    The first 8 bytes of the SHA-256 of its normal form decide. So a text stays where it is when a file grows or is
    reordered, and texts that are alike but for case and punctuation never sit on both sides.
    """
    digest = hashlib.sha256(normal(text).encode("utf-8", "surrogatepass")).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if share < TRAIN_SHARE else "val" if share < TRAIN_SHARE + VAL_SHARE else "test"


def select(examples: Iterable[Example], split: str) -> list[Example]:
    """The examples of one split, or of `all`."""
    return [example for example in examples if split == "all" or split_of(example.text) == split]


def class_names(examples: Sequence[Example], name: str) -> tuple[str, ...]:
    """The labels of a dataset, sorted. Raises ValueError unless there are 2 to MAX_CLASSES of them."""
    classes = tuple(sorted({example.label for example in examples if example.label is not None}))
    if len(classes) < 2:
        raise ValueError(
            f"{name}: all texts have the one label {classes[0]!r}; a classifier needs at least two classes"
        )
    if len(classes) > MAX_CLASSES:
        raise ValueError(
            f"{name}: {len(classes)} different labels; at most {MAX_CLASSES} are taken. Is it the right label field?"
        )
    return classes


def read(path: Path, name: str, text_field: str, label_field: str, *, labelled: bool = True) -> list[Example]:
    """The examples of the file at `path`, which messages call `name`.

    `.csv` is read as comma-separated with a header line, everything else as one JSON object per line; both as UTF-8.
    With `labelled` false, a label may be absent. Raises KeyError for a field that the file does not have, TypeError
    for a value of another type, and ValueError for a file that is empty, too large, not UTF-8 or malformed; the
    messages name the line.
    """
    with path.open("rb") as file:
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError(f"{name}: larger than {MAX_FILE_BYTES >> 20} MiB; split it")
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{name}, line {line}: not UTF-8 (byte {raw[error.start]:#04x}); save the file as UTF-8"
        ) from error
    for number, physical in enumerate(content.split("\n"), 1):
        if len(physical) > MAX_LINE_CHARS:
            raise ValueError(f"{name}, line {number}: longer than {MAX_LINE_CHARS} characters")
    rows = _csv_rows(content, name) if path.suffix.lower() == ".csv" else _jsonl_rows(content, name)
    examples: list[Example] = []
    for number, row in rows:
        if len(examples) == MAX_ROWS:
            raise ValueError(f"{name}: more than {MAX_ROWS} texts; split the file")
        text = _field(row, text_field, name, number)
        label = _label(row, label_field, name, number) if labelled or row.get(label_field) not in (None, "") else None
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f"{name}, line {number}: {text_field!r} is {'empty' if str(text).strip() == '' else 'no text'}"
            )
        examples.append(Example(text, label))
    if not examples:
        raise ValueError(f"{name}: no texts in it")
    return examples


def _csv_rows(content: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    try:
        for row in reader:
            if None in row:
                raise ValueError(f"{name}, line {reader.line_num}: more values than columns; quote texts with commas")
            yield reader.line_num, {key: value for key, value in row.items() if value is not None}
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num}: not CSV: {error}") from error


def _jsonl_rows(content: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{name}, line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise TypeError(f'{name}, line {number}: not a JSON object such as {{"text": …, "label": …}}')
        yield number, row


def _field(row: dict[str, Any], field: str, name: str, number: int) -> Any:
    if field not in row:
        there = ", ".join(repr(key) for key in list(row)[:20])
        raise KeyError(f"{name}, line {number}: no field {field!r}; it has {there or 'none'}")
    return row[field]


def _label(row: dict[str, Any], field: str, name: str, number: int) -> str:
    value = _field(row, field, name, number)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{name}, line {number}: {field!r} is neither a text nor a whole number")
    label = str(value).strip()
    if not label or len(label) > MAX_LABEL_CHARS or not label.isprintable():
        raise ValueError(
            f"{name}, line {number}: {field!r} must be 1 to {MAX_LABEL_CHARS} printable characters, not {label[:40]!r}"
        )
    return label
