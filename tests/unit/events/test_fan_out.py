"""A commit on its way to many: one piece of bytes for all who get the same, and no work for those who get nothing."""

import asyncio
import random

import pytest

from k12ai_ws.events import delivery
from k12ai_ws.events.index import Index
from k12ai_ws.store.store import Change, NewEvent
from k12ai_ws.wire.filter import EventFilter, EventKey
from k12ai_ws.wire.job import JobRecord

ALL = EventFilter()
METRICS = EventFilter(types=frozenset({"metrics"}))


def plain(payload: bytes, seq: int | None) -> bytes:
    return payload + b"\n"


def key(job: int, kind: str = "metrics") -> EventKey:
    return EventKey(kind, "framework", f"user{job % 7}", f"project{job}", f"service{job % 2}", f"job{job}")


@pytest.fixture
def whole(new_reader):
    """A reader that keeps the pieces as they were sent."""

    class Whole(new_reader):
        def __init__(self) -> None:
            super().__init__()
            self.pieces: list[bytes] = []

        def send(self, frame: bytes) -> bool:
            self.pieces.append(frame)
            return super().send(frame)

    return Whole


async def test_a_commit_is_one_piece_and_the_same_one_for_all(log, hub, attach, whole) -> None:
    readers = [whole() for _ in range(20)]
    for number, reader in enumerate(readers):
        # different filters that let the same through
        attach(reader).add("s", (ALL, EventFilter(user="u"), EventFilter(job_id="job-u"))[number % 3], hub.head)
    await log.append(50)
    assert [len(r.pieces) for r in readers] == [1] * 20
    assert len({id(r.pieces[0]) for r in readers}) == 1
    assert readers[0].seqs == list(range(1, 51))


async def test_a_large_commit_comes_in_pieces_of_bounded_size(log, hub, attach, whole) -> None:
    reader = whole()
    attach(reader).add("s", ALL, hub.head)
    await log.append(100, text="x" * 10_000)
    assert len(reader.pieces) > 10
    assert max(map(len, reader.pieces)) <= delivery.PIECE_BYTES + 11_000
    assert reader.seqs == list(range(1, 101))


async def test_connections_with_several_subscriptions_get_the_union_once_and_in_order(log, hub, attach, whole) -> None:
    readers = [whole() for _ in range(5)]
    for reader in readers:
        feed = attach(reader)
        for name, wanted in (("a", EventFilter(user="a")), ("m", METRICS), ("a2", EventFilter(user="a"))):
            feed.add(name, wanted, hub.head)
    changes = []
    for number in range(60):
        user, kind = "abc"[number % 3], ("metrics", "status")[number % 2]
        record = JobRecord(f"job-{user}", user, "p", "s", "train", {}, 1)
        changes.append(log.store.append(Change(record, [NewEvent(kind, b'{"n":1}')])))
    for stored in await asyncio.gather(*changes):
        log.stored += stored
    expected = sorted({*log.matching(EventFilter(user="a")), *log.matching(METRICS)})
    assert [r.seqs for r in readers] == [expected] * 5
    assert len(readers[0].pieces) < len(expected), "a group commit goes as one"
    assert [list(map(id, r.pieces)) for r in readers] == [list(map(id, readers[0].pieces))] * 5


async def test_one_of_two_equal_subscriptions_may_go(log, hub, attach, new_reader) -> None:
    reader = new_reader()
    feed = attach(reader)
    feed.add("one", METRICS, hub.head)
    feed.add("two", METRICS, hub.head)
    feed.remove("one")
    await log.append(1, kind="metrics")
    feed.remove("two")
    await log.append(1, kind="metrics")
    assert reader.seqs == [1]


async def test_a_live_feed_has_no_task(log, hub, attach, new_reader) -> None:
    before = asyncio.all_tasks()
    readers = [new_reader() for _ in range(10)]
    for reader in readers:
        attach(reader).add("s", ALL, hub.head)
    await log.append(1)
    assert asyncio.all_tasks() == before
    assert all(r.seqs == [1] for r in readers)


async def test_a_reader_that_has_fallen_behind_is_left_alone_until_it_drains(
    log, hub, attach, new_reader, until
) -> None:
    reader = new_reader(limit=10)
    reader.stuck = True
    attach(reader).add("s", ALL, hub.head)
    await log.append(1)
    sends = reader.sends
    for _ in range(20):
        await log.append(1)
    assert reader.sends == sends
    reader.stuck = False
    reader.read()
    await until(lambda: len(reader.frames) == 21)
    before = asyncio.all_tasks()
    await log.append(1)
    assert reader.seqs == list(range(1, 23))
    assert asyncio.all_tasks() <= before, "it is live again, and its task is gone"


async def test_a_subscription_that_begins_ahead_of_what_is_published(log, hub, attach, new_reader, until) -> None:
    """A client may hold a seq that the store has given, and that the hub has not heard of."""
    await log.append(3)
    reader = new_reader()
    feed = attach(reader)
    feed.add("other", METRICS, hub.head)
    feed.add("ahead", ALL, hub.head + 2)
    for _ in range(4):
        await log.append(1)
    await log.append(1, kind="metrics")
    await until(lambda: len(reader.frames) == 3)
    assert reader.seqs == [6, 7, 8]


async def test_passing_messages_reach_only_those_who_asked_and_cost_the_others_nothing(hub, attach, new_reader) -> None:
    class Deaf(new_reader):
        def send(self, frame: bytes) -> bool:
            raise AssertionError("not for this one")

    asked, reader = EventFilter(user="u", tags=frozenset({"platform"})), new_reader()
    feed = attach(reader)
    feed.add("one", asked, hub.head)
    feed.add("two", asked, hub.head)
    attach(Deaf()).add("s", EventFilter(user="v", tags=frozenset({"platform"})), hub.head)
    about = EventKey("info", "platform", "u", "", "", "")
    hub.push(about, b"pushed")
    feed.remove("one")
    hub.push(about, b"again")
    feed.remove("two")
    hub.push(about, b"nobody")
    assert reader.frames == [b"pushed", b"again"]


async def test_the_census(log, hub, attach, new_reader, until) -> None:
    assert hub.census() == (0, 0, 0, 0, 0)
    await asyncio.wait_for(hub.flushed(), 5)
    live, stuck, idle = new_reader(), new_reader(limit=10), new_reader()
    stuck.stuck = True
    feeds = [attach(reader) for reader in (live, stuck, idle)]
    feeds[0].add("a", ALL, hub.head)
    feeds[0].add("b", ALL, hub.head)
    feeds[1].add("s", ALL, hub.head)
    for _ in range(5):
        await log.append(2)
    size = len(live.frames[0]) + 1
    assert hub.census() == (1, 1, 8, 12, 12 * size + 1)  # the last seq has a digit more
    waiting = asyncio.create_task(hub.flushed())
    await asyncio.sleep(0)
    assert not waiting.done()
    stuck.stuck = False
    stuck.read()
    await asyncio.wait_for(waiting, 5)
    await until(lambda: len(stuck.frames) == 10)
    assert hub.census()[:4] == (2, 0, 0, 20)
    for feed in feeds:
        hub.detach(feed)
    assert hub.census()[:4] == (0, 0, 0, 20)


async def test_a_piece_that_was_not_sent_is_not_counted(log, hub, attach, new_reader, monkeypatch) -> None:
    monkeypatch.setattr(delivery, "PIECE_BYTES", 1)
    reader = new_reader(limit=50)
    reader.stuck = True
    attach(reader).add("s", ALL, hub.head)
    await log.append(10)
    assert hub.census().frames == len(reader.frames) < 10
    assert hub.census().lag == 10 - len(reader.frames)


class TestIndex:
    """Whoever wants an event is found by its facts."""

    def test_any_filters_against_looking_at_all(self) -> None:
        chance = random.Random(5)
        index: Index[int] = Index()
        wanted = {}
        for member in range(400):
            job = key(chance.randrange(30))
            wanted[member] = EventFilter(
                **{
                    name: getattr(job, name)
                    for name in ("user", "service_uuid", "service_name", "job_id")
                    if chance.random() < 0.3
                },
                types=chance.choice([None, frozenset({"metrics"}), frozenset({"log", "status"})]),
            )
        groups = {member: index.add(member, one, plain) for member, one in wanted.items()}
        for round_ in range(2):
            for job in range(30):
                for kind in ("metrics", "log", "status"):
                    fact = key(job, kind)
                    found = [m for group in index.matching(fact) for m in group.members]
                    assert sorted(found) == sorted(m for m, one in wanted.items() if one.matches(fact))
            for member in list(wanted)[:: 2 - round_]:
                index.remove(member, groups.pop(member))
                del wanted[member]
        assert index.matching(key(1)) == []

    def test_what_an_event_costs_grows_with_what_matches_and_not_with_all(self, monkeypatch) -> None:
        asked = []
        matches = EventFilter.matches
        monkeypatch.setattr(EventFilter, "matches", lambda self, fact: asked.append(self) or matches(self, fact))
        index: Index[int] = Index()
        kinds = [frozenset({"metrics", *more}) for more in ((), ("log",), ("error",), ("status",), ("info",))]
        for number in range(1000):
            index.add(number, EventFilter(job_id=f"job{number % 200}", types=kinds[number // 200]), plain)
        assert len(index.matching(key(3))) == 5
        assert len(asked) == 5

    def test_members_with_one_filter_are_asked_for_once(self, monkeypatch) -> None:
        asked = []
        monkeypatch.setattr(EventFilter, "matches", lambda self, fact: bool(asked.append(self) or True))
        index: Index[int] = Index()
        for number in range(1000):
            index.add(number, EventFilter(job_id="job3"), plain)
        assert [len(group.members) for group in index.matching(key(3))] == [1000]
        assert len(asked) == 1


def test_nothing_is_joined_of_nothing() -> None:
    assert list(delivery.joined([], plain)) == []
    assert list(delivery.joined([(7, b"x")], plain)) == [(b"x\n", 7, 1)]
