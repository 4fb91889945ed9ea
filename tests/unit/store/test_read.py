"""Replays and lists of jobs: filters, pages, bounds."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from k12ai_ws.store.sqlite import reader
from k12ai_ws.store.store import Change
from k12ai_ws.wire.filter import EVENT_TYPES, EventFilter
from k12ai_ws.wire.status import JobStatus

TYPES = sorted(EVENT_TYPES)
NAMES = st.sampled_from(["a", "b", "nobody"])
FILTERS = st.builds(
    EventFilter,
    st.none() | NAMES,
    st.none() | NAMES,
    st.none() | NAMES,
    st.none() | st.sampled_from([*(f"job-{i}" for i in range(8)), "nobody"]),
    st.none() | st.frozensets(st.sampled_from(["framework", "platform"])),
    st.none() | st.frozensets(st.sampled_from(TYPES)),
)


@pytest.fixture
async def filled(store, make):
    """Eight jobs of all users, pairs and services, with events of every type in a mixed order."""
    combinations = [(u, p, s) for u in "ab" for p in "ab" for s in "ab"]
    for round_ in range(5):
        for i, (user, uuid, service) in enumerate(combinations):
            status = JobStatus.FINISHED  # or one active job per pair would forbid the second
            record = make.record(i, user=user, service_uuid=uuid, service_name=service, status=status)
            kinds = TYPES[round_:] if i % 2 else TYPES[: round_ + 1]
            await store.append(Change(record, [make.event(f"{round_}", kind) for kind in kinds]))
    return store


async def read_all(store, wanted: EventFilter, after: int, limit: int) -> list:
    """Every page from `after` to the end; each must be bounded and move on."""
    found, scanned = [], after
    while True:
        page = await store.replay(wanted, scanned, limit=limit)
        bare = await store.payloads(wanted, scanned, limit=limit)
        assert list(bare.payloads) == [(e.seq, e.payload) for e in page.events]
        assert (bare.scanned, bare.prunings) == (page.scanned, page.prunings)
        assert len(page.events) <= limit
        assert all(scanned < e.seq <= page.scanned for e in page.events)
        found += page.events
        if page.scanned == scanned or page.scanned >= store.head:
            return found
        scanned = page.scanned


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_replay_is_the_filter_over_everything(data, filled, event_loop_run) -> None:
    wanted = data.draw(FILTERS)
    after = data.draw(st.integers(0, 200))
    limit = data.draw(st.integers(1, 60))
    span = data.draw(st.sampled_from([1, 3, 50, 20_000]))
    every_type = EventFilter(types=EVENT_TYPES)
    everything = event_loop_run(read_all(filled, every_type, 0, 1000))
    expected = [e for e in everything if e.seq > after and wanted.matches(e.key)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "SPAN", span)
        assert event_loop_run(read_all(filled, wanted, after, limit)) == expected


@pytest.fixture
def event_loop_run(filled):
    """Runs a coroutine on the store's own loop, from a test that is no coroutine itself."""
    loop = filled._loop
    return loop.run_until_complete


async def test_the_log_is_not_given_to_those_who_do_not_ask(filled) -> None:
    assert "log" not in {e.key.type for e in (await filled.replay(EventFilter(), 0)).events}


async def test_scanned_never_goes_back(filled) -> None:
    for wanted in (EventFilter(), EventFilter(tags=frozenset({"platform"})), EventFilter(job_id="nobody")):
        for after in (0, filled.head, filled.head + 100):
            assert (await filled.replay(wanted, after)).scanned >= after


async def test_a_page_is_bounded_in_bytes_and_the_rest_comes_next(store, make) -> None:
    size = 300_000
    for i in range(10):
        await store.append(make.change(1, "x" * size, f"small-{i}"))
    page = await store.replay(EventFilter(), 0)
    assert sum(len(e.payload) for e in page.events) < (1 << 20) + size + 1000
    assert page.scanned == page.events[-1].seq
    assert len(await read_all(store, EventFilter(), 0, 500)) == 20


async def test_one_event_larger_than_a_page_comes_through(store, make) -> None:
    await store.append(make.change(1, "x" * 5_000_000, "after"))
    assert [e.seq for e in await read_all(store, EventFilter(), 0, 500)] == [1, 2]


async def test_no_event_falls_between_pages_while_more_are_appended(store, make) -> None:
    """A reader that follows `scanned` sees every event once, though the log grows under it."""
    wanted = EventFilter(user="u", types=frozenset({"status"}))
    writing = True

    async def write(name: str) -> None:
        for i in range(150):
            record = make.record(name, user="u" if name == "w0" else name)
            await store.append(Change(record, [make.event(str(i), "status"), make.event(str(i), "log")]))

    async def read() -> list[int]:
        found, scanned = [], 0
        while writing or scanned < store.head:
            page = await store.replay(wanted, scanned, limit=7)
            found += [e.seq for e in page.events]
            scanned = page.scanned
        return found

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(f"w{i}") for i in range(4)))
    writing = False
    found = await reader
    assert found == [e.seq for e in await read_all(store, wanted, 0, 10_000)]
    assert len(found) == 150


async def test_every_replay_gives_the_same_bytes(filled) -> None:
    wanted = EventFilter(types=EVENT_TYPES)
    first, second = [await read_all(filled, wanted, 0, limit) for limit in (1000, 3)]
    assert [e.payload for e in first] == [e.payload for e in second]


class TestJobs:
    async def test_newest_first_in_pages_each_once(self, store, make) -> None:
        for i in range(25):
            await store.append(make.end(i))
        seen, cursor = [], None
        while True:
            page = await store.jobs(limit=10, cursor=cursor)
            seen += [r.job_id for r in page.jobs]
            cursor = page.next
            if cursor is None:
                break
        assert seen == [f"job-{i}" for i in reversed(range(25))]

    async def test_an_exact_page_has_no_next(self, store, make) -> None:
        for i in range(10):
            await store.append(make.end(i))
        assert (await store.jobs(limit=10)).next is None
        assert (await store.jobs(limit=9)).next is not None

    async def test_jobs_that_come_or_change_while_paging_neither_repeat_nor_hide_one(self, store, make) -> None:
        for i in range(6):
            await store.append(make.change(i, status=JobStatus.RUNNING))
        first = await store.jobs(limit=3)
        await store.append(make.change("new"))
        await store.append(make.end(5))
        await store.append(make.end(0))
        second = await store.jobs(limit=3, cursor=first.next)
        assert [r.job_id for r in (*first.jobs, *second.jobs)] == [f"job-{i}" for i in (5, 4, 3, 2, 1, 0)]

    async def test_filters(self, store, make) -> None:
        await store.append(make.change(1, user="a", service_name="x", status=JobStatus.RUNNING))
        await store.append(make.end(2, user="a", service_name="y"))
        await store.append(make.end(3, user="b", service_name="x", status=JobStatus.LOST))

        async def ids(**conditions) -> list[str]:
            return [r.job_id for r in (await store.jobs(**conditions)).jobs]

        assert await ids() == ["job-3", "job-2", "job-1"]
        assert await ids(user="a") == ["job-2", "job-1"]
        assert await ids(service_name="x") == ["job-3", "job-1"]
        assert await ids(service_uuid="p-2") == ["job-2"]
        assert await ids(status=JobStatus.LOST) == ["job-3"]
        assert await ids(user="a", status=JobStatus.LOST) == []
        assert await ids(user="' OR 1=1 --") == []

    async def test_the_record_is_the_last_one_stored(self, store, make) -> None:
        record = make.record(1, params={"a": [1, {"b": None}]}, handle={"pid": 3})
        await store.append(Change(record))
        await store.append(Change(replace(record, status=JobStatus.RUNNING, last_metrics={"loss": 0.5})))
        assert await store.job("job-1") == replace(record, status=JobStatus.RUNNING, last_metrics={"loss": 0.5})
        assert await store.job("nobody") is None

    async def test_active_jobs_are_the_oldest_first_whatever_happened_since(self, store, make) -> None:
        for i in range(5):
            await store.append(make.change(i))
        await store.append(make.end(2))
        await store.append(make.change(0, status=JobStatus.RUNNING))
        assert [r.job_id for r in await store.active_jobs()] == ["job-0", "job-1", "job-3", "job-4"]


async def test_a_page_of_jobs_with_large_requests_is_bounded_and_none_is_left_out(store, make) -> None:
    for number in range(5):
        await store.append(make.end(number, params={"text": "x" * 600_000}))
    pages, cursor = [], None
    while not pages or cursor is not None:
        page = await store.jobs(limit=50, cursor=cursor)
        pages.append([job.job_id for job in page.jobs])
        cursor = page.next
    assert pages == [["job-4", "job-3"], ["job-2", "job-1"], ["job-0"]]


@pytest.mark.parametrize("wanted", [EventFilter(user="rare"), EventFilter(job_id="job-1", types=frozenset({"error"}))])
async def test_a_page_looks_at_a_bounded_part_of_the_log_and_says_how_far(store, make, wanted: EventFilter) -> None:
    """A filter that lets nothing through does not make one read go over the whole log."""
    lines = [make.event("x", "log")] * (2 * reader.SPAN)
    await store.append(Change(make.record(1), lines))
    await store.append(Change(make.record(1, status=JobStatus.FINISHED), [make.event("end", "error")]))
    await store.append(Change(make.record(2, user="rare"), [make.event("first")]))
    scanned, pages = [0], []
    while scanned[-1] < store.head:
        page = await store.replay(wanted, scanned[-1])
        pages.append([e.seq for e in page.events])
        scanned.append(page.scanned)
    assert scanned == [0, reader.SPAN, 2 * reader.SPAN, store.head]
    assert pages == [[], [], [store.head if wanted.user else store.head - 1]]
