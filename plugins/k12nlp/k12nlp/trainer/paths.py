"""Files below the datasets root, found safely. Standard library only: the driver looks with the same eyes."""

import os
from pathlib import Path

BUNDLED = "subjects"
"""The dataset that needs no file of the operator's."""

SUFFIXES = (".csv", ".jsonl")
"""The kinds of data files that are read."""


def bundled() -> Path:
    """The file of the dataset `subjects`."""
    return Path(__file__).resolve().parent.parent / "datasets" / f"{BUNDLED}.csv"


def below(root: Path | None, name: str) -> Path:
    """The regular file `name` (a relative path with forward slashes) below `root`, links followed.

    Raises FileNotFoundError where there is no such regular file, and PermissionError where the name or a link leads
    out of `root`.
    """
    if root is None:
        raise FileNotFoundError(f"{name!r} is not there: no datasets root is given; only {BUNDLED!r} is bundled")
    parts = name.split("/")
    if "\\" in name or "\0" in name or any(part in {"", ".", ".."} for part in parts):
        raise PermissionError(f"{name!r} is refused: name a file below the datasets root, such as 'school/reviews.csv'")
    base = Path(os.path.realpath(root))
    path = Path(os.path.realpath(base.joinpath(*parts)))
    if not path.is_relative_to(base):
        raise PermissionError(f"{name!r} is refused: it is a link that leaves the datasets root")
    try:
        there = path.is_file()
    except OSError as error:  # a name longer than the file system takes
        raise FileNotFoundError(f"{name!r} is not there: {error.strerror}") from error
    if not there:
        raise FileNotFoundError(f"{name!r} is not there: no such file below the datasets root")
    return path


def find(root: Path | None, name: str) -> Path:
    """The file of the dataset `name`: the bundled one, or one below `root`. Raises as `below` does."""
    return bundled() if name == BUNDLED else below(root, name)
