"""A subscription is a cursor: replay, then live, no gap, no repeat, in order, whatever the reader does."""

import asyncio
import json
import random

import pytest

from k12ai_ws.events import delivery
from k12ai_ws.store.sqlite import reader as sqlite_reader
from k12ai_ws.wire.filter import EventFilter, EventKey

ALL = EventFilter()
LOGS = EventFilter(types=frozenset({"log"}))
METRICS = EventFilter(types=frozenset({"metrics"}))


def of(user: str) -> EventFilter:
    return EventFilter(user=user)


async def test_replay_then_live_while_events_are_being_appended(log, hub, attach, new_reader, until) -> None:
    await log.append(1200)
    reader = new_reader()
    writing = [asyncio.create_task(log.append(3, user=f"w{i}")) for i in range(200)]
    feed = attach(reader)
    feed.add("s", ALL, 0)
    await asyncio.gather(*writing)
    await until(lambda: len(reader.frames) >= 1800)
    await log.append(5)
    await until(lambda: len(reader.frames) >= 1805)
    assert reader.seqs == list(range(1, 1806))
    assert reader.frames == [e.payload for e in sorted(log.stored, key=lambda e: e.seq)]


async def test_pages_that_find_nothing_do_not_end_the_replay(
    log, attach, new_reader, until, monkeypatch, store
) -> None:
    """A read looks at a part of the log; the rare user's events stand behind many such parts, and then come live."""
    monkeypatch.setattr(sqlite_reader, "SPAN", 5)
    await log.append(50)
    await log.append(1, user="rare")
    await log.append(50)
    await log.append(1, user="rare")
    await log.append(20)
    reader = new_reader()
    attach(reader).add("s", of("rare"), 0)
    await until(lambda: len(reader.frames) == 2)
    await log.append(1, user="rare")
    await until(lambda: len(reader.frames) == 3)
    assert reader.seqs == [51, 102, 123]
    assert store.replays >= 122 // 5


@pytest.mark.parametrize("after", [0, 1, 7, 10])
async def test_after_means_strictly_after(log, attach, new_reader, until, after: int) -> None:
    await log.append(10)
    reader = new_reader()
    attach(reader).add("s", ALL, after)
    await until(lambda: len(reader.frames) == 10 - after)
    await log.append(1)
    assert reader.seqs == list(range(after + 1, 12))


async def test_now_gives_only_what_comes(log, hub, attach, new_reader, store) -> None:
    await log.append(10)
    reader = new_reader()
    attach(reader).add("s", ALL, hub.head)
    before = store.replays
    await log.append(2)
    assert reader.seqs == [11, 12]
    assert store.replays == before, "a reader at the live edge costs no read"


async def test_the_log_comes_only_on_request(log, attach, new_reader, until) -> None:
    for kind in ("status", "log", "metrics", "log"):
        await log.append(1, kind=kind)
    plain, asking = new_reader(), new_reader()
    attach(plain).add("s", ALL, 0)
    attach(asking).add("s", LOGS, 0)
    await until(lambda: (len(plain.frames), len(asking.frames)) == (2, 2))
    await log.append(1, kind="log")
    await log.append(1, kind="error")
    assert (plain.seqs, asking.seqs) == ([1, 3, 6], [2, 4, 5])


async def test_the_union_of_overlapping_subscriptions_gives_each_event_once_in_order(
    log, attach, new_reader, until
) -> None:
    for i in range(400):
        await log.append(1, user="ab"[i % 2], kind=("status", "metrics", "log")[i % 3])
    reader = new_reader()
    feed = attach(reader)
    feed.add("all", ALL, 0)
    feed.add("a", of("a"), 0)
    feed.add("metrics", METRICS, 0)
    feed.add("late", ALL, 100)
    expected = log.matching(ALL)
    await until(lambda: len(reader.frames) >= len(expected))
    for i in range(30):
        await log.append(1, user="ab"[i % 2], kind=("status", "metrics", "log")[i % 3])
    expected = log.matching(ALL)
    await until(lambda: len(reader.frames) >= len(expected))
    assert reader.seqs == expected


async def test_each_of_different_subscriptions_gets_its_own(log, attach, new_reader, until) -> None:
    for i in range(60):
        await log.append(1, user="abc"[i % 3])
    reader = new_reader()
    feed = attach(reader)
    feed.add("a", of("a"), 0)
    feed.add("b", of("b"), 30)
    expected = sorted(log.matching(of("a")) + log.matching(of("b"), 30))
    await until(lambda: len(reader.frames) >= len(expected))
    assert reader.seqs == expected


async def test_a_new_subscription_in_the_past_keeps_the_order_of_what_comes_meanwhile(
    log, hub, store, attach, new_reader, until
) -> None:
    """What is committed while one subscription replays comes after its replay, for every subscription."""
    await log.append(50)
    reader = new_reader()
    feed = attach(reader)
    feed.add("live", METRICS, hub.head)
    store.gate.clear()
    feed.add("replay", ALL, 0)
    await log.append(5, kind="metrics")
    store.gate.set()
    await until(lambda: len(reader.frames) >= 55)
    assert reader.seqs == list(range(1, 56))


async def test_what_is_read_from_the_store_before_the_hub_hears_of_it_comes_once(
    log, hub, attach, new_reader, until
) -> None:
    """A replay may see a commit that the loop has not been told of; a second subscription must not repeat it."""
    await log.append(3)
    reader = new_reader()
    feed = attach(reader)
    hub._edge.head = 2  # as if the commit of 3 were still on its way from the writer's thread
    feed.add("first", ALL, 0)
    await until(lambda: len(reader.frames) == 2)
    feed.add("second", ALL, 2)
    hub._publish(log.stored[2:])
    await log.append(1)
    assert reader.seqs == [1, 2, 3, 4]


async def test_unsubscribe_ends_it_and_a_new_one_starts_where_it_says(log, hub, attach, new_reader, until) -> None:
    await log.append(5)
    reader = new_reader()
    feed = attach(reader)
    feed.add("s", ALL, hub.head)
    await log.append(1)
    assert feed.remove("s")
    assert not feed.remove("s")
    assert "s" not in feed
    await log.append(2)
    assert reader.seqs == [6]
    feed.add("s", ALL, 4)
    assert len(feed) == 1
    await until(lambda: len(reader.frames) == 5)
    assert reader.seqs == [6, 5, 6, 7, 8], "asked for again, it is given again"


async def test_unsubscribing_in_the_middle_of_a_replay(log, store, attach, new_reader, until) -> None:
    await log.append(20)
    reader = new_reader()
    feed = attach(reader)
    store.gate.clear()
    feed.add("gone", ALL, 0)
    feed.add("stays", METRICS, 0)
    await until(lambda: store.replays > 0)
    feed.remove("gone")
    store.gate.set()
    await log.append(1, kind="metrics")
    await until(lambda: len(reader.frames) == 1)
    assert reader.seqs == [21]


async def test_replacing_a_subscription_in_the_middle_of_a_replay(log, store, attach, new_reader, until) -> None:
    await log.append(20)
    reader = new_reader()
    feed = attach(reader)
    store.gate.clear()
    feed.add("s", ALL, 0)
    await until(lambda: store.replays > 0)
    feed.remove("s")
    feed.add("s", ALL, 15)
    store.gate.set()
    await until(lambda: len(reader.frames) == 5)
    await log.append(1)
    await until(lambda: len(reader.frames) == 6)
    assert reader.seqs == [16, 17, 18, 19, 20, 21]


async def test_a_stuck_reader_costs_a_bounded_memory_and_loses_nothing(
    log, hub, attach, new_reader, until, monkeypatch
) -> None:
    monkeypatch.setattr(delivery, "PIECE_BYTES", 100)
    reader = new_reader(limit=1000)
    feed = attach(reader)
    feed.add("s", ALL, hub.head)
    feed.add("m", METRICS, hub.head)
    reader.stuck = True
    for i in range(300):
        await log.append(3, text="x" * 50, kind=("status", "metrics")[i % 2])
    largest = 100 + max(len(e.payload) for e in log.stored)
    assert reader.worst <= reader.limit + largest
    assert len(reader.frames) < 30
    reads = 0
    while len(reader.frames) < 900:
        reader.read()
        reads += 1
        held = len(reader.frames)
        await until(lambda held=held: len(reader.frames) > held)
    assert reader.worst <= reader.limit + largest
    assert reads > 50, "it was given in pieces"
    assert reader.seqs == list(range(1, 901))
    reader.read()
    reader.stuck = False
    await log.append(1)
    await until(lambda: len(reader.frames) == 901)
    assert reader.seqs[-1] == 901


async def test_one_slow_reader_does_not_slow_another(log, hub, attach, new_reader) -> None:
    slow, fast = new_reader(limit=10), new_reader()
    slow.stuck = True
    attach(slow).add("s", ALL, 0)
    attach(fast).add("s", ALL, 0)
    for _ in range(50):
        await log.append(1)
    assert fast.seqs == list(range(1, 51))
    assert len(slow.frames) < 50


async def test_a_store_that_fails_during_catch_up_is_asked_again(log, store, attach, new_reader, until, caplog) -> None:
    await log.append(5)
    store.failures = 1
    reader = new_reader()
    attach(reader).add("s", ALL, 0)
    await until(lambda: len(reader.frames) == 5)
    assert "replay failed: the test says so; trying again" in caplog.text
    assert not reader.failed


async def test_a_reader_whose_sending_breaks_is_ended_and_the_others_go_on(
    log, hub, attach, new_reader, caplog
) -> None:
    class Broken(new_reader):
        def send(self, frame: bytes) -> bool:
            raise RuntimeError("a sink's bug")

    broken, good = Broken(), new_reader()
    attach(broken).add("s", ALL, hub.head)
    attach(good).add("s", ALL, hub.head)
    await log.append(2)
    assert broken.failed
    assert good.seqs == [1, 2]
    assert hub.head == 2
    assert "a sink's bug" in caplog.text


async def test_a_feed_that_breaks_in_its_replay_ends_the_connection(log, attach, new_reader, until) -> None:
    class Broken(new_reader):
        def send(self, frame: bytes) -> bool:
            raise RuntimeError("a sink's bug")

    await log.append(2)
    broken = Broken()
    attach(broken).add("s", ALL, 0)
    await until(lambda: broken.failed)


async def test_a_commit_that_cannot_be_sent_at_once_leaves_no_gap(log, hub, attach, new_reader, until, caplog) -> None:
    """One framing fails at one event, once: the other feeds' events of that commit are not lost either."""
    failures = [3]

    def fragile(payload: bytes, seq: int | None) -> bytes:
        if seq in failures:
            failures.remove(seq)
            raise RuntimeError("the test says so")
        return payload + b"\n"

    readers = [new_reader() for _ in range(3)]
    feeds = [attach(readers[0]), hub.attach(readers[1], fragile), attach(readers[2])]
    for feed in feeds:
        feed.add("s", ALL, 0)
    feeds[2].add("other", EventFilter(user="u"), 0)
    await log.append(1)
    await until(lambda: all(reader.seqs == [1] for reader in readers))
    await log.append(3)
    await log.append(1)
    await hub.flushed()
    assert [reader.seqs for reader in readers] == [[1, 2, 3, 4, 5]] * 3
    assert not any(reader.failed for reader in readers)
    assert not failures
    assert "the test says so" in caplog.text
    await log.append(1)
    assert [reader.seqs[-1] for reader in readers] == [6] * 3, "they are live again"
    hub.detach(feeds[1])


async def test_a_detached_feed_hears_nothing_more_and_leaves_no_task(log, hub, store, new_reader, until) -> None:
    await log.append(5)
    before = asyncio.all_tasks()
    reader = new_reader()
    feed = hub.attach(reader, lambda payload, seq: payload)
    store.gate.clear()
    feed.add("s", ALL, 0)
    await until(lambda: store.replays > 0)
    hub.detach(feed)
    store.gate.set()
    await log.append(5)
    await until(lambda: asyncio.all_tasks() == before)
    assert reader.frames == []
    assert len(feed) == 0


async def test_a_frame_is_made_once_for_all(log, store, new_reader) -> None:
    from k12ai_ws.events.hub import Hub

    made = []

    def frame(payload: bytes, seq: int | None) -> bytes:
        made.append(seq)
        return payload

    hub = Hub(store, now=lambda: 0.0)
    feeds = [hub.attach(new_reader(), frame) for _ in range(20)]
    for feed in feeds:
        feed.add("s", ALL, 0)
    await log.append(3)
    assert made == [1, 2, 3]
    for feed in feeds:
        hub.detach(feed)


class TestPush:
    """Unstored messages: to those who asked for the tag and the user by name, while they keep up."""

    KEY = EventKey("info", "platform", "u", "", "", "")
    WANTED = EventFilter(user="u", tags=frozenset({"platform"}))

    @pytest.mark.parametrize(
        ("wanted", "gets"),
        [
            (WANTED, True),
            (EventFilter(user="u", tags=frozenset({"platform", "framework"})), True),
            (EventFilter(user="u"), False),
            (EventFilter(tags=frozenset({"platform"})), False),
            (EventFilter(user="v", tags=frozenset({"platform"})), False),
            (EventFilter(user="u", tags=frozenset({"platform"}), types=frozenset({"error"})), False),
        ],
    )
    async def test_who_gets_it(self, hub, attach, new_reader, wanted: EventFilter, gets: bool) -> None:
        reader = new_reader()
        attach(reader).add("s", wanted, hub.head)
        hub.push(self.KEY, b"pushed")
        assert reader.frames == [b"pushed"] * gets

    async def test_it_comes_once_however_many_subscriptions_match(self, hub, attach, new_reader) -> None:
        reader = new_reader()
        feed = attach(reader)
        feed.add("a", self.WANTED, hub.head)
        feed.add("b", self.WANTED, hub.head)
        hub.push(self.KEY, b"pushed")
        assert reader.frames == [b"pushed"]

    async def test_it_comes_also_while_another_subscription_replays(self, log, hub, store, attach, new_reader) -> None:
        await log.append(5)
        reader = new_reader()
        feed = attach(reader)
        feed.add("platform", self.WANTED, hub.head)
        store.gate.clear()
        feed.add("replay", ALL, 0)
        hub.push(self.KEY, b"pushed")
        assert reader.frames == [b"pushed"]
        store.gate.set()

    async def test_a_reader_that_does_not_keep_up_is_not_burdened(self, hub, attach, new_reader, until) -> None:
        reader = new_reader(limit=10)
        reader.stuck = True
        attach(reader).add("s", self.WANTED, hub.head)
        for _ in range(100):
            hub.push(self.KEY, b"pushed")
        assert len(reader.frames) == 2
        reader.read()
        await asyncio.sleep(0.01)
        hub.push(self.KEY, b"again")
        assert reader.frames[-1] == b"again"


async def test_silence_is_counted_per_subscription_and_only_while_live(
    log, hub, clock, attach, new_reader, store
) -> None:
    feed = attach(new_reader())
    feed.add("busy", ALL, hub.head)
    feed.add("silent", METRICS, hub.head)
    clock[0] = 10.0
    await log.append(1)
    assert feed.silent_since(5.0) == ["silent"]
    assert feed.silent_since(5.0) == [], "a bookmark counts as something served"
    clock[0] = 20.0
    store.gate.clear()
    feed.add("replay", ALL, 0)
    assert feed.silent_since(15.0) == [], "a bookmark in the middle of a replay would skip the rest of it"
    store.gate.set()


@pytest.mark.parametrize("seed", range(30))
async def test_any_mix_of_subscribing_reading_and_writing(
    log, hub, attach, new_reader, until, monkeypatch, seed: int
) -> None:
    """Against a model: whatever a subscription asked for since it began came, once on the connection, in order."""
    monkeypatch.setattr(delivery, "PIECE_BYTES", (1, 100, 1 << 16)[seed % 3])
    chance = random.Random(seed)
    reader = new_reader(limit=300)
    feed = attach(reader)
    filters = [ALL, METRICS, LOGS, of("a"), of("b"), EventFilter(types=frozenset({"status", "log"}))]
    asked: dict[str, tuple[EventFilter, int, int]] = {}  # name -> filter, after, how many frames had come by then
    for step in range(250):
        match chance.randrange(7):
            case 0 if len(asked) < 8:
                after = chance.choice([0, hub.head, chance.randrange(hub.head + 1)])
                wanted = chance.choice(filters)
                feed.add(str(step), wanted, after)
                asked[str(step)] = (wanted, after, len(reader.frames))
            case 1:
                reader.stuck = not reader.stuck
                reader.read()
            case 2:
                reader.read()
            case 3:
                await asyncio.sleep(0)
            case _:
                kind = chance.choice(["status", "metrics", "log"])
                await log.append(chance.randrange(1, 6), user=chance.choice("ab"), kind=kind)
    reader.stuck = False
    reader.read()
    due = {seq for wanted, after, _ in asked.values() for seq in log.matching(wanted, after)}
    await until(lambda: len(reader.frames) >= len(due))
    await log.append(1)
    due |= {log.stored[-1].seq} if any(w.matches(log.stored[-1].key) for w, _, _ in asked.values()) else set()
    assert sorted(reader.seqs) == sorted(due), "each exactly once"
    for wanted, after, since in asked.values():
        came = [json.loads(f)["seq"] for f in reader.frames[since:]]
        mine = [seq for seq in came if seq in set(log.matching(wanted, after))]
        assert mine == sorted(mine), "in order of seq for every subscription"
