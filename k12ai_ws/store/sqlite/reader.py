"""Reading: plain functions over a read-only connection."""

import sqlite3
from collections.abc import Sequence
from zlib import crc32

import orjson

from k12ai_ws.store.store import EventPage, JobsPage, LogPosition, Payload, PayloadPage, StoreDamaged, StoredEvent
from k12ai_ws.wire.filter import ON_REQUEST, EventFilter, EventKey
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus

from . import marks
from .ills import FAULTS, REPAIR, is_damage

PAGE_BYTES = 1 << 20
"""A page ends once it holds so many bytes: bounds the memory of a reader of long log lines or large requests."""
SPAN = 20_000
"""A page looks at so many events of the log, or of the one job that is asked for: bounds the time of a read whose
filter lets little through (about 10 ms).
"""

REMEMBERED = 10_000
"""Keys of events kept in memory at most."""

SELECT_RECORDS = "SELECT j.no, j.record, r.params FROM jobs j CROSS JOIN requests r ON r.job_no = j.no"


class Facts:
    """The keys of events by their job's number: what they are made of never changes, so no page looks it up again.

    Shared by all readers' threads. Bounded: past `REMEMBERED` keys it begins anew.
    """

    def __init__(self) -> None:
        self.known: dict[tuple[int, str], EventKey] = {}
        """By the number of the job, and the type."""

    def key(self, connection: sqlite3.Connection, job_no: int, kind: str) -> EventKey | None:
        """The key of an event of that job and type, looked up; it is known from then on. None: there is no such job."""
        row = connection.execute(
            "SELECT user, service_uuid, service_name, job_id FROM jobs WHERE no = ?", (job_no,)
        ).fetchone()
        if row is None:
            return None
        if len(self.known) >= REMEMBERED:
            self.known.clear()
        key = self.known[job_no, kind] = EventKey(kind, "framework", *row)
        return key


def read_payloads(connection: sqlite3.Connection, wanted: EventFilter, after: int, limit: int) -> PayloadPage:
    """See Store.payloads."""
    connection.execute("BEGIN")
    try:
        return _payloads(connection, wanted, after, limit)
    finally:
        connection.execute("COMMIT")


def read_events(connection: sqlite3.Connection, facts: Facts, wanted: EventFilter, after: int, limit: int) -> EventPage:
    """See Store.replay."""
    connection.execute("BEGIN")
    try:
        page = _payloads(connection, wanted, after, limit)
        keys = _keys(connection, facts, wanted, after, page)
    finally:
        connection.execute("COMMIT")
    scanned = page.scanned
    if len(keys) < len(page.payloads):
        broken = page.payloads[len(keys)][0]
        if not keys:
            raise _overwritten(broken)
        scanned = broken - 1
    events = [StoredEvent(seq, key, payload) for (seq, payload), key in zip(page.payloads, keys, strict=False)]
    return EventPage(events, scanned, page.prunings)


def _payloads(connection: sqlite3.Connection, wanted: EventFilter, after: int, limit: int) -> PayloadPage:
    """One pass over the rows, each with its own check: what is read here is read millions of times."""
    head, prunings = _head(connection), marks.prunings(connection)
    if wanted.tags is not None and "framework" not in wanted.tags:
        return PayloadPage((), max(head, after), prunings)  # all that is stored belongs to the framework
    statement, values = _query("e.seq, e.payload, e.crc", wanted)
    found: list[Payload] = []
    size, upto = 0, after
    # Of one job, what fills a page is looked for near by first: finding the end of a span takes time for each event.
    for span in (limit, SPAN - limit) if wanted.job_id is not None and limit < SPAN else (SPAN,):
        try:
            start, upto = upto, _upto(connection, wanted.job_id, upto, head, span)
            for seq, payload, crc in connection.execute(statement, [start, upto, *values, limit - len(found)]):
                if type(payload) is not bytes or (crc32(payload, seq) != crc and crc is not None):
                    if not found:  # nobody is shown other bytes than the first reader
                        raise _overwritten(seq)
                    return PayloadPage(found, seq - 1, prunings)
                found.append((seq, payload))
                size += len(payload)
                if size >= PAGE_BYTES:
                    return PayloadPage(found, seq, prunings)
        except FAULTS as e:
            if not found or not is_damage(e):
                raise
            upto = found[-1][0]  # what was read before it is handed out; the next page begins with the damage
            break
        if len(found) >= limit:
            return PayloadPage(found, found[-1][0], prunings)
        if upto >= head:
            break
    return PayloadPage(found, max(upto, after), prunings)


def _keys(
    connection: sqlite3.Connection, facts: Facts, wanted: EventFilter, after: int, page: PayloadPage
) -> list[EventKey]:
    """Of the page's events, in their order, up to one that was overwritten; read within the same transaction."""
    keys: list[EventKey] = []
    if not page.payloads:
        return keys
    statement, values = _query("e.job_no, e.type", wanted)
    known = facts.known
    try:
        for pair in connection.execute(statement, [after, page.payloads[-1][0], *values, len(page.payloads)]):
            key = known.get(pair) or facts.key(connection, *pair)
            if key is None:
                break
            keys.append(key)
    except FAULTS as e:
        if not is_damage(e):
            raise
    return keys


def _overwritten(seq: int) -> StoreDamaged:
    return StoreDamaged(f"event {seq} was overwritten on the disk: {REPAIR}", seq)


def _query(chosen: str, wanted: EventFilter) -> tuple[str, list[object]]:
    """Selects what is chosen of a page's events; and the statement's values but for the first two (the seqs between
    which it looks) and the last (how many). A checksum is None where an earlier version wrote the event.
    """
    where, values = ["e.seq > ?", "e.seq <= ?"], []  # type: tuple[list[str], list[object]]
    if wanted.types is None:
        where.append(f"e.type NOT IN ({_marks(ON_REQUEST)})")
        values += sorted(ON_REQUEST)
    else:
        where.append(f"e.type IN ({_marks(wanted.types)})")
        values += sorted(wanted.types)
    if wanted.job_id is not None:
        where.append("e.job_no = (SELECT no FROM jobs WHERE job_id = ?)")
        values.append(wanted.job_id)
    source = "events e"
    for column in ("user", "service_uuid", "service_name"):
        if (value := getattr(wanted, column)) is not None:
            # CROSS JOIN keeps the order of the tables: the events are walked by seq (or by job and seq), never sorted.
            source = "events e CROSS JOIN jobs j ON j.no = e.job_no"
            where.append(f"j.{column} = ?")
            values.append(value)
    return f"SELECT {chosen} FROM {source} WHERE {' AND '.join(where)} ORDER BY e.seq LIMIT ?", values  # noqa: S608


def _upto(connection: sqlite3.Connection, job_id: str | None, after: int, head: int, span: int) -> int:
    """The seq of the event that is so many further, of the log or of one job; `head` where there are fewer."""
    if job_id is None:  # what was removed left holes: a large one is stepped over at once
        row = connection.execute("SELECT seq FROM events WHERE seq > ? ORDER BY seq LIMIT 1", (after,)).fetchone()
        return min(head, row[0] - 1 + span) if row else head
    # The index alone is walked, not the events.
    row = connection.execute(
        "SELECT seq FROM events WHERE job_no = (SELECT no FROM jobs WHERE job_id = ?) AND seq > ?"
        " ORDER BY seq LIMIT 1 OFFSET ?",
        (job_id, after, span - 1),
    ).fetchone()
    return int(row[0]) if row else head


def _head(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT max(seq) FROM events").fetchone()[0] or 0)


def _marks(values: frozenset[str]) -> str:
    return ", ".join("?" * len(values))


def read_jobs(
    connection: sqlite3.Connection,
    conditions: dict[str, str | None],
    status: JobStatus | None,
    limit: int,
    cursor: str | None,
) -> JobsPage:
    """See Store.jobs."""
    where, values = ["1"], []  # type: tuple[list[str], list[object]]
    for column, value in (*conditions.items(), ("status", status and status.value)):
        if value is not None:
            where.append(f"j.{column} = ?")
            values.append(value)
    if cursor is not None:
        where.append("j.no < ?")
        values.append(int(cursor))
    jobs: list[JobRecord] = []
    size, last = 0, None
    for number, record, params in connection.execute(
        f"{SELECT_RECORDS} WHERE {' AND '.join(where)} ORDER BY j.no DESC LIMIT ?",
        [*values, limit + 1],
    ):
        if len(jobs) >= limit or size >= PAGE_BYTES:
            return JobsPage(jobs, last)
        jobs.append(_record(record, params))
        size += len(record) + len(params)
        last = str(number)
    return JobsPage(jobs, None)


def read_job(connection: sqlite3.Connection, job_id: str) -> JobRecord | None:
    """See Store.job."""
    row = connection.execute(f"{SELECT_RECORDS} WHERE j.job_id = ?", (job_id,)).fetchone()
    return row and _record(*row[1:])


def read_active_jobs(connection: sqlite3.Connection) -> Sequence[JobRecord]:
    """See Store.active_jobs."""
    rows = connection.execute(f"{SELECT_RECORDS} WHERE j.active = 1 ORDER BY j.no")
    return [_record(record, params) for _, record, params in rows]


def read_job_by_key(connection: sqlite3.Connection, user: str, key: str) -> JobRecord | None:
    """See Store.job_by_idempotency_key."""
    row = connection.execute(f"{SELECT_RECORDS} WHERE j.user = ? AND j.idempotency_key = ?", (user, key)).fetchone()
    return row and _record(*row[1:])


def read_position(connection: sqlite3.Connection, job_id: str) -> LogPosition | None:
    """See Store.position."""
    row = connection.execute(
        "SELECT p.log_offset, p.state FROM positions p JOIN jobs j ON j.no = p.job_no WHERE j.job_id = ?", (job_id,)
    ).fetchone()
    try:
        return row and LogPosition(row[0], orjson.loads(row[1]))
    except ValueError as e:
        raise StoreDamaged(f"the log position of job {job_id} was overwritten on the disk ({e}): {REPAIR}") from e


def read_all_jobs(connection: sqlite3.Connection) -> None:
    """Reads every job and every log position. Raises StoreError for one that cannot be read."""
    job_ids = [row[0] for row in connection.execute("SELECT job_id FROM jobs")]
    for job_id in job_ids:
        read_job(connection, job_id)
        read_position(connection, job_id)


def _record(record: bytes, params: bytes) -> JobRecord:
    """Raises StoreDamaged for what is none."""
    try:
        return JobRecord.from_json(orjson.loads(record) | {"params": orjson.loads(params)})
    except (ValueError, LookupError, TypeError) as e:
        raise StoreDamaged(f"the record of a job was overwritten on the disk ({e!r}): {REPAIR}") from e
