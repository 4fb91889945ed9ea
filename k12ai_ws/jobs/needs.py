"""What jobs ask of the machine and what it has, as numbers. Pure.

Memory is in bytes and CPUs in cores. What a job does not ask for counts as nothing: it always fits.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from k12ai_ws.wire.bodies import Json

_CPU_GRAIN = 1e-6
"""CPUs are sums of fractions: so much of a core is no difference."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one job holds while it runs."""

    cpus: float = 0.0
    memory: int = 0
    gpus: int = 0

    @classmethod
    def of(cls, resources: Mapping[str, Json]) -> "Need":
        """The need of a job whose record has these resources; what is not set there counts as nothing.

        >>> Need.of({"memory": 1024, "gpus": 1})
        Need(cpus=0.0, memory=1024, gpus=1)
        """
        return cls(
            float(resources.get("cpus") or 0), int(resources.get("memory") or 0), int(resources.get("gpus") or 0)
        )


@dataclass(frozen=True, slots=True)
class Room:
    """What there is for all jobs together, as far as it is known.

    `gpus` are those that this machine has, `gpus_answering` those of them that answer now (None: all), `free_gpus`
    those that can be leased now. `unknown` says why nobody knows what there is: nothing starts until that is over.
    `gpus_unknown` says the same of the GPUs alone.
    """

    cpus: float = math.inf
    memory: float = math.inf
    gpus: int = 0
    free_gpus: int = 0
    unknown: str | None = None
    gpus_unknown: str | None = None
    gpus_answering: int | None = None

    @property
    def gpus_now(self) -> int:
        """How many GPUs answer now: more than these no end of a job sets free."""
        return self.gpus if self.gpus_answering is None else self.gpus_answering

    def beyond(self, need: Need) -> str | None:
        """Which resource the need asks more of than there is in all: `cpus`, `memory`, `gpus`; None: it can be met."""
        if need.gpus > self.gpus and not self.gpus_unknown:
            return "gpus"
        if self.unknown:
            return None
        if need.memory > self.memory:
            return "memory"
        return "cpus" if need.cpus > self.cpus + _CPU_GRAIN else None


@dataclass(slots=True)
class Free:
    """What is left to be taken; below nothing where more was kept for a job than there is free."""

    slots: int
    cpus: float
    memory: float
    gpus: int

    def take(self, need: Need) -> None:
        """One more job holds this, and its place to run."""
        self.slots -= 1
        self.cpus -= need.cpus
        self.memory -= need.memory
        self.gpus -= need.gpus

    def short_of(self, need: Need) -> str | None:
        """The first resource that does not suffice: `gpus`, `memory`, `cpus`; None: the need fits."""
        if need.gpus and need.gpus > self.gpus:
            return "gpus"
        if need.memory and need.memory > self.memory:
            return "memory"
        return "cpus" if need.cpus and need.cpus > self.cpus + _CPU_GRAIN else None


def size(count: float) -> str:
    """Bytes for people.

    >>> size(8 << 30), size(3.1 * 2**30), size(512)
    ('8 GiB', '3.1 GiB', '512 B')
    """
    value, units = max(0.0, count), ("B", "KiB", "MiB", "GiB")
    unit = next((i for i in range(len(units) - 1) if value < 1024 ** (i + 1)), len(units) - 1)
    return f"{_short(value / 1024**unit)} {units[unit]}"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def shortage(name: str, need: Need, room: Room, free: Free) -> str:
    """Why a job that is short of `name` waits, in words."""
    if name == "gpus":
        what = "1 GPU" if need.gpus == 1 else f"{need.gpus} GPUs"
        if room.gpus_unknown:
            return f"waits for {what}: {room.gpus_unknown}"
        if need.gpus > (now := room.gpus_now):
            return f"waits for {what}: {now or 'none'} of {room.gpus} {'answers' if now < 2 else 'answer'} now"
        count = max(0, free.gpus)
        return f"waits for {what}: {count or 'none'} of {room.gpus} {'is' if count < 2 else 'are'} free"
    if name == "memory":
        return f"waits for memory: {size(need.memory)} asked, {size(free.memory)} of {size(room.memory)} free"
    left = _short(max(0.0, free.cpus))
    return f"waits for CPUs: {_short(need.cpus)} asked, {left} of {_short(room.cpus)} free"


def excess(name: str, need: Need, room: Room) -> str:
    """What a job asks for that there is not in all, in words: `asks for 8 GiB of memory, and there are 4 GiB ...`."""
    if name == "gpus":
        what = "1 GPU" if need.gpus == 1 else f"{need.gpus} GPUs"
        return f"asks for {what}, and this machine has {room.gpus or 'none'}"
    if name == "memory":
        return f"asks for {size(need.memory)} of memory, and there are {size(room.memory)} for all jobs (jobs.memory)"
    return f"asks for {_short(need.cpus)} CPUs, and there are {_short(room.cpus)} for all jobs (jobs.cpus)"
