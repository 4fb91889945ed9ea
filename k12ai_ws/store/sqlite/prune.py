"""Removing events, in small steps: what goes is chosen over a reader's connection, and removed by its seqs in one short
transaction on the writing one.

The last event of the log is never removed, so that no seq is given twice. Freed pages are used again by what comes.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from k12ai_ws.store.retention import Kind

from . import marks
from .tally import EVENT_BYTES, head, tallied

CHUNK = 1_000
"""Events that one read looks at."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event that may go: `bytes` as the tally counts them; `values` are a metrics event's, where they were asked
    for and could be read.
    """

    seq: int
    type: str
    bytes: int
    values: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """What a step removed, and the number of that pruning."""

    events: int
    bytes: int
    jobs: int
    prunings: int


def scan(connection: sqlite3.Connection, job_no: int, after: int, *, values: bool = False) -> Sequence[Row]:
    """The job's next events after a seq, as far as they are counted."""
    rows = connection.execute(
        "SELECT seq, type, length(payload), CASE WHEN ? AND type = 'metrics' THEN payload END FROM events"
        " WHERE job_no = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (values, job_no, after, tallied(connection), CHUNK),
    )
    return [Row(seq, kind, size + EVENT_BYTES, _metrics(payload)) for seq, kind, size, payload in rows]


def _metrics(payload: bytes | None) -> Mapping[str, object] | None:
    if payload is None:
        return None
    try:
        found = orjson.loads(payload)["metrics"]
    except (ValueError, LookupError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def first_after(connection: sqlite3.Connection, job_no: int, kind: Kind) -> int:
    """The seq after which the first event of this kind is to be looked for: what went from the front is not walked
    through again.
    """
    if kind not in (Kind.LOG, Kind.PROGRESS):
        return 0
    row = connection.execute(
        "SELECT seq FROM pruned WHERE job_no = ? AND type = ?", (job_no, kind.name.lower())
    ).fetchone()
    return int(row[0]) if row else 0


def count_of(connection: sqlite3.Connection, job_no: int, kind: Kind) -> int:
    """How many events of a kind are kept of the job."""
    row = connection.execute("SELECT events FROM kept WHERE job_no = ? AND kind = ?", (job_no, int(kind))).fetchone()
    return int(row[0]) if row else 0


def protected(connection: sqlite3.Connection, job_no: int) -> frozenset[int]:
    """The seqs that go with the job alone: its last status and its last error (a warning, where there is no other)."""
    found = set()
    rows = connection.execute(
        "SELECT seq, type, CASE WHEN type = 'error' THEN payload END FROM events WHERE job_no = ? ORDER BY seq DESC",
        (job_no,),
    )
    warning = 0
    wanted = {"status", "error"}
    for seq, kind, payload in rows:
        if kind not in wanted:
            continue
        if kind == "error" and b'"severity":"warning"' in payload:
            warning = warning or seq
            continue
        found.add(seq)
        wanted.discard(kind)
        if not wanted:
            break
    if "error" in wanted and warning:
        found.add(warning)
    return frozenset(found)


def erase(connection: sqlite3.Connection, job_no: int, doomed: Sequence[Row]) -> Erased:
    """Removes events of one job: one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    events, size = _erase(connection, job_no, doomed, spare=head(connection))
    erased = Erased(events, size, 0, marks.prunings(connection))
    connection.execute("COMMIT")
    return erased


def _erase(connection: sqlite3.Connection, job_no: int, doomed: Sequence[Row], spare: int) -> tuple[int, int]:
    gone: dict[Kind, list[int]] = {}
    seqs: dict[str, int] = {}
    going = [row for row in doomed if row.seq != spare]
    for row in going:
        found = gone.setdefault(Kind.of(row.type), [0, 0])
        found[0] += 1
        found[1] += row.bytes
        seqs[row.type] = max(seqs.get(row.type, 0), row.seq)
    if not going:
        return 0, 0
    # One statement for all: each step of one gives up the interpreter's lock, and must win it back from the event loop.
    deleted = connection.execute(
        "DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?)) AND job_no = ?",
        (orjson.dumps([row.seq for row in going]).decode(), job_no),
    ).rowcount
    if deleted != len(going):
        raise sqlite3.IntegrityError(f"of {len(going)} events that were to go, {deleted} were there: who else prunes?")
    marks.mark(connection, job_no, seqs, marks.next_pruning(connection))
    connection.executemany(
        "UPDATE kept SET events = events - ?, bytes = bytes - ? WHERE job_no = ? AND kind = ?",
        [(*found, job_no, int(kind)) for kind, found in gone.items()],
    )
    return sum(f[0] for f in gone.values()), sum(f[1] for f in gone.values())


def thinned(connection: sqlite3.Connection, job_no: int, points: int) -> None:
    """The job's metrics are thinned to so many points, for good where it has ended."""
    connection.execute("UPDATE ended SET thinned = ? WHERE job_no = ?", (points, job_no))


def remove(connection: sqlite3.Connection, job_no: int, most: int) -> Erased | None:
    """Removes a job with its last events and all that is stored of it, its idempotency key too: one transaction.

    None where it cannot go yet: it has not ended, more than `most` events are left, or one is the last of the log.
    """
    connection.execute("BEGIN IMMEDIATE")
    rows = connection.execute(
        "SELECT seq, type, length(payload) FROM events WHERE job_no = ? LIMIT ?", (job_no, most + 1)
    ).fetchall()
    active = connection.execute("SELECT active FROM jobs WHERE no = ?", (job_no,)).fetchone()
    last = head(connection)
    if active is None or active[0] or len(rows) > most or any(r[0] == last or r[0] > tallied(connection) for r in rows):
        connection.execute("ROLLBACK")
        return None
    events, size = _erase(connection, job_no, [Row(s, k, n + EVENT_BYTES) for s, k, n in rows], spare=0)
    own = connection.execute("SELECT bytes FROM ended WHERE job_no = ?", (job_no,)).fetchone()
    marks.bury(connection, job_no)
    for table in ("requests", "positions", "kept", "ended"):
        connection.execute(f"DELETE FROM {table} WHERE job_no = ?", (job_no,))  # noqa: S608 - the names above
    connection.execute("DELETE FROM jobs WHERE no = ?", (job_no,))
    size += own[0] if own else 0
    erased = Erased(events, size, 1, marks.prunings(connection))
    connection.execute("COMMIT")
    return erased
