"""The launcher's contract: who calls what, and when.

The jobs stage calls `check` before it takes a job, `launch` once for a job that was admitted, `logs` once from the
stored position (and again after a restart), `wait` after the log's end, `stop` any number of times, `release` once
the job's terminal status is stored, and `adopt` once at the server's start, before anything else.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from k12ai_ws.drivers.spec import LaunchSpec, Resources, Role
from k12ai_ws.wire.bodies import Json, Stream
from k12ai_ws.wire.job import Exit
from k12ai_ws.wire.status import Reason

Handle = Mapping[str, Json]
"""What a launcher needs to find a run again: JSON values, stored with the job, opaque to everyone else."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that a job printed, in the order of printing.

    `at_ms` is when they were printed (milliseconds since the epoch, UTC), as the launcher's recorder saw it;
    `position` is where the log goes on right after them (0 is the beginning): given back to `logs`, it continues
    without loss or repeat, also in another process. Chunks are cut the same way however often they are read.
    """

    data: bytes
    stream: Stream
    at_ms: int
    position: int


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """One job to run: whose it is (for labels and paths), what to run, the folders behind the roles, and the GPUs
    (by UUID) that are its own while it runs.
    """

    job_id: str
    user: str
    service_uuid: str
    service_name: str
    op: str
    spec: LaunchSpec
    folders: Mapping[Role, Path]
    gpus: Sequence[str] = ()


class LaunchError(Exception):
    """The job could not be started, or its launcher failed: the contract's code, the reason and a clear message."""

    def __init__(self, code: int, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.code = int(code)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class RunStats:
    """What a run uses now. `cpu_percent` is of one core, as `docker stats` prints it; memory in bytes. `pids` are its
    processes as the host numbers them.
    """

    id: str
    cpu_percent: float
    memory_total: int
    memory_usage: int
    pids: tuple[int, ...] = ()
    name: str | None = None

    @property
    def memory_percent(self) -> float:
        """0..100."""
        return 100.0 * self.memory_usage / self.memory_total if self.memory_total else 0.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the place where jobs run has in all: cores, and bytes of memory."""

    cpus: float
    memory: int


class Launcher(ABC):
    """Runs jobs somewhere. Its coroutines never block the event loop; a lost connection is not the end of a log."""

    name: str

    async def check(self, spec: LaunchSpec) -> Resources:
        """What a run of `spec` would be given: its resources, with this launcher's defaults for what it leaves open.

        Called before a job is taken. Raises LaunchError where the operator's policy does not allow the spec.
        """
        return spec.resources

    async def capacity(self) -> Capacity:
        """What all runs together can be given. Raises LaunchError where the place where they run does not answer."""
        return Capacity(float(os.cpu_count() or 1), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))

    @abstractmethod
    async def launch(self, request: LaunchRequest) -> Handle:
        """Starts the job and returns how to find it again. Idempotent: for a job_id that already runs (or ran), it
        returns that run's handle and starts nothing. Raises LaunchError.
        """

    @abstractmethod
    def logs(self, handle: Handle, position: int) -> AsyncIterator[Sequence[Chunk]]:
        """The log from `position` on, in batches, until the job has ended and all it printed was read.

        An empty batch says that nothing more was printed for a while (once per pause, about half a second).
        """

    @abstractmethod
    async def wait(self, handle: Handle) -> Exit:
        """How the job ended; waits until it has. A run that vanished gives `Exit(lost=True)`."""

    @abstractmethod
    async def stop(self, handle: Handle, grace_s: float) -> None:
        """Asks the whole process tree to end (SIGTERM), and kills it after `grace_s` seconds. Returns at once; a run
        that has ended is left alone.
        """

    @abstractmethod
    async def adopt(self) -> Mapping[str, Handle]:
        """The runs of this server that exist already: job_id -> handle."""

    @abstractmethod
    async def stats(self, handles: Mapping[str, Handle]) -> Mapping[str, RunStats]:
        """job_id -> what that run uses now; runs that have ended are left out."""

    @abstractmethod
    async def release(self, handle: Handle) -> None:
        """The job's end is stored: frees what the run still holds. Its log stays readable where it is kept."""

    async def close(self) -> None:  # noqa: B027 - optional
        """Frees the launcher's own resources at shutdown; the jobs go on."""
