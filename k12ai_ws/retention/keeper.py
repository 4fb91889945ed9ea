"""The keeper: looks now and then at what is kept, and removes what has to go, in small steps beside the writers."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from k12ai_ws.store.retention import Rules, plan
from k12ai_ws.store.sqlite.store import SqliteStore
from k12ai_ws.store.sqlite.upkeep import Upkeep
from k12ai_ws.store.store import StoreError

from . import rawlogs

log = logging.getLogger(__name__)

REST = 2.0
"""Beside writers, the keeper rests twice as long as a step took: it has the writer for a third of the time at most."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator wants of events and jobs (`rules`) and of raw logs, and how it is done."""

    rules: Rules
    raw_log_days: float | None
    max_raw_log_bytes: int
    step_events: int
    interval_s: float


@dataclass(frozen=True, slots=True)
class Sweep:
    """One look, and what it removed. Times are milliseconds since the epoch, UTC. `error` says why it ended early."""

    begun_ms: int
    ended_ms: int
    events: int
    bytes: int
    jobs: int
    raw_logs: int
    raw_bytes: int
    error: str | None = None


class Keeper:
    """`start` it beside a server; `sweep` alone does one look. `folders` hold the runs' directories."""

    def __init__(
        self,
        store: SqliteStore,
        policy: Policy,
        *,
        folders: Sequence[Path],
        clock_ms: Callable[[], int],
        rest: float = REST,
    ) -> None:
        self._store = store
        self._policy = policy
        self._folders = folders
        self._clock_ms = clock_ms
        self._rest = rest
        self._asked = asyncio.Event()
        self._askers: list[asyncio.Future[bytes]] = []
        self._task: asyncio.Task[None] | None = None
        self.last: Sweep | None = None

    def start(self) -> None:
        """Looks every `interval_s` seconds from now on, and whenever it is asked to."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="retention")

    async def ask(self) -> bytes:
        """Looks at once; if it is looking now, then once more after that. The outcome of that look, a line of JSON."""
        asker: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._askers.append(asker)
        self._asked.set()
        return await asker

    async def close(self) -> None:
        """Ends after the step that is under way. What is left is done by the next one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._policy.interval_s):
                    await self._asked.wait()
            except TimeoutError:
                pass
            self._asked.clear()
            askers, self._askers = self._askers, []
            begun = self._clock_ms()
            try:
                outcome = await self.sweep()
            except Exception as e:  # the next look may go better, and the server needs none of it
                log.exception("retention: this look failed; the next one is in %g s", self._policy.interval_s)
                outcome = Sweep(begun, self._clock_ms(), 0, 0, 0, 0, 0, f"the server failed: {e!r}; its log says where")
            told = orjson.dumps(asdict(outcome)) + b"\n"
            for asker in askers:
                if not asker.done():
                    asker.set_result(told)

    async def sweep(self) -> Sweep:
        """Removes what has to go now. What fails ends it, and is said in the outcome."""
        begun = self._clock_ms()
        upkeep = Upkeep(self._store, step_events=self._policy.step_events, rest=self._rest)
        gone: list[rawlogs.RawLog] = []
        error = None
        try:
            await upkeep.count()
            shelves = await upkeep.shelves()
            loop = asyncio.get_running_loop()  # a second and more, with as many jobs as may be kept
            for order in await loop.run_in_executor(None, plan, shelves, self._policy.rules, begun):
                await upkeep.carry_out(order)
            await self._raw_logs(upkeep, gone)
        except (StoreError, OSError) as e:
            error = str(e)
            log.error("retention: %s; it goes on in %g s", e, self._policy.interval_s)
        removed = upkeep.removed
        self.last = Sweep(
            begun, self._clock_ms(), removed.events, removed.bytes, removed.jobs, len(gone),
            sum(one.bytes for one in gone), error,
        )  # fmt: skip
        if removed.events or removed.jobs or gone:
            log.info(
                "retention: removed %d events (%d bytes), %d jobs, and %d raw logs (%d bytes)",
                removed.events, removed.bytes, removed.jobs, len(gone), self.last.raw_bytes,
            )  # fmt: skip
        return self.last

    async def _raw_logs(self, upkeep: Upkeep, gone: list[rawlogs.RawLog]) -> None:
        loop, policy = asyncio.get_running_loop(), self._policy
        # The directories first: a job whose run is seen is in the store by then.
        found = await loop.run_in_executor(None, rawlogs.find, self._folders)
        ended = {shelf.job_id: shelf.ended_ms for shelf in await upkeep.shelves()}
        for one in rawlogs.doomed(found, ended, policy.raw_log_days, policy.max_raw_log_bytes, self._clock_ms()):
            try:
                await loop.run_in_executor(None, rawlogs.remove, one)
            except OSError as e:  # the others go all the same
                log.error("retention: the raw log %s cannot be removed: %s", one.path, e.strerror)
                continue
            gone.append(one)
