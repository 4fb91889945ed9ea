"""Logs that once broke something, in files: a first line with the case's number, then the log itself."""

from pathlib import Path

from .oracles import Case

SEEDS = Path(__file__).resolve().parents[1] / "seeds"
_HEAD = b"#seed "
TRIES = 12
"""With how many numbers a file without one of its own is read."""


def read_seed(path: Path) -> list[Case]:
    """The file's log, with its own number or with several."""
    data = path.read_bytes()
    if data.startswith(_HEAD):
        head, _, data = data.partition(b"\n")
        first = Case(data, int(head[len(_HEAD) :]))
        return [first, *(Case(data, seed) for seed in range(TRIES))]
    return [Case(data, seed) for seed in range(TRIES)]


def write_seed(path: Path, case: Case) -> None:
    """Saves a case."""
    path.write_bytes(_HEAD + str(case.seed).encode() + b"\n" + case.data)
