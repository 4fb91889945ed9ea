"""Pruning a real store: what goes and what stays, what is known of it afterwards, and writers that go on meanwhile."""

import asyncio
import json
import sqlite3
import threading
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from k12ai_ws.store.retention import Kind, Order, Rules, plan
from k12ai_ws.store.sqlite import SqliteStore, marks, reader, tally
from k12ai_ws.store.sqlite.prune import Row, erase, scan
from k12ai_ws.store.sqlite.upkeep import Upkeep, steps_of
from k12ai_ws.store.store import Change, NewEvent, StoreError
from k12ai_ws.wire.filter import EVENT_TYPES, EventFilter
from k12ai_ws.wire.status import JobStatus

EVERY = EventFilter(types=EVENT_TYPES)
DAY_MS = 86_400_000


def upkeep(store, step_events: int = 50) -> Upkeep:
    return Upkeep(store, step_events=step_events, rest=0.0)


def event(kind: str, **body) -> NewEvent:
    return NewEvent(kind, json.dumps({"type": kind, kind: body}, separators=(",", ":")).encode())


def round_of(i: int) -> list[NewEvent]:
    """One of each, as a job's loop gives them."""
    return [
        event("log", stream="stdout", lines=[f"line {i}"]),
        event("metrics", step=i, loss=abs(50 - i) / 7),
        event("progress", value=i / 100),
    ]


async def a_job(store, make, number: int | str = 1, rounds: int = 100, *, ended: bool = True, **fields) -> None:
    """A job of one round after another; where it ends, it has two errors, of which the last kills it."""
    record = {"ended_ms": 1000, **fields}
    await store.append(Change(make.record(number, **fields), [event("status", value="queued")]))
    for i in range(0, rounds, 20):
        events = [e for j in range(i, min(rounds, i + 20)) for e in round_of(j)]
        await store.append(Change(make.record(number, **fields), events))
    if ended:
        last = [
            event("error", code=1, severity="error"),
            event("error", code=2, severity="error"),
            event("error", code=3, severity="warning"),
            event("status", value="failed"),
        ]
        await store.append(Change(make.record(number, status=JobStatus.FAILED, **record), last))


async def kept(store, wanted: EventFilter = EVERY) -> list:
    events, after = [], 0
    while after < store.head:
        page = await store.replay(wanted, after)
        assert page.scanned > after
        events += page.events
        after = page.scanned
    return events


def types(events) -> Counter:
    return Counter(e.key.type for e in events)


async def prune(store, rules: Rules, now_ms: int = 1000 + DAY_MS, step_events: int = 50) -> Upkeep:
    work = upkeep(store, step_events)
    await work.count()
    for order in plan(await work.shelves(), rules, now_ms):
        await work.carry_out(order)
    return work


async def assert_counted(store) -> None:
    """The tallies are what a count of everything gives."""
    await upkeep(store).count()
    counted = await store.read(lambda c: c.execute("SELECT * FROM kept WHERE events ORDER BY 1, 2").fetchall())
    sums: Counter = Counter()
    rows = await store.read(lambda c: c.execute("SELECT job_no, type, length(payload) FROM events").fetchall())
    for job_no, kind, size in rows:
        sums[job_no, int(Kind.of(kind)), "events"] += 1
        sums[job_no, int(Kind.of(kind)), "bytes"] += size + tally.EVENT_BYTES
    assert counted == sorted((j, k, sums[j, k, "events"], sums[j, k, "bytes"]) for j, k in {(j, k) for j, k, _ in sums})


async def test_everything_is_counted_once_in_small_steps_and_what_is_not_yet_is_seen_too(
    store, make, monkeypatch
) -> None:
    monkeypatch.setattr(tally, "SPAN", 7)
    await a_job(store, make, 1, 30)
    (before,) = await upkeep(store).shelves()
    await upkeep(store).count()
    await assert_counted(store)
    (after,) = await upkeep(store).shelves()
    assert after == before
    assert (after.job_id, after.ended_ms, after.events) == ("job-1", 1000, (30, 30, 30, 5))
    await a_job(store, make, 2, 5, ended=False)
    assert [s.events for s in await upkeep(store).shelves()] == [(30, 30, 30, 5), (5, 5, 5, 1)]
    assert (await upkeep(store).shelves())[1].ended_ms is None
    await assert_counted(store)


async def test_a_class_goes_and_all_else_stays_with_its_bytes(store, make) -> None:
    await a_job(store, make)
    before = await kept(store)
    head = store.head
    work = await prune(store, Rules(log_days=0.5))
    after = await kept(store)
    assert after == [e for e in before if e.key.type != "log"]
    assert (work.removed.events, work.removed.jobs, store.head) == (100, 0, head)
    await assert_counted(store)
    assert (await prune(store, Rules(log_days=0.5))).removed.events == 0, "there is nothing left to do"


async def test_the_last_status_and_the_last_error_stay_until_the_job_goes(store, make) -> None:
    await a_job(store, make)
    await a_job(store, make, 2, 1, ended=False)
    await prune(store, Rules(max_job_events=1, points=4))
    left = await kept(store, EventFilter(job_id="job-1", types=EVENT_TYPES))
    assert [json.loads(e.payload)[e.key.type].get("code", e.key.type) for e in left] == [2, "status"]
    work = await prune(store, Rules(job_days=0.5))
    assert work.removed.jobs == 1
    assert await store.job("job-1") is None
    assert {e.key.job_id for e in await kept(store)} == {"job-2"}
    assert await kept(store, EventFilter(job_id="job-1", types=EVENT_TYPES)) == []


async def test_a_removed_job_leaves_nothing_behind_but_what_must_be_known(store, make, path: Path) -> None:
    await a_job(store, make, 1, 10, idempotency_key="k", params={"big": "x" * 1000})
    await a_job(store, make, 2, 1, ended=False)
    work = await prune(store, Rules(max_jobs=1))
    assert (work.removed.jobs, work.removed.events) == (1, 35)
    assert work.removed.bytes > 1000
    assert await store.job_by_idempotency_key("u", "k") is None
    await store.append(make.change(3, "x", idempotency_key="k"))
    assert [j.job_id for j in (await store.jobs()).jobs] == ["job-3", "job-2"]
    with sqlite3.connect(path) as connection:
        for table in ("events", "requests", "positions", "kept", "ended", "pruned"):
            assert connection.execute(f"SELECT count(*) FROM {table} WHERE job_no = 1").fetchone() == (0,), table
        assert connection.execute("SELECT count(*) FROM gone").fetchone() == (5,)
    connection.close()
    assert await store.pruned(EventFilter(job_id="job-1")) == 35
    assert await store.pruned(EventFilter(user="u")) == 35
    assert await store.pruned(EventFilter(job_id="job-2")) == 0
    assert await store.pruned(EventFilter(user="somebody else")) == 0


async def test_an_active_job_loses_only_what_it_may(store, make) -> None:
    await a_job(store, make, ended=False)
    before = await kept(store)
    await prune(store, Rules(log_days=0.1, job_days=0.1, max_jobs=1), now_ms=1 << 50)
    assert await kept(store) == before, "no age counts before the end"
    await prune(store, Rules(max_job_events=1, points=8))
    left = await kept(store)
    assert types(left)["status"] == 1
    assert not types(left)["log"]
    losses = {json.loads(e.payload)["metrics"]["loss"] for e in left if e.key.type == "metrics"}
    assert {0.0, max(abs(50 - i) / 7 for i in range(100))} <= losses
    assert len(losses) <= 8


async def test_thinning_keeps_the_plot_and_is_told(store, make) -> None:
    await a_job(store, make, 1, 400)
    before = [e for e in await kept(store) if e.key.type == "metrics"]
    await prune(store, Rules(thin_days=0.5, points=40))
    after = [e for e in await kept(store) if e.key.type == "metrics"]
    assert set(after) <= set(before)
    assert 20 <= len(after) <= 80
    assert (after[0], after[-1]) == (before[0], before[-1])
    gone = max(e.seq for e in set(before) - set(after))
    assert await store.pruned(EventFilter(types=frozenset({"metrics"}))) == gone
    assert await store.pruned(EventFilter(types=frozenset({"status", "log"}))) == 0
    assert (await prune(store, Rules(thin_days=0.5, points=40))).removed.events == 0, "once is enough"


async def test_no_more_goes_than_is_ordered_oldest_first(store, make) -> None:
    await a_job(store, make)
    logs = [e.seq for e in await kept(store) if e.key.type == "log"]
    work = upkeep(store, step_events=7)
    await work.count()
    await work.carry_out(Order("drop", 1, "job-1", Kind.LOG, 33, 0))
    assert [e.seq for e in await kept(store) if e.key.type == "log"] == logs[33:]
    await work.carry_out(Order("drop", 1, "job-1", Kind.LOG, 0, 1))
    assert [e.seq for e in await kept(store) if e.key.type == "log"] == logs[34:]
    assert work.removed.events == 34
    assert await store.pruned(EventFilter(types=frozenset({"log"}))) == logs[33]
    assert await store.pruned(EventFilter()) == 0, "log lines are not asked for unless by name"


async def test_the_head_is_never_removed_so_that_no_number_is_given_twice(store, make, open_store) -> None:
    await a_job(store, make, 1, 3)
    head = store.head
    work = await prune(store, Rules(job_days=0.5))
    assert work.removed.jobs == 0, "its last event is the log's last: it goes once there is another"
    assert [e.seq for e in await kept(store)][-1] == head
    await store.close()
    store = await open_store()
    assert store.head == head
    await store.append(make.change(2, "x"))
    assert store.head == head + 1
    assert (await prune(store, Rules(job_days=0.5))).removed.jobs == 1
    assert [e.seq for e in await kept(store)] == [head + 1]
    assert await store.earliest(EventFilter()) == head + 1


async def test_what_was_pruned_is_known_after_a_restart_and_by_every_filter(store, make, open_store) -> None:
    await a_job(store, make, 1, 10)
    await a_job(store, make, 2, 10, user="ann", service_uuid="p")
    await store.append(make.change(3, "x"))
    await prune(store, Rules(max_job_events=1, points=4))
    await store.close()
    store = await open_store()
    assert store.prunings > 0
    last = {e.seq for e in await kept(store)}
    first, second = range(1, 36), range(36, 71)
    of_first, of_second = max(set(first) - last), max(set(second) - last)
    for wanted, expected in (
        (EventFilter(), of_second),
        (EventFilter(user="u"), of_first),
        (EventFilter(user="ann", service_uuid="p"), of_second),
        (EventFilter(user="ann", service_uuid="q"), 0),
        (EventFilter(service_name="s", job_id="job-1"), of_first),
        (EventFilter(job_id="job-3"), 0),
        (EventFilter(job_id="never was"), 0),
        (EventFilter(tags=frozenset({"platform"})), 0),
        (EventFilter(tags=frozenset({"framework"})), of_second),
    ):
        assert await store.pruned(wanted) == expected, wanted
        assert await store.pruned(wanted, after=expected) == 0
        if expected:
            assert await store.pruned(wanted, after=expected - 1) == expected
        assert await store.pruned(wanted, since=store.prunings) == 0


async def test_what_went_since_a_moment(store, make) -> None:
    await a_job(store, make)
    await a_job(store, make, 2, 1, ended=False)
    await prune(store, Rules(thin_days=0.5, points=4))
    then, wanted = store.prunings, EventFilter(job_id="job-1", types=frozenset({"metrics"}))
    highest = await store.pruned(wanted)
    assert (await store.replay(wanted, 0)).prunings == then
    assert await store.pruned(wanted, since=then) == 0
    await prune(store, Rules(metrics_days=0.5))
    assert await store.pruned(wanted, since=then) > highest
    now = store.prunings
    await prune(store, Rules(job_days=0.5))
    assert await store.pruned(EventFilter(user="u"), since=now) > 0, "what went with its job is known too"


async def test_jobs_that_are_gone_are_known_in_bounded_space(store, make, monkeypatch, path: Path) -> None:
    monkeypatch.setattr(marks, "MAX_GONE", 10)
    monkeypatch.setattr(marks, "FOLDED", 5)
    for i in range(30):
        await store.append(make.change(i, "x", user=f"u{i}"))
        await store.append(make.end(i, user=f"u{i}", ended_ms=1000))
    await store.append(make.change("last", "x"))
    assert (await prune(store, Rules(job_days=0.5))).removed.jobs == 30
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM gone").fetchone()[0] <= 11
    connection.close()
    for i in range(30):
        assert await store.pruned(EventFilter(user=f"u{i}")) >= 2 * i + 2
    assert await store.pruned(EventFilter(user="u29", service_uuid="another")) < 60


async def test_earliest_of_a_job_and_of_all(store, make, monkeypatch) -> None:
    await a_job(store, make, 1, 10)
    await store.append(make.change(2, "x"))
    assert await store.earliest(EventFilter()) == 1
    assert await store.earliest(EventFilter(job_id="job-2")) == 36
    assert await store.earliest(EventFilter(job_id="job-1", types=frozenset({"error"}))) == 32
    assert await store.earliest(EventFilter(job_id="job-1", types=frozenset({"info"}))) == 37, "what comes has this seq"
    monkeypatch.setattr(marks, "SCAN", 10)
    assert await store.earliest(EventFilter(job_id="job-1", types=frozenset({"error"}))) == 11, "at least"


async def test_pages_step_over_holes_and_miss_nothing(store, make, monkeypatch) -> None:
    monkeypatch.setattr(reader, "SPAN", 20)
    await a_job(store, make, 1, 200)
    await a_job(store, make, 2, 20)
    await store.append(make.change(3, "x"))
    everything = await kept(store)
    await prune(store, Rules(max_jobs=2))
    left = [e for e in everything if e.key.job_id != "job-1"]
    assert await kept(store) == left
    page = await store.replay(EVERY, 0)
    assert page.events, "a hole of many spans is no empty page"
    for wanted in (EventFilter(types=frozenset({"error"})), EventFilter(job_id="job-2", types=frozenset({"status"}))):
        assert await kept(store, wanted) == [e for e in left if wanted.matches(e.key)]


async def test_an_append_amid_a_large_prune_is_stored_before_the_prune_is_over(store, make) -> None:
    await a_job(store, make, 1, 2000)
    done: list[str] = []

    async def remove() -> None:
        await prune(store, Rules(log_days=0.5), step_events=10)
        done.append("pruned")

    async def write() -> None:
        while not store.prunings:  # noqa: ASYNC110 - the first step has no event of its own
            await asyncio.sleep(0)
        for i in range(20):
            await store.append(make.change(2, f"x{i}"))
            done.append("appended")

    async with asyncio.timeout(180):
        await asyncio.gather(remove(), write())
    assert done == ["appended"] * 20 + ["pruned"]
    assert len(await kept(store, EventFilter(job_id="job-2"))) == 20
    await assert_counted(store)


async def test_appends_that_wait_go_before_the_next_step(store, make) -> None:
    """The writer is held up while a step, and then an append, queue up behind."""
    held, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold(_: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(held.set)
        assert go.wait(30)

    def step(connection: sqlite3.Connection) -> int:
        return connection.execute("SELECT count(*) FROM events").fetchone()[0]

    holding = asyncio.create_task(store.write(hold))
    await held.wait()
    stepping = asyncio.create_task(store.write(step))
    appending = asyncio.create_task(store.append(make.change(1, "x")))
    await asyncio.sleep(0)  # both are in the queue now
    go.set()
    await asyncio.gather(holding, appending)
    assert await stepping == 1, "the append that came after the step was stored before it"


async def test_a_step_that_fails_is_told_and_undone(store, make) -> None:
    await store.append(make.change(1, "x"))

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM events")
        connection.execute("this is no SQL")

    with pytest.raises(StoreError, match="syntax error"):
        await store.write(broken)
    assert len(await kept(store)) == 1
    await store.append(make.change(1, "y"))
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.write(broken)


async def test_freed_space_is_used_again(store, make, path: Path) -> None:
    """The file does not grow while as much goes as comes."""
    sizes = []
    for i in range(6):
        await a_job(store, make, i, 1000)
        await store.append(make.change(f"after-{i}", "x", status=JobStatus.FINISHED, ended_ms=1000))
        await prune(store, Rules(max_jobs=1), step_events=1000)
        await store.write(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        sizes.append((await asyncio.to_thread(path.stat)).st_size)
    assert sizes[-1] <= sizes[0] * 1.1


def test_steps_are_bounded_in_events_and_bytes() -> None:
    rows = [Row(i, "log", size) for i, size in enumerate([10] * 5 + [1 << 20, 1 << 21, 10])]
    steps = steps_of(rows, 3)
    assert [[r.seq for r in step] for step in steps] == [[0, 1, 2], [3, 4], [5], [6], [7]]


async def test_a_file_of_the_version_before_is_counted_from_its_beginning(path: Path, make, open_store) -> None:
    store = await open_store()
    await a_job(store, make, 1, 10)
    await store.close()
    with sqlite3.connect(path) as connection:
        for table in ("kept", "ended", "pruned", "gone"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE events DROP COLUMN crc")  # of a later version
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    store = await open_store()
    await store.append(make.change(2, "x"))
    assert (await prune(store, Rules(log_days=0.5))).removed.events == 10
    await assert_counted(store)
    assert isinstance(store, SqliteStore)


async def test_what_is_not_there_any_more_is_not_removed_twice_and_the_step_is_undone(store, make) -> None:
    await a_job(store, make, 1, 10)
    await upkeep(store).count()
    rows = list(await store.read(scan, 1, 0))[:6]
    await store.write(partial(erase, job_no=1, doomed=rows[:3]))
    before = await kept(store)
    with pytest.raises(StoreError, match="of 6 events that were to go, 3 were there"):
        await store.write(partial(erase, job_no=1, doomed=rows))
    assert await kept(store) == before
    await assert_counted(store)
