"""The engine's one-shot statistics of many containers: asked for in parallel, waited for only where there is need.

An engine may answer a one-shot only with its collector's next tick (20.10: up to a second), so who asks again and
again is given the answer to the question before, and waits for none.

Format: the Engine API's `ContainerStats` (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container).
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any

from .cgroups import Usage

EngineStats = Callable[[str], Mapping[str, Any] | None]
"""The engine's statistics of the container with this id; None: there is none. May raise whatever its client raises."""

MAX_AGE_S = 3.0
"""An answer older than this is not about now."""
MAX_THREADS = 32
"""Each waits for the engine most of its time; they end when there is nothing to ask for a while."""
_IDLE_S = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shot:
    """One answer: what the container uses, and when that was, in seconds by the engine's clock."""

    at: float
    usage: Usage


@dataclass(frozen=True, slots=True)
class Answer:
    """What came for one question, and when (by our clock); no shot: the container does not run, or nobody knows."""

    came_at: float
    shot: Shot | None


class OneShots:
    """Asks `engine_stats` for several containers at once, in daemon threads: a hung one keeps nothing from ending.

    `ask` is for one thread at a time.
    """

    def __init__(self, engine_stats: EngineStats, timeout_s: float, clock: Callable[[], float]) -> None:
        self._engine_stats = engine_stats
        self._timeout_s = timeout_s
        self._clock = clock
        self._work: SimpleQueue[tuple[str, Future[Answer]]] = SimpleQueue()
        self._flights: dict[str, Future[Answer]] = {}
        self._threads = 0
        self._lock = threading.Lock()
        self._closed = False
        self._failed = False

    def ask(self, ids: Collection[str], needed: Collection[str]) -> dict[str, Answer]:
        """The answers that are there, to this question or one shortly before; those to `needed` are waited for.

        What is missing has not come yet (of `needed`: not within the time limit), and is there the next time.
        """
        flights = {each: self._flight(each) for each in ids}
        wait([flights[each] for each in needed], self._timeout_s)
        answers = {each: flight.result() for each, flight in flights.items() if flight.done()}
        kept = {each: flight for each, flight in self._flights.items() if not flight.done()} | flights
        self._flights = {each: flight for each, flight in kept.items() if each not in answers}
        return answers

    def close(self) -> None:
        """No new questions; those under way end by themselves."""
        self._closed = True

    def _flight(self, container_id: str) -> "Future[Answer]":
        flight = self._flights.get(container_id)
        if flight and not (flight.done() and self._clock() - flight.result().came_at >= MAX_AGE_S):
            return flight  # one that hangs is not asked a second time
        flight = Future()
        if self._closed:
            flight.set_result(Answer(self._clock(), None))
            return flight
        with self._lock:  # or the last thread could leave between the two
            self._work.put((container_id, flight))
            if self._threads < MAX_THREADS:
                self._threads += 1
                threading.Thread(target=self._run, name="container-stats", daemon=True).start()
        return flight

    def _run(self) -> None:
        while not self._closed:
            try:
                container_id, flight = self._work.get(timeout=_IDLE_S)
            except Empty:
                with self._lock:
                    if not self._work.empty():
                        continue
                    self._threads -= 1
                    return
            flight.set_result(self._answer(container_id))

    def _answer(self, container_id: str) -> Answer:
        try:
            told = self._engine_stats(container_id)
            shot = None if told is None else read_shot(told)
        except Exception as error:  # noqa: BLE001 - whatever the engine's client raises, the others are answered for
            if not self._failed:  # once, not once a second
                logger.warning("no statistics of container %s from the engine: %s", container_id[:12], error)
            self._failed = True
            return Answer(self._clock(), None)
        self._failed = False
        return Answer(self._clock(), shot)


def read_shot(told: Mapping[str, Any]) -> Shot | None:
    """Reads the engine's answer; None where the container does not run (all is zero then, without an error).

    Raises KeyError, TypeError or ValueError for what is no such answer.
    """
    memory, spent = told.get("memory_stats") or {}, int(told["cpu_stats"]["cpu_usage"]["total_usage"])
    charged = int(memory.get("usage") or 0)
    if not spent and not charged:
        return None
    details = memory.get("stats") or {}
    # `total_inactive_file` is of the first version of control groups, the other of the second.
    idle = int(details.get("total_inactive_file", details.get("inactive_file", 0)))
    peak, limit = memory.get("max_usage"), memory.get("limit")
    return Shot(
        at=datetime.fromisoformat(str(told["read"])).timestamp(),
        usage=Usage(
            cpu_s=spent / 1e9,
            memory=charged - idle if idle < charged else charged,
            charged=charged,
            limit=int(limit) if limit else None,
            peak=int(peak) if peak else None,
        ),
    )
