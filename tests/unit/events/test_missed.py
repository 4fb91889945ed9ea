"""Events that are removed while a feed catches up: its reader is told, and never silently skips any."""

import json

from k12ai_ws.store.retention import Rules, plan
from k12ai_ws.store.sqlite.upkeep import Upkeep
from k12ai_ws.wire.filter import EventFilter

from .conftest import Reader, plain

LOGS = EventFilter(types=frozenset({"log"}))
MANY = 1500
"""Events of several pages."""


def missed(name: str, after: int) -> bytes:
    return json.dumps({"missed": name, "after": after, "seq": None}).encode()


async def prune_logs(store, most: int = 1) -> None:
    """Removes log lines of all jobs, but the last event of the log."""
    inner = store._store
    upkeep = Upkeep(inner, step_events=1000, rest=0.0)
    await upkeep.count()
    for order in plan(await upkeep.shelves(), Rules(max_events=most), 0):
        await upkeep.carry_out(order)


def told(reader: Reader) -> list[dict]:
    return [m for f in reader.frames if "missed" in (m := json.loads(f))]


async def test_a_slow_reader_is_told_what_it_missed_and_goes_on(store, hub, log, until) -> None:
    reader = Reader(limit=500)
    reader.stuck = True
    await log.append(MANY, kind="log", text="x" * 50)
    await log.append(5)
    feed = hub.attach(reader, plain, missed)
    feed.add("logs", LOGS, 0)
    feed.add("states", EventFilter(types=frozenset({"status"})), 0)
    await until(lambda: reader.unsent > reader.limit)
    seen = len(reader.frames)
    assert seen < MANY
    await prune_logs(store)
    reader.stuck = False
    reader.read()
    await until(lambda: len(reader.frames) and json.loads(reader.frames[-1])["seq"] == MANY + 5)
    (only,) = told(reader)
    assert only["missed"] == "logs", "the other one lost nothing"
    before = [json.loads(f)["seq"] for f in reader.frames[: reader.frames.index(json.dumps(only).encode())]]
    assert only["after"] == before[-1], "it knows after which seq it goes on"
    seqs = [s for s in reader.seqs if s is not None]
    assert seqs == [*before, *range(MANY + 1, MANY + 6)]
    await log.append(1, kind="log")
    await until(lambda: reader.seqs[-1] == MANY + 6)
    assert len(told(reader)) == 1
    hub.detach(feed)


async def test_what_was_gone_when_it_began_is_no_loss(store, hub, log, until) -> None:
    await log.append(100, kind="log")
    await log.append(1)
    await prune_logs(store)
    reader = Reader()
    feed = hub.attach(reader, plain, missed)
    feed.add("logs", EventFilter(types=frozenset({"log", "status"})), 0)
    await until(lambda: bool(reader.frames) and reader.seqs[-1] == 101)
    assert told(reader) == []
    hub.detach(feed)


async def test_what_goes_between_the_question_and_the_subscription_is_told(store, hub, log, until) -> None:
    await log.append(100, kind="log")
    await log.append(1)
    prunings = store.prunings
    await prune_logs(store)
    reader = Reader()
    feed = hub.attach(reader, plain, missed)
    feed.add("logs", LOGS, 50, prunings)
    await until(lambda: len(told(reader)) == 1)
    assert told(reader)[0]["after"] == 50
    hub.detach(feed)


async def test_what_goes_behind_the_cursor_or_of_others_is_not_told(store, hub, log, until) -> None:
    await log.append(50, kind="log", user="ann")
    await log.append(1, user="ann")
    await log.append(30, kind="log", text="x" * 50)
    reader = Reader(limit=500)
    reader.stuck = True
    feed = hub.attach(reader, plain, missed)
    feed.add("logs", EventFilter(user="u", types=frozenset({"log"})), 51)
    await until(lambda: reader.unsent > reader.limit)
    inner = Upkeep(store._store, step_events=1000, rest=0.0)
    await inner.count()
    ann = next(s for s in await inner.shelves() if s.job_id == "job-ann")
    for order in plan([ann], Rules(max_job_events=1), 0):
        await inner.carry_out(order)
    assert store.prunings
    reader.stuck = False
    reader.read()
    await until(lambda: reader.seqs[-1] == 81)
    assert told(reader) == []
    assert reader.seqs == list(range(52, 82))
    hub.detach(feed)


async def test_without_words_for_it_the_connection_is_ended(store, hub, log, until) -> None:
    await log.append(100, kind="log")
    await log.append(1)
    prunings = store.prunings
    await prune_logs(store)
    reader = Reader()
    feed = hub.attach(reader, plain)
    feed.add("logs", LOGS, 50, prunings)
    await until(lambda: reader.failed)
    hub.detach(feed)


async def test_a_live_reader_loses_nothing_to_a_prune(store, hub, log, until) -> None:
    reader = Reader()
    feed = hub.attach(reader, plain, missed)
    feed.add("logs", LOGS, 0)
    for _ in range(5):
        await log.append(20, kind="log")
        await prune_logs(store)
    await until(lambda: len(reader.frames) == 100)
    assert reader.seqs == list(range(1, 101))
    assert told(reader) == []
    hub.detach(feed)
