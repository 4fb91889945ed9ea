"""How a container ended: from the engine's record of it, and what its recorder did and saw. Pure."""

import signal as signals
from dataclasses import dataclass
from typing import Final

from k12ai_ws.wire.job import Exit

from .engine import Container
from .messages import nanoseconds

_SHELL_SIGNAL: Final = 128
_NOT_RUN: Final = (126, 127)
_FOUND_DEAD: Final = 255
_KILLED: Final = (_SHELL_SIGNAL + signals.SIGTERM, _SHELL_SIGNAL + signals.SIGKILL)
_INIT_SAYS: Final = b"[FATAL tini"
_ENGINE_END_MS: Final = 30_000
"""An engine that shuts down gives its containers 10 to 15 seconds each; what ended so near to its absence, it ended."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What the recorder did and saw: whether a stop and a time limit reached the container, the last of its stderr,
    the highest memory use seen (bytes), and from when to when the engine was away (ms since the epoch).
    """

    stop_delivered: bool = False
    timed_out: bool = False
    last_words: bytes = b""
    peak: int | None = None
    away: tuple[int, int] | None = None


class Absence:
    """When the engine was away: the last time, in milliseconds since the epoch. An engine that shuts down still
    answers on old connections; it is back when it takes a new one.
    """

    def __init__(self) -> None:
        self.span: tuple[int, int] | None = None
        self._since: int | None = None

    def begins(self, now_ms: int) -> bool:
        """It does not answer; False where that is known already."""
        if self._since is not None:
            return False
        self._since = now_ms
        return True

    def ends(self, now_ms: int) -> None:
        """It has taken a new connection."""
        if self._since is not None:
            self.span, self._since = (self._since, now_ms), None


def has_ended(container: Container) -> bool:
    """Whether it ran and does so no more."""
    state = container["State"]
    return not (state["Running"] or state.get("Restarting")) and state["Status"] not in ("created", "running")


def exit_of(container: Container, witness: Witness) -> Exit:
    """The end of a container that `has_ended`.

    An exit code of 128 + n is told as signal n: it is how the engine says so. Where a program chose such a number
    itself, nobody can tell it apart.
    """
    state = container["State"]
    code = int(state["ExitCode"])
    number = code - _SHELL_SIGNAL if code - _SHELL_SIGNAL in set(signals.Signals) else None
    started, finished = nanoseconds(state["StartedAt"]), nanoseconds(state["FinishedAt"])
    unasked = not witness.stop_delivered and not witness.timed_out
    engine_failed = code != 0 and unasked and not state["OOMKilled"] and _fell_with_engine(code, finished, witness.away)
    not_run = code in _NOT_RUN and _INIT_SAYS in witness.last_words
    message: str | None = None
    if state["OOMKilled"]:
        message = _about_memory(int(container["HostConfig"]["Memory"]), witness.peak)
    elif not_run:
        message = _about_command(container, witness.last_words)
    elif engine_failed:
        message = "the Docker engine was stopped or restarted, and the job's container with it; start the job again"
    return Exit(
        exit_code=None if number else code,
        signal=number,
        oom_killed=bool(state["OOMKilled"]),
        timed_out=witness.timed_out,
        stop_delivered=witness.stop_delivered,
        command_not_found=not_run,
        engine_failed=engine_failed,
        started_ms=started and started // 1_000_000,
        ended_ms=finished and finished // 1_000_000,
        message=message,
    )


def _fell_with_engine(code: int, finished: int | None, away: tuple[int, int] | None) -> bool:
    """Whether the container ended when its engine did, and by it. 255 is what an engine writes that finds it dead, with
    the time at which it looked, or none; one that shuts down sends SIGTERM, then SIGKILL. A program may choose such
    a code too, at any other time; any other end is its own.
    """
    if away is None or code not in (_FOUND_DEAD, *_KILLED):
        return False
    late = _ENGINE_END_MS if code == _FOUND_DEAD else 0
    return finished is None or away[0] - _ENGINE_END_MS <= finished // 1_000_000 <= away[1] + late


def _about_memory(limit: int, peak: int | None) -> str:
    highest = max(limit, peak or 0)  # the kernel kills where the limit is reached, whatever was sampled before
    return (
        f"the kernel killed a process of the job because it ran out of its memory: limit {_size(limit)}, "
        f"peak {_size(highest)}; use less (a smaller batch, fewer loader workers) or have the driver ask for more "
        "(resources.memory)"
    )


def _about_command(container: Container, said: bytes) -> str:
    line = said[said.rindex(_INIT_SAYS) :].partition(b"\n")[0].decode("utf-8", "replace")
    command = (container["Config"].get("Entrypoint") or [""])[0]
    return f"the command {command!r} could not be run in the image {container['Config']['Image']!r}: {line}"


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.1f} MiB"
