"""Settings become a keeper; and what `k12ai prune` does with a data folder, whether a server runs on it or not."""

import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TypeVar

import orjson

from k12ai_ws.identity import RUNS
from k12ai_ws.retention import rawlogs
from k12ai_ws.retention.bell import answer, ring
from k12ai_ws.retention.keeper import Keeper, Policy, Sweep
from k12ai_ws.settings import Settings
from k12ai_ws.store.place import DATABASE
from k12ai_ws.store.retention import Order, Rules, plan
from k12ai_ws.store.sqlite.ills import FAULTS, explain, the_store
from k12ai_ws.store.sqlite.migrations import SCHEMA_VERSION
from k12ai_ws.store.sqlite.opening import open_reader, refuse_misfit, refuse_version, version_of
from k12ai_ws.store.sqlite.store import SqliteStore
from k12ai_ws.store.sqlite.tally import shelves
from k12ai_ws.store.store import StoreError

T = TypeVar("T")

CLASSES = ("log", "progress", "thinned", "metrics", "rest", "jobs")
"""What the outlook tells apart."""


class PruneError(Exception):
    """The data folder cannot be looked at, or pruned; the text says why."""


def policy_of(settings: Settings) -> Policy:
    """What `[retention]` says."""
    section = settings.retention
    return Policy(
        rules=Rules(
            log_days=section.log_days,
            progress_days=section.progress_days,
            metrics_days=section.metrics_days,
            job_days=section.job_days,
            thin_days=section.thin_days,
            points=section.thin_points,
            max_job_events=section.max_job_events,
            max_job_bytes=section.max_job_bytes,
            max_events=section.max_events,
            max_bytes=section.max_bytes,
            max_jobs=section.max_jobs,
        ),
        raw_log_days=section.raw_log_days,
        max_raw_log_bytes=section.max_raw_log_bytes,
        step_events=section.step_events,
        interval_s=section.interval_s,
    )


def run_folders(settings: Settings) -> Sequence[Path]:
    """Where launchers leave what their runs printed."""
    return [settings.data_dir / name for name in RUNS.values()]


def make_keeper(settings: Settings, store: SqliteStore, clock_ms: Callable[[], int], **how: float) -> Keeper:
    """The keeper of a server with these settings."""
    return Keeper(store, policy_of(settings), folders=run_folders(settings), clock_ms=clock_ms, **how)


def ask(data_dir: Path) -> socket | None:
    """Asks the server that runs on a data folder to prune now; None where none runs. Raises PruneError."""
    try:
        return ring(data_dir)
    except OSError as e:
        raise PruneError(f"the server of {data_dir} cannot be asked: {e.strerror or e}") from e


def heard(asking: socket, wait_s: float) -> Sweep:
    """What the server says that it did. Blocking. Raises PruneError where the server ended meanwhile, TimeoutError
    after `wait_s` seconds: then it may be called again.
    """
    try:
        said = answer(asking, wait_s)
    except TimeoutError:
        raise
    except OSError as e:
        raise PruneError(f"the server cannot be heard: {e.strerror or e}") from e
    if not said:
        raise PruneError("the server ended, or has too many askers, and did not say what it removed: its log does")
    return Sweep(**orjson.loads(said))


async def prune(settings: Settings, clock_ms: Callable[[], int]) -> Sweep:
    """Prunes a data folder that no server uses: the caller holds its lock. Raises PruneError."""
    try:
        store = await SqliteStore.open(
            settings.data_dir / DATABASE,
            new_epoch=lambda: uuid.uuid4().hex,
            synchronous=settings.store.synchronous,
        )
        try:
            return await make_keeper(settings, store, clock_ms, rest=0.0).sweep()
        finally:
            await store.close()
    except StoreError as e:
        raise PruneError(str(e)) from e


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would go now."""

    orders: Sequence[Order]
    raw_logs: Sequence[rawlogs.RawLog]

    def summary(self) -> Mapping[str, Mapping[str, int]]:
        """By class of event: the `count` of events (of `raw_logs`: of files), `bytes`, and how many `jobs` they are of.
        Of `thinned`, the most that may go; of `jobs`, what goes with them.
        """
        found = {name: {"count": 0, "bytes": 0, "jobs": 0} for name in CLASSES}
        jobs: dict[str, set[int]] = {name: set() for name in CLASSES}
        for order in self.orders:
            name = {"thin": "thinned", "remove": "jobs"}.get(order.verb, order.kind.name.lower())
            found[name]["count"] += order.events
            found[name]["bytes"] += order.bytes
            jobs[name].add(order.job_no)
        for name in CLASSES:
            found[name]["jobs"] = len(jobs[name])
        raw = {"count": len(self.raw_logs), "bytes": sum(one.bytes for one in self.raw_logs)}
        return {**found, "raw_logs": raw | {"jobs": len(self.raw_logs)}}


def outlook(settings: Settings, now_ms: int) -> Outlook:
    """Looks, and changes nothing; a server may run meanwhile. Blocking. Raises PruneError."""
    policy = policy_of(settings)
    raw = rawlogs.find(run_folders(settings))  # first: a job whose run is seen is in the store by then
    found = _read(settings.data_dir, shelves)
    orders = plan(found, policy.rules, now_ms)
    removed = {order.job_id for order in orders if order.verb == "remove"}
    ended = {shelf.job_id: shelf.ended_ms for shelf in found if shelf.job_id not in removed}
    return Outlook(orders, rawlogs.doomed(raw, ended, policy.raw_log_days, policy.max_raw_log_bytes, now_ms))


def compacted(data_dir: Path) -> int:
    """Gives the store's free pages back to the file system; how many bytes. No server may use it. Blocking: it writes
    the file anew, and needs as much room again meanwhile. Raises PruneError.
    """
    path = data_dir / DATABASE
    before = path.stat().st_size
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as e:
        raise PruneError(f"the store {path} cannot be compacted: {e}") from e
    return before - path.stat().st_size


def _read(data_dir: Path, query: Callable[[sqlite3.Connection], T]) -> T:
    """Asks the store of a data folder, whether a server runs or not. Raises PruneError."""
    path = data_dir / DATABASE
    try:
        with closing(open_reader(path)) as connection:
            version = version_of(connection)
            refuse_version(path, version)
            if version < SCHEMA_VERSION:
                raise PruneError(
                    f"{path} has schema version {version}, and this program knows version {SCHEMA_VERSION}: start the "
                    "server of this version once, which brings the file up to date"
                )
            refuse_misfit(connection, version, the_store(path))
            return query(connection)
    except StoreError as e:
        raise PruneError(str(e)) from e
    except FAULTS as e:
        raise PruneError(f"the store {path} cannot be read: {explain(e)}") from e
