"""Use of the filesystems that matter to the server: its data folder's, and those behind the operator's roots."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from k12ai_ws.wire.bodies import Json


@dataclass(frozen=True, slots=True)
class DiskStats:
    """One filesystem, named by the first of the given paths on it; bytes, and percent as `df` counts it.

    `df` counts use over what a program may have: blocks kept for root are in `total`, not in that percentage.
    """

    path: str
    total: int
    usage: int
    percent: float

    def fields(self) -> dict[str, Json]:
        """One entry of `disks`, as the contract names it."""
        return {
            "path": self.path,
            "disk_total": self.total,
            "disk_usage": self.usage,
            "disk_percent": self.percent,
        }


@dataclass(frozen=True, slots=True)
class DiskReading:
    """The filesystems found, and why some path is not among them."""

    disks: tuple[DiskStats, ...] = ()
    problems: tuple[str, ...] = ()


class DiskUsage(Protocol):
    """The part of `psutil.disk_usage()` that is read: bytes and percent."""

    @property
    def total(self) -> int:
        """The filesystem's size."""

    @property
    def used(self) -> int:
        """What is taken."""

    @property
    def percent(self) -> float:
        """0..100."""


class DiskReader:
    """Reads one entry per distinct filesystem of the given paths. Blocking: a network filesystem can hang."""

    def __init__(self, paths: Sequence[Path], *, usage: Callable[[str], DiskUsage] = psutil.disk_usage) -> None:
        self._paths = tuple(paths)
        self._usage = usage

    def read(self) -> DiskReading:
        """The use now; a path that cannot be read is left out, with the reason in `problems`."""
        disks: dict[int, DiskStats] = {}
        problems: list[str] = []
        for path in self._paths:
            try:
                device = os.stat(path).st_dev  # noqa: PTH116 - the same call, and it names the path in its error
                if device not in disks:
                    use = self._usage(str(path))
                    disks[device] = DiskStats(str(path), use.total, use.used, round(use.percent, 1))
            except OSError as error:
                problems.append(f"{path}: {error.strerror or error}")
        return DiskReading(tuple(disks.values()), tuple(problems))
