"""How much is kept of each job, by kind: counted once from the events that came, then kept up by whoever removes some.

Counting is reading, and is done over a reader's connection; only the sums are written. So an append pays nothing.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from k12ai_ws.store.retention import Kind, Shelf

SPAN = 5_000
"""Events counted in one go: bounds the time of the read (some milliseconds) and the rows that are written."""
EVENT_BYTES = 48
"""What an event takes in the file beside its payload: row, index entries, and the share of pages that are not full."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that has ended: when (milliseconds since the epoch, UTC), and the bytes of its record and its request."""

    job_no: int
    at_ms: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What lies strictly after the seq `after`, up to `upto`: (job_no, kind, events, bytes) of each job and kind."""

    after: int
    upto: int
    rows: Sequence[tuple[int, int, int, int]]
    ended: Sequence[Ended]


def tallied(connection: sqlite3.Connection) -> int:
    """The seq up to which everything is counted."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'tallied'").fetchone()
    return int(row[0]) if row else 0


def head(connection: sqlite3.Connection) -> int:
    """The seq of the last event."""
    return int(connection.execute("SELECT max(seq) FROM events").fetchone()[0] or 0)


def count(connection: sqlite3.Connection, after: int, last: int) -> Tally | None:
    """The next events that are not counted yet, up to the seq `last` at most; None where there are none."""
    connection.execute("BEGIN")
    try:
        row = connection.execute("SELECT seq FROM events WHERE seq > ? ORDER BY seq LIMIT 1", (after,)).fetchone()
        if row is None or row[0] > last:
            return None
        upto = min(last, row[0] - 1 + SPAN)
        sums: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
        for job_no, kind, events, size in connection.execute(
            "SELECT job_no, type, count(*), sum(length(payload)) FROM events WHERE seq > ? AND seq <= ?"
            " GROUP BY job_no, type",
            (after, upto),
        ):
            found = sums[job_no, int(Kind.of(kind))]
            found[0] += events
            found[1] += size + events * EVENT_BYTES
        ended = [e for job_no in sorted({j for j, _ in sums}) for e in _ended(connection, job_no)]
        return Tally(after, upto, [(job_no, kind, n, size) for (job_no, kind), (n, size) in sums.items()], ended)
    finally:
        connection.execute("COMMIT")


def _ended(connection: sqlite3.Connection, job_no: int) -> Sequence[Ended]:
    row = connection.execute(
        "SELECT j.record, length(j.record) + length(r.params) FROM jobs j JOIN requests r ON r.job_no = j.no"
        " WHERE j.no = ? AND j.active = 0",
        (job_no,),
    ).fetchone()
    if row is None:
        return ()
    record = orjson.loads(row[0])
    return (Ended(job_no, int(record.get("ended_ms") or record.get("created_ms") or 0), row[1]),)


def write(connection: sqlite3.Connection, tally: Tally) -> None:
    """Stores what was counted; where another counted the same meanwhile, nothing."""
    connection.execute("BEGIN IMMEDIATE")
    if tallied(connection) == tally.after:
        connection.executemany(
            "INSERT INTO kept VALUES (?, ?, ?, ?) ON CONFLICT (job_no, kind)"
            " DO UPDATE SET events = events + excluded.events, bytes = bytes + excluded.bytes",
            tally.rows,
        )
        connection.executemany(
            "INSERT INTO ended (job_no, at_ms, bytes) VALUES (?, ?, ?) ON CONFLICT (job_no)"
            " DO UPDATE SET at_ms = excluded.at_ms, bytes = excluded.bytes",
            [(e.job_no, e.at_ms, e.bytes) for e in tally.ended],
        )
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('tallied', ?)", (str(tally.upto),))
    connection.execute("COMMIT")


def shelves(connection: sqlite3.Connection) -> Sequence[Shelf]:
    """What is kept of every job, those events too that are not counted yet (they are now, and nothing is written)."""
    ended = {no: (at, size, thinned) for no, at, size, thinned in connection.execute("SELECT * FROM ended")}
    sums: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([0] * 4, [0] * 4))
    for job_no, kind, events, size in connection.execute("SELECT * FROM kept"):
        sums[job_no][0][kind] += events
        sums[job_no][1][kind] += size
    after, last = tallied(connection), head(connection)
    while (tally := count(connection, after, last)) is not None:
        for job_no, kind, events, size in tally.rows:
            sums[job_no][0][kind] += events
            sums[job_no][1][kind] += size
        for e in tally.ended:
            ended[e.job_no] = (e.at_ms, e.bytes, ended.get(e.job_no, (0, 0, 0))[2])
        after = tally.upto
    found = []
    for job_no, job_id in connection.execute("SELECT no, job_id FROM jobs ORDER BY no"):
        events, sizes = sums.get(job_no, ([0] * 4, [0] * 4))
        at_ms, own, thinned = ended.get(job_no, (None, 0, 0))
        found.append(
            Shelf(
                job_no, job_id, at_ms, own, thinned,
                (events[0], events[1], events[2], events[3]), (sizes[0], sizes[1], sizes[2], sizes[3]),
            )
        )  # fmt: skip
    return found
