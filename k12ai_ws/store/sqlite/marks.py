"""What is known of events that were removed: per job and type the highest seq that went. So a reader who comes back
after a seq before it is told.

Every transaction that removes events has a number, and each mark has that of the last one that moved it: a reader who
knows the number of the moment when it began asks for what went since. What is known of jobs that are gone themselves
is kept by their owner and service, for so many of them; past that, for all together.
"""

import sqlite3
from collections.abc import Mapping

from k12ai_ws.wire.filter import ON_REQUEST, EventFilter

MAX_GONE = 10_000
FOLDED = 1_000
"""So many of the oldest marks of jobs that are gone become one per type, once there are more than `MAX_GONE`."""
OWNER = ("user", "service_uuid", "service_name")
MAX_SEQ = (1 << 63) - 1
SCAN = 20_000
"""Events looked at for the earliest one of a job: bounds the time (about 10 ms)."""


def prunings(connection: sqlite3.Connection) -> int:
    """The number of the last transaction that removed events; 0: nothing was ever removed."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'prunings'").fetchone()
    return int(row[0]) if row else 0


def next_pruning(connection: sqlite3.Connection) -> int:
    """The number of this transaction."""
    number = prunings(connection) + 1
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('prunings', ?)", (str(number),))
    return number


def mark(connection: sqlite3.Connection, job_no: int, seqs: Mapping[str, int], number: int) -> None:
    """Events of the job went in this transaction; `seqs` has the highest seq by type."""
    connection.executemany(
        "INSERT INTO pruned VALUES (?, ?, ?, ?) ON CONFLICT (job_no, type)"
        " DO UPDATE SET seq = max(seq, excluded.seq), pruning = excluded.pruning",
        [(job_no, kind, seq, number) for kind, seq in seqs.items()],
    )


def bury(connection: sqlite3.Connection, job_no: int) -> None:
    """The job itself goes: its marks become its owner's."""
    connection.execute(
        "INSERT INTO gone SELECT j.user, j.service_uuid, j.service_name, p.type, p.seq, p.pruning"
        " FROM pruned p JOIN jobs j ON j.no = p.job_no WHERE p.job_no = ?"
        " ON CONFLICT (user, service_uuid, service_name, type)"
        " DO UPDATE SET seq = max(seq, excluded.seq), pruning = max(pruning, excluded.pruning)",
        (job_no,),
    )
    connection.execute("DELETE FROM pruned WHERE job_no = ?", (job_no,))
    if connection.execute("SELECT count(*) FROM gone").fetchone()[0] <= MAX_GONE:
        return
    border = connection.execute("SELECT seq FROM gone ORDER BY seq LIMIT 1 OFFSET ?", (FOLDED - 1,)).fetchone()[0]
    old = connection.execute(
        "SELECT type, max(seq), max(pruning) FROM gone WHERE seq <= ? GROUP BY type", (border,)
    ).fetchall()
    connection.execute("DELETE FROM gone WHERE seq <= ? AND user != ''", (border,))
    connection.executemany(
        "INSERT INTO gone VALUES ('', '', '', ?, ?, ?) ON CONFLICT (user, service_uuid, service_name, type)"
        " DO UPDATE SET seq = max(seq, excluded.seq), pruning = max(pruning, excluded.pruning)",
        old,
    )


def read_pruned(connection: sqlite3.Connection, wanted: EventFilter, after: int, since: int) -> int:
    """See Store.pruned."""
    if wanted.tags is not None and "framework" not in wanted.tags:
        return 0
    if wanted.job_id is not None:
        known = connection.execute(
            "SELECT 1 FROM jobs WHERE job_id = ? AND user = ifnull(?, user)", (wanted.job_id, wanted.user)
        ).fetchone()
        return (_of_jobs if known else _of_gone)(connection, wanted, after, since)
    return max(_of_jobs(connection, wanted, after, since), _of_gone(connection, wanted, after, since))


def _of_jobs(connection: sqlite3.Connection, wanted: EventFilter, after: int, since: int) -> int:
    types, values = _types(wanted)
    where, given = f"p.seq > ? AND p.pruning > ? AND {types}", [after, since, *values]
    for column in ("job_id", *OWNER):
        if (value := getattr(wanted, column)) is not None:
            where += f" AND j.{column} = ?"
            given.append(value)
    # CROSS JOIN keeps the order of the tables: those of one user are looked at by their jobs, all others from the
    # highest mark down, so that it ends with the first that is the filter's.
    by_job = wanted.job_id is not None or wanted.user is not None
    tables = "jobs j CROSS JOIN pruned p" if by_job else "pruned p CROSS JOIN jobs j"
    row = connection.execute(
        f"SELECT p.seq FROM {tables} ON j.no = p.job_no WHERE {where} ORDER BY p.seq DESC LIMIT 1",  # noqa: S608 - no input
        given,
    ).fetchone()
    return int(row[0]) if row else 0


def _of_gone(connection: sqlite3.Connection, wanted: EventFilter, after: int, since: int) -> int:
    types, values = _types(wanted)
    where, given = f"p.seq > ? AND p.pruning > ? AND {types}", [after, since, *values]
    for column in OWNER:
        if (value := getattr(wanted, column)) is not None:
            where += f" AND p.{column} IN (?, '')"
            given.append(value)
    row = connection.execute(f"SELECT max(p.seq) FROM gone p WHERE {where}", given).fetchone()  # noqa: S608 - no input
    return int(row[0] or 0)


def read_earliest(connection: sqlite3.Connection, wanted: EventFilter) -> int:
    """See Store.earliest."""
    if wanted.job_id is None:
        row = connection.execute("SELECT min(seq) FROM events").fetchone()
        return int(row[0] or 1)
    types, values = _types(wanted)
    of_job = "FROM events p WHERE p.job_no = (SELECT no FROM jobs WHERE job_id = ? AND user = ifnull(?, user))"
    # The index alone is walked for the end of what is looked at.
    end = connection.execute(
        f"SELECT p.seq {of_job} ORDER BY p.seq LIMIT 1 OFFSET ?",
        (wanted.job_id, wanted.user, SCAN),
    ).fetchone()
    first = connection.execute(
        f"SELECT p.seq {of_job} AND p.seq < ? AND {types} ORDER BY p.seq LIMIT 1",
        [wanted.job_id, wanted.user, end[0] if end else MAX_SEQ, *values],
    ).fetchone()
    if first or end:
        return int((first or end)[0])
    return int(connection.execute("SELECT max(seq) FROM events").fetchone()[0] or 0) + 1


def _types(wanted: EventFilter) -> tuple[str, list[object]]:
    if wanted.types is None:
        return f"p.type NOT IN ({', '.join('?' * len(ON_REQUEST))})", [*sorted(ON_REQUEST)]
    return f"p.type IN ({', '.join('?' * len(wanted.types))})", [*sorted(wanted.types)]
