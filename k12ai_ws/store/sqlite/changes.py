"""Changes become rows: a group of them in as few statements as can be.

A job's record and its log position are written once for a group, as its last change has them.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from zlib import crc32

from k12ai_ws.store.store import Change, LogPosition, StoredEvent
from k12ai_ws.wire.envelope import encode, with_seq
from k12ai_ws.wire.filter import EventKey
from k12ai_ws.wire.job import NEVER_STORED, JobRecord
from k12ai_ws.wire.status import JobStatus

from .bulk import Bulk

REMEMBERED = 10_000
"""Jobs whose numbers are kept in memory at most."""
FIELDS = tuple(name for name in JobRecord.__dataclass_fields__ if name not in {"params", *NEVER_STORED})
FIELDS_OF = attrgetter(*FIELDS)
COLUMNS = ("job_id", "user", "service_uuid", "service_name", "idempotency_key")
"""The record's fields that have a column of their own, to be looked for; none of them ever changes."""

EVENTS = Bulk("INSERT INTO events (seq, job_no, type, payload, crc) SELECT * FROM {rows}", 5)
RECORDS = Bulk("UPDATE jobs SET record = r.column2 FROM {rows} AS r WHERE jobs.no = r.column1", 2)
STATES = Bulk("UPDATE jobs SET status = r.column2, active = r.column3 FROM {rows} AS r WHERE jobs.no = r.column1", 3)
"""Apart from the records, because it touches an index, and a job's status changes seldom."""
POSITIONS = Bulk(
    "INSERT INTO positions (job_no, log_offset, state) SELECT * FROM {rows} WHERE true"
    " ON CONFLICT (job_no) DO UPDATE SET log_offset = excluded.log_offset, state = excluded.state",
    3,
)
NO_POSITIONS = Bulk("DELETE FROM positions WHERE job_no IN (SELECT column1 FROM {rows})", 1)


@dataclass(slots=True)
class _Job:
    """What is known of a job that has a row (`status` is what stands there), and what of it is still to be written: its
    record, its log position.
    """

    number: int
    status: JobStatus | None
    keys: dict[str, EventKey] = field(default_factory=dict)
    record: JobRecord | None = None
    position: LogPosition | None = None


class Changes:
    """Writes groups over the writing connection, inside transactions that its caller begins and ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._jobs: dict[str, _Job] = {}
        """Only jobs that had no terminal status at the last commit: nobody else removes their rows."""
        self._unwritten: dict[str, _Job] = {}
        self._ended: set[str] = set()

    def write(self, changes: Sequence[Change], first_seq: int) -> list[list[StoredEvent]]:
        """The events of each change as they are stored, from `first_seq` on.

        Where it raises (SQLite's errors, TypeError for what cannot be encoded), roll back and `forget`; else commit and
        `keep`, or `forget`.
        """
        seq = first_seq
        rows: list[object] = []
        stored: list[list[StoredEvent]] = []
        for change in changes:
            job = self._take(change)
            number, keys = job.number, job.keys
            events = []
            for kind, encoded in change.events:
                key = keys.get(kind)
                if key is None:
                    key = keys[kind] = key_of(change.record, kind)
                payload = with_seq(encoded, seq)
                events.append(StoredEvent(seq, key, payload))
                rows += (seq, number, kind, payload, crc32(payload, seq))
                seq += 1
            stored.append(events)
        self._write_jobs()
        EVENTS.execute(self._connection, rows)
        return stored

    def keep(self) -> None:
        """The group was committed: what was learnt of its jobs holds."""
        for job_id in self._ended:
            self._jobs.pop(job_id, None)
        self._ended.clear()
        while len(self._jobs) > REMEMBERED:
            del self._jobs[next(iter(self._jobs))]

    def forget(self) -> None:
        """The group was not committed: its jobs may not be there."""
        self._jobs.clear()
        self._unwritten.clear()
        self._ended.clear()

    def _take(self, change: Change) -> _Job:
        """The change's job, its record and position noted to be written; a new job gets its row at once."""
        record = change.record
        job = self._jobs.get(record.job_id)
        if job is None:
            row = self._connection.execute("SELECT no FROM jobs WHERE job_id = ?", (record.job_id,)).fetchone()
            if row is None:
                self._write_jobs()  # one that ends in this group makes room for the next of its user and service_uuid
                job = _Job(self._insert(record), record.status)
            else:
                job = _Job(int(row[0]), None, record=record)
            self._jobs[record.job_id] = job
        else:
            job.record = record
        if change.position is not None:
            job.position = change.position
        self._unwritten[record.job_id] = job
        if record.status.terminal:
            self._ended.add(record.job_id)
            job.position = None
        else:
            self._ended.discard(record.job_id)
        return job

    def _insert(self, record: JobRecord) -> int:
        """The new job's number. Its params, which never change and may be large, are written here and never again."""
        state = {"active": int(not record.status.terminal), "record": _encoded(record), "status": record.status.value}
        row = self._connection.execute(
            "INSERT INTO jobs (job_id, user, service_uuid, service_name, status, active, idempotency_key, record)"
            " VALUES (:job_id, :user, :service_uuid, :service_name, :status, :active, :idempotency_key, :record)"
            " RETURNING no",
            {name: getattr(record, name) for name in COLUMNS} | state,
        ).fetchone()
        self._connection.execute("INSERT INTO requests VALUES (?, ?)", (row[0], encode(record.params)))
        return int(row[0])

    def _write_jobs(self) -> None:
        """Writes what is unwritten."""
        records: list[object] = []
        states: list[object] = []
        positions: list[object] = []
        ended: list[object] = []
        for job_id, job in self._unwritten.items():
            if (record := job.record) is not None:
                records += (job.number, _encoded(record))
                if record.status is not job.status:
                    states += (job.number, record.status.value, int(not record.status.terminal))
                    job.status = record.status
            if (position := job.position) is not None:
                positions += (job.number, position.offset, encode(position.state))
            elif job_id in self._ended:
                ended.append(job.number)
            job.record = job.position = None
        self._unwritten.clear()
        RECORDS.execute(self._connection, records)
        STATES.execute(self._connection, states)
        POSITIONS.execute(self._connection, positions)
        NO_POSITIONS.execute(self._connection, ended)


def _encoded(record: JobRecord) -> bytes:
    return encode(dict(zip(FIELDS, FIELDS_OF(record), strict=True)))


def key_of(record: JobRecord, event_type: str) -> EventKey:
    """The filter key of one of the job's events."""
    return EventKey(event_type, "framework", record.user, record.service_uuid, record.service_name, record.job_id)
