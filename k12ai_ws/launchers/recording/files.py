"""The small files of a run's directory: JSON objects, written whole or not at all.

Standard library only: the process launcher's supervisor imports this.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

JOURNAL: Final = "journal"
"""All that the run printed (see `journal.py`)."""
EXIT: Final = "exit.json"
"""How it ended: the fields of `wire.job.Exit`; written last, and once."""
RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
"""What is fit to name a run, and so its directory: nothing that leads elsewhere."""


def write_json(path: Path, value: Mapping[str, Any], *, durable: bool = True) -> None:
    """Writes a JSON object so that a reader sees all of it or nothing; where `durable`, also after the machine went
    down. Raises OSError.
    """
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="ascii") as file:
        json.dump(value, file)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    fresh.replace(path)
    if not durable:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None where there is no such file, or what it holds is no object."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None
