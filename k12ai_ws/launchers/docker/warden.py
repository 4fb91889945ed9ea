"""Ends a container: asked by a user, or because its time is over; and kills it where it does not go."""

import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from k12ai_ws.launchers.recording.files import read_json, write_json

from .engine import Container, Engine
from .messages import nanoseconds

log = logging.getLogger(__name__)

STOP: Final = "stop.json"
"""What was done to end the run: the fields of `Orders`."""


@dataclass(frozen=True, slots=True)
class Orders:
    """How the run is being ended: asked by a user, or by its time limit; and when it is killed (ms since the epoch)."""

    stop_delivered: bool = False
    timed_out: bool = False
    kill_ms: int | None = None


class Warden:
    """One container's. `stop` in any thread; `look` again and again while it runs. What was done survives the server.

    `grace_s`: from SIGTERM to SIGKILL at the end of `time_limit_s` seconds (None: it may run as long as it wants).
    """

    def __init__(
        self,
        engine: Engine,
        container: str,
        run: Path,
        *,
        grace_s: float,
        time_limit_s: float | None,
        clock_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._container = container
        self._run = run
        self._grace_s = grace_s
        self._time_limit_s = time_limit_s
        self._clock_ms = clock_ms
        self._turn = threading.Lock()
        self._orders = Orders(**(read_json(run / STOP) or {}))

    @property
    def orders(self) -> Orders:
        """What was done so far; waits for a stop that is being delivered."""
        with self._turn:
            return self._orders

    def stop(self, grace_s: float, *, timed_out: bool = False) -> None:
        """Has the container end, and kills it after `grace_s` seconds; the shortest grace asked for holds. Raises
        EngineError.
        """
        with self._turn:
            now = self._clock_ms()
            if not self._signal("SIGTERM" if grace_s > 0 else "SIGKILL"):
                return
            orders = self._orders
            kill_ms = now + int(grace_s * 1000)
            self._orders = Orders(
                stop_delivered=orders.stop_delivered or not timed_out,
                timed_out=orders.timed_out or timed_out,
                kill_ms=min(kill_ms, orders.kill_ms or kill_ms),
            )
            try:
                write_json(self._run / STOP, asdict(self._orders))
            except OSError as e:  # the order stands; only the next server would not know of it
                log.error("the stop of container %s could not be recorded: %s", self._container, e)

    def look(self, container: Container) -> None:
        """Kills a running container that was asked to end and did not; asks one that ran too long. Raises
        EngineError.
        """
        now, orders = self._clock_ms(), self._orders
        if orders.kill_ms is not None and now >= orders.kill_ms:
            self._signal("SIGKILL")
        elif self._time_limit_s is not None and not orders.timed_out:
            started = nanoseconds(container["State"]["StartedAt"])
            if started is not None and now >= started // 1_000_000 + self._time_limit_s * 1000:
                self.stop(self._grace_s, timed_out=True)

    def _signal(self, signal: str) -> bool:
        if self._engine.kill(self._container, signal):
            return True
        container = self._engine.inspect(self._container)
        if not (container and container["State"].get("Paused")):
            return False
        self._engine.unpause(self._container)  # a paused one takes no signal
        return self._engine.kill(self._container, signal)
