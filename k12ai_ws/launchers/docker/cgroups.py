"""The kernel's own account of a container: its control groups, found and read. No engine is asked.

Formats: `/proc/PID/cgroup` and `/proc/PID/mountinfo` (proc(5), cgroups(7)), the files of the first version
(kernel: admin-guide/cgroup-v1/memory.rst, cpuacct.rst) and of the second (admin-guide/cgroup-v2.rst).
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

MAX_GROUPS = 1024
"""How many groups inside one container are looked into for processes: a container may make groups without end."""
MAX_PIDS = 65536
"""How many processes of one container are named; the engine's limit on processes is far below."""
_REREAD_S = 60.0
_PLACES = ("docker/{id}", "system.slice/docker-{id}.scope")
"""Where the engine puts a container's group, by its two drivers (cgroupfs, systemd)."""


class Container(Protocol):
    """What is needed to find a container's groups."""

    @property
    def id(self) -> str:
        """The engine's id, in full."""

    @property
    def pid(self) -> int:
        """Its first process, as the host numbers it; 0: none."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One look at a container. CPU time in seconds since it started; memory in bytes.

    `memory` is what `docker stats` prints: without the page cache that nobody has used lately. `charged` is all that
    counts against `limit` (None: there is none). `pids` are empty where the processes are not visible from here.
    """

    cpu_s: float
    memory: int
    charged: int
    limit: int | None
    pids: tuple[int, ...] = ()
    peak: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The folders of one container's groups, and which version of the files each holds.

    `foreign`: its processes are not to be seen from here, and that none is listed says nothing (the first version
    leaves out those of another namespace, the second lists them as 0). The engine removes the folders at the end.
    """

    cpu: Path
    cpu_v2: bool
    memory: Path
    memory_v2: bool
    foreign: bool = False

    def usage(self) -> Usage | None:
        """What the container uses now; None where no process is in it any more. Raises OSError, ValueError."""
        alive, pids = _processes(self.memory)
        if not (alive or self.foreign):
            return None
        charged = int(_read(self.memory, "memory.current" if self.memory_v2 else "memory.usage_in_bytes"))
        idle = _entry(self.memory, "memory.stat", "inactive_file" if self.memory_v2 else "total_inactive_file") or 0
        limit = _read(self.memory, "memory.max" if self.memory_v2 else "memory.limit_in_bytes").strip()
        return Usage(
            cpu_s=self._cpu_s(),
            memory=charged - idle if idle < charged else charged,
            charged=charged,
            limit=None if limit == b"max" else int(limit),
            pids=pids,
            peak=self.peak(),
        )

    def peak(self) -> int | None:
        """The most memory it was ever charged with, page cache and all, in bytes; None where nobody counts."""
        with contextlib.suppress(OSError, ValueError):  # memory.peak is there since Linux 5.19
            return int(_read(self.memory, "memory.peak" if self.memory_v2 else "memory.max_usage_in_bytes"))
        return None

    def oom_kills(self) -> int | None:
        """How many of its processes the kernel killed for want of memory; None where nobody counts."""
        with contextlib.suppress(OSError, ValueError):  # the first version counts since Linux 4.13
            return _entry(self.memory, "memory.events" if self.memory_v2 else "memory.oom_control", "oom_kill")
        return None

    def _cpu_s(self) -> float:
        if not self.cpu_v2:
            return int(_read(self.cpu, "cpuacct.usage")) / 1e9
        spent = _entry(self.cpu, "cpu.stat", "usage_usec")
        if spent is None:
            raise ValueError(f"{self.cpu}/cpu.stat has no usage_usec")
        return spent / 1e6


@dataclass(frozen=True, slots=True)
class _Mount:
    point: Path
    root: str
    controllers: frozenset[str]  # those of the first version; empty: the one tree of the second


class Hierarchies:
    """Finds the groups of containers in the trees that are mounted here. Blocking, and for one thread at a time."""

    def __init__(self, proc: Path = Path("/proc"), clock: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._clock = clock
        self._mounts: tuple[_Mount, ...] = ()
        self._read_at: float | None = None

    def find(self, container: Container) -> Group | None:
        """The container's groups; None where they are not to be seen from here, or are gone.

        A path that does not hold the container's id is another's: its process has ended, and the number is used again.
        """
        found = self._find(container)
        if found is None and (self._read_at is None or self._clock() - self._read_at > _REREAD_S):
            self._mounts, self._read_at = tuple(_mounts(self._proc / "self" / "mountinfo")), self._clock()
            found = self._find(container)
        return found

    def age_s(self, pid: int) -> float | None:
        """Seconds since the process started; None where it cannot be seen."""
        try:
            fields = (self._proc / str(pid) / "stat").read_bytes().rpartition(b") ")[2].split()
            uptime = float((self._proc / "uptime").read_bytes().split()[0])
            return max(0.0, uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK"))  # field 22: starttime
        except (OSError, ValueError, IndexError):
            return None

    def _find(self, container: Container) -> Group | None:
        paths = dict(self._paths(container))
        cpu, memory = self._folder("cpuacct", paths, container), self._folder("memory", paths, container)
        if cpu and memory:
            return Group(cpu, False, memory, False, not paths)
        unified = self._folder("", paths, container)
        if unified is None or not (memory or (unified / "memory.current").exists()):
            return None  # where the first version has a controller, the second one's tree is there without it
        return Group(cpu or unified, cpu is None, memory or unified, memory is None, not paths)

    def _paths(self, container: Container) -> Iterator[tuple[str, str]]:
        """(controller, path of the container's group): the process itself may have made groups below it."""
        if container.pid <= 0:
            return
        with contextlib.suppress(OSError):
            for line in os.fsdecode((self._proc / str(container.pid) / "cgroup").read_bytes()).splitlines():
                _, controllers, path = line.split(":", 2)
                head, name, tail = path.partition(container.id)
                if name:
                    for controller in controllers.split(","):
                        yield controller, head + name + tail.partition("/")[0]

    def _folder(self, controller: str, paths: dict[str, str], container: Container) -> Path | None:
        for mount in self._mounts:
            if (controller not in mount.controllers) if controller else mount.controllers:
                continue
            inside = _inside(mount.root, paths.get(controller))
            tries = [inside] if inside else []
            # In a container with a namespace of its own, the path is not the host's: then by name.
            tries += [place.format(id=container.id) for place in _PLACES]
            for each in tries:
                if (mount.point / each).is_dir():
                    return mount.point / each
        return None


def _inside(root: str, path: str | None) -> str | None:
    """`path` as seen from a mount of `root`, relative; None where it is not below it."""
    if path is None or ".." in path.split("/"):
        return None
    base = root.rstrip("/") + "/"
    return path[len(base) :] if path.startswith(base) else None


def _mounts(path: Path) -> Iterator[_Mount]:
    with contextlib.suppress(OSError):
        for line in os.fsdecode(path.read_bytes()).splitlines():
            fields, _, rest = line.partition(" - ")
            kind, *_, options = [*rest.split(" "), ""][:3]
            where = fields.split(" ")
            if kind in {"cgroup", "cgroup2"} and len(where) > 4:
                controllers = frozenset(options.split(",") if kind == "cgroup" else ())
                yield _Mount(Path(_plain(where[4])), _plain(where[3]), controllers)


def _plain(text: str) -> str:
    """Undoes the octal escapes that stand in these files for blanks and the like."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _read(folder: Path, name: str) -> bytes:
    # Plain calls: pathlib and a file object cost as much again as the kernel, and 20 containers are 140 files.
    descriptor = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        whole = b""
        while part := os.read(descriptor, 65536):
            whole += part
        return whole
    finally:
        os.close(descriptor)


def _entry(folder: Path, name: str, key: str) -> int | None:
    """The value of a line `KEY VALUE`."""
    head = key.encode() + b" "
    for line in _read(folder, name).splitlines():
        if line.startswith(head):
            return int(line[len(head) :])
    return None


def _processes(folder: Path) -> tuple[bool, tuple[int, ...]]:
    """Whether a process is in the group or in one below it, and the numbers of those that have one here."""
    alive, pids, groups = False, list[int](), [folder]
    for group in groups:  # which grows as they are found
        try:
            numbers = [int(number) for number in _read(group, "cgroup.procs").split()]
            if len(groups) < MAX_GROUPS and group.stat().st_nlink != 2:  # . and .. alone: nothing below
                below = (Path(each.path) for each in os.scandir(group) if each.is_dir(follow_symlinks=False))
                groups += islice(below, MAX_GROUPS - len(groups))
        except OSError:
            if group is folder:
                raise
            continue  # gone since, or a group of threads, whose processes the one above lists
        alive = alive or bool(numbers)
        pids += [number for number in numbers if number]  # 0: of a namespace that is not ours
        if len(pids) >= MAX_PIDS:
            break
    return alive, tuple(pids[:MAX_PIDS])
