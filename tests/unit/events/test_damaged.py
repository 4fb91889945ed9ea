"""An event that is damaged on the disk: what comes before it is delivered, then its readers are told and ended."""

import json
import sqlite3

import pytest

from k12ai_ws.wire.filter import EventFilter

from .conftest import plain
from .test_missed import missed, prune_logs


def damaged(name, error) -> bytes:
    return json.dumps({"seq": None, "name": name, "broken": error.seq}).encode()


@pytest.fixture
def spoil(tmp_path):
    """Overwrites one byte of an event."""

    def spoil(seq: int) -> None:
        connection = sqlite3.connect(tmp_path / "k12ai.sqlite3")
        with connection:
            statement = "UPDATE events SET payload = CAST(replace(payload, 'good', 'gone') AS BLOB) WHERE seq = ?"
            assert connection.execute(statement, (seq,)).rowcount == 1
        connection.close()

    return spoil


def told(reader) -> list:
    """The seqs, and of the errors the names and what they say is broken."""
    messages = [json.loads(frame) for frame in reader.frames]
    return [m["seq"] or (m["name"], m["broken"]) for m in messages]


@pytest.fixture
def begin(hub):
    """A feed that is told of damage; detached at the end."""
    feeds = []

    def begin(reader):
        feeds.append(hub.attach(reader, plain, damaged=damaged))
        return feeds[-1]

    yield begin
    for feed in feeds:
        hub.detach(feed)


async def test_what_comes_before_is_delivered_and_then_the_end_with_its_reason(
    log, hub, store, new_reader, spoil, until, begin
) -> None:
    await log.append(9, text="good")
    spoil(6)
    reader = new_reader()
    feed = begin(reader)
    feed.add("s", EventFilter(), 0)
    await until(lambda: reader.ended)
    assert told(reader) == [1, 2, 3, 4, 5, ("s", 6)]
    assert not reader.failed
    reads = store.replays
    await log.append(3, text="good")
    await hub.flushed()
    assert store.replays == reads, "nobody tries again"
    assert told(reader) == [1, 2, 3, 4, 5, ("s", 6)]


async def test_whoever_begins_behind_it_is_served(log, new_reader, spoil, until, begin) -> None:
    await log.append(9, text="good")
    spoil(6)
    reader = new_reader()
    begin(reader).add("s", EventFilter(), 6)
    await until(lambda: len(reader.frames) == 3)
    await log.append(1, text="good")
    assert told(reader) == [7, 8, 9, 10]
    assert not reader.ended


async def test_another_subscription_of_the_connection_gets_what_comes_before_too(
    log, new_reader, spoil, until, begin
) -> None:
    for _ in range(4):
        await log.append(1, user="b", text="good")
    await log.append(2, user="a", text="good")
    spoil(5)
    reader = new_reader()
    feed = begin(reader)
    feed.add("a", EventFilter(user="a"), 0)
    feed.add("b", EventFilter(user="b"), 0)
    await until(lambda: reader.ended)
    assert told(reader)[:5] == [1, 2, 3, 4, ("a", 5)]


async def test_one_whose_filter_leaves_it_out_does_not_notice(log, new_reader, spoil, until, begin) -> None:
    await log.append(3, user="a", text="good")
    await log.append(3, user="b", text="good")
    spoil(2)
    reader = new_reader()
    begin(reader).add("b", EventFilter(user="b"), 0)
    await until(lambda: len(reader.frames) == 3)
    assert told(reader) == [4, 5, 6]
    assert not reader.ended


async def test_one_that_unsubscribes_meanwhile_takes_the_reason_with_it(
    log, store, new_reader, spoil, until, begin
) -> None:
    await log.append(3, user="a", text="good")
    await log.append(3, user="b", text="good")
    spoil(1)
    reader = new_reader()
    feed = begin(reader)
    store.gate.clear()
    feed.add("a", EventFilter(user="a"), 0)
    feed.add("b", EventFilter(user="b"), 3)
    await until(lambda: store.replays > 0)
    feed.remove("a")
    store.gate.set()
    await until(lambda: len(reader.frames) == 3)
    assert told(reader) == [4, 5, 6]
    assert not reader.ended


@pytest.mark.parametrize("broken", [5, 6])
async def test_what_was_removed_before_it_is_told_too(log, hub, store, new_reader, spoil, until, broken: int) -> None:
    await log.append(4, kind="log", text="good")
    await log.append(2, text="good")
    spoil(broken)
    reader = new_reader()
    feed = hub.attach(reader, plain, missed, damaged)
    prunings = store.prunings
    await prune_logs(store)
    feed.add("s", EventFilter(types=frozenset({"log", "status"})), 0, prunings)
    await until(lambda: reader.ended)
    messages = [json.loads(frame) for frame in reader.frames]
    told = [m["missed"] if "missed" in m else m.get("broken") or m["seq"] for m in messages]
    assert told == ["s", *range(5, broken + 1)]
    hub.detach(feed)
