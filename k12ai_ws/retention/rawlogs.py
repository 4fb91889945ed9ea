"""The raw log files of jobs: a directory for each run, that its launcher leaves behind. Which of them go, and how.

Only a run that is over and released is ever removed: its launcher holds on to all others by a file of its own in the
directory. What jobs wrote (the workspaces) is their users', and is not touched.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from k12ai_ws.launchers.recording.files import EXIT, JOURNAL, RUN_ID
from k12ai_ws.store.retention import DAY_MS, LOW_WATER

HELD = ("state.json", "run.json")
"""Files of a run that has not been released: the process launcher's, and the docker launcher's."""


@dataclass(frozen=True, slots=True)
class RawLog:
    """A released run's directory, and the bytes of its files."""

    job_id: str
    path: Path
    bytes: int


def find(folders: Sequence[Path]) -> Sequence[RawLog]:
    """The released runs in these folders. Blocking."""
    found = []
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                names = [e.name for e in entries if RUN_ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]
        except OSError:  # no launcher has made it yet
            continue
        for name in names:
            try:
                with os.scandir(folder / name) as files:
                    sizes = {f.name: f.stat(follow_symlinks=False).st_size for f in files}
            except OSError:  # gone meanwhile
                continue
            if EXIT in sizes and not any(held in sizes for held in HELD):
                found.append(RawLog(name, folder / name, sum(sizes.values())))
    return found


def doomed(
    found: Sequence[RawLog], ended: Mapping[str, int | None], days: float | None, max_bytes: int, now_ms: int
) -> Sequence[RawLog]:
    """Those that go: of jobs that are gone, that ended too long ago, and, past the bound, that ended first. Pure.

    `ended` has every job that the store knows, and when it ended (milliseconds since the epoch; None: it has not).
    """
    going = [log for log in found if log.job_id not in ended]
    kept = [(at, log) for log in found if (at := ended.get(log.job_id)) is not None]
    kept.sort(key=lambda entry: (entry[0], entry[1].job_id))
    if days is not None:
        going += [log for at, log in kept if now_ms - at > days * DAY_MS]
        kept = [(at, log) for at, log in kept if now_ms - at <= days * DAY_MS]
    size = sum(log.bytes for _, log in kept)
    goal = int(max_bytes * LOW_WATER) if size > max_bytes else size
    for _, log in kept:
        if size <= goal:
            break
        going.append(log)
        size -= log.bytes
    return going


def remove(log: RawLog) -> None:
    """Removes the directory; that the run has ended is forgotten last. Blocking. Raises OSError."""
    for file in sorted(log.path.iterdir(), key=lambda file: (file.name == EXIT, file.name != JOURNAL)):
        file.unlink(missing_ok=True)
    log.path.rmdir()
