"""What is to go: the order among kinds and jobs, and what never goes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.store.retention import DAY_MS, Kind, Order, Rules, Shelf, plan

NOW = 1_000 * DAY_MS


def shelf(number: int, days: float | None = 10, events=(10, 10, 10, 10), size: int = 100, **fields) -> Shelf:
    """A job that ended so many days ago (None: it has not), with events of `size` bytes."""
    ended = None if days is None else NOW - int(days * DAY_MS)
    made = Shelf(number, f"job-{number}", ended, 1000, 0, tuple(events), tuple(size * n for n in events))
    return replace(made, **fields)


def told(orders) -> list[tuple]:
    return [(o.verb, o.job_no, o.kind.name) if o.verb == "drop" else (o.verb, o.job_no) for o in orders]


def test_within_the_bounds_nothing_goes_however_old_it_is() -> None:
    assert plan([shelf(1, 5000), shelf(2, None)], Rules(), NOW) == []


def test_ages_count_from_the_jobs_end_and_by_class() -> None:
    rules = Rules(log_days=5, progress_days=20, metrics_days=30, job_days=40)
    orders = plan([shelf(1, 4), shelf(2, 6), shelf(3, 25), shelf(4, 35), shelf(5, 41), shelf(6, None)], rules, NOW)
    assert told(orders) == [
        ("remove", 5),
        ("drop", 4, "LOG"), ("drop", 4, "PROGRESS"), ("drop", 4, "METRICS"),
        ("drop", 3, "LOG"), ("drop", 3, "PROGRESS"),
        ("drop", 2, "LOG"),
    ]  # fmt: skip
    assert orders[1] == Order("drop", 4, "job-4", Kind.LOG, 10, 1000)
    assert orders[0].bytes == 40 * 100 + 1000


def test_what_would_outlive_metrics_goes_with_them() -> None:
    assert told(plan([shelf(1)], Rules(metrics_days=5), NOW)) == [
        ("drop", 1, "LOG"), ("drop", 1, "PROGRESS"), ("drop", 1, "METRICS"),
    ]  # fmt: skip


def test_thinning_by_age_is_done_once() -> None:
    rules = Rules(thin_days=5, points=8)
    assert told(plan([shelf(1), shelf(2, events=(0, 0, 8, 2)), shelf(3, 4)], rules, NOW)) == [("thin", 1)]
    assert plan([shelf(1, thinned=8)], rules, NOW) == []
    assert told(plan([shelf(1, thinned=8)], replace(rules, points=4), NOW)) == [("thin", 1)]


def test_within_a_job_log_lines_go_first_then_progress_then_metrics_thinned_first_then_the_rest() -> None:
    for most, expected in (
        (40, []),
        (35, [("drop", 1, "LOG")]),
        (23, [("drop", 1, "LOG"), ("drop", 1, "PROGRESS")]),
        (18, [("drop", 1, "LOG"), ("drop", 1, "PROGRESS"), ("thin", 1)]),
        (12, [("drop", 1, "LOG"), ("drop", 1, "PROGRESS"), ("thin", 1), ("drop", 1, "METRICS")]),
        (1, [("drop", 1, "LOG"), ("drop", 1, "PROGRESS"), ("thin", 1), ("drop", 1, "METRICS"), ("drop", 1, "REST")]),
    ):
        rules = Rules(max_job_events=most, points=6)
        assert told(plan([shelf(1)], rules, NOW)) == expected, most
        assert told(plan([shelf(1, None)], rules, NOW)) == expected[:3], "one that has not ended keeps its metrics"
    last = plan([shelf(1)], Rules(max_job_events=1, points=6), NOW)[-1]
    assert last.events == 8, "its terminal status and its last error stay"


def test_past_a_bound_room_is_made_down_to_its_low_water() -> None:
    (order,) = plan([shelf(1, events=(1000, 0, 0, 3))], Rules(max_job_events=1000), NOW)
    assert order.events == 103
    (order,) = plan([shelf(1, events=(1000, 0, 0, 3))], Rules(max_job_bytes=100_000), NOW)
    assert 10_300 <= order.bytes <= 10_400


def test_in_all_a_class_goes_from_every_job_before_the_next_class_does_and_who_ended_first_goes_first() -> None:
    jobs = [shelf(1, None), shelf(2, 5), shelf(3, 9)]
    rules = Rules(max_events=1, points=4)
    assert told(plan(jobs, rules, NOW)) == [
        ("drop", 3, "LOG"), ("drop", 2, "LOG"), ("drop", 1, "LOG"),
        ("drop", 3, "PROGRESS"), ("drop", 2, "PROGRESS"), ("drop", 1, "PROGRESS"),
        ("thin", 3), ("thin", 2), ("thin", 1),
        ("drop", 3, "METRICS"), ("drop", 2, "METRICS"),
        ("remove", 3), ("remove", 2),
    ]  # fmt: skip
    assert told(plan(jobs, Rules(max_bytes=14_500), NOW)) == [("drop", 3, "LOG")] * 1 + [("drop", 2, "LOG")]


def test_too_many_jobs() -> None:
    jobs = [shelf(1, None), shelf(2, 1), shelf(3, 3), shelf(4, 2)]
    assert told(plan(jobs, Rules(max_jobs=2), NOW)) == [("remove", 3), ("remove", 4)]
    assert told(plan([shelf(1, None), shelf(2, None)], Rules(max_jobs=1), NOW)) == []


COUNTS = st.tuples(*[st.integers(0, 50)] * 4)
JOBS = st.lists(st.tuples(st.one_of(st.none(), st.floats(0, 100)), COUNTS), max_size=8)
SMALL = st.builds(
    Rules,
    log_days=st.one_of(st.none(), st.floats(0.1, 50)),
    metrics_days=st.one_of(st.none(), st.floats(50, 90)),
    max_job_events=st.integers(1, 150),
    max_job_bytes=st.integers(1, 15_000),
    max_events=st.integers(1, 500),
    max_bytes=st.integers(1, 50_000),
    max_jobs=st.integers(1, 8),
    points=st.integers(4, 20),
)


@given(JOBS, SMALL)
def test_whatever_is_kept_and_wanted_the_promises_hold(jobs, rules) -> None:
    shelves = [shelf(i, days, events) for i, (days, events) in enumerate(jobs, 1)]
    left = {s.job_no: list(s.events) for s in shelves}
    removed: set[int] = set()
    for order in plan(shelves, rules, NOW):
        assert order.job_no not in removed, "nothing is ordered of what is gone"
        events = left[order.job_no]
        ended = shelves[order.job_no - 1].ended_ms is not None
        if order.verb == "remove":
            assert ended
            removed.add(order.job_no)
            continue
        assert 0 <= order.events <= events[order.kind]
        events[order.kind] -= order.events
        assert ended or order.kind < Kind.METRICS or order.verb == "thin"
        if order.verb == "drop" and order.kind in (Kind.METRICS, Kind.REST):
            assert events[Kind.LOG] == 0, "metrics outlive log lines"
        if order.kind is Kind.REST:
            assert events[Kind.METRICS] == 0, "errors outlive metrics"
            assert events[Kind.REST] >= 2


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        (Kind.LOG, ["log"]),
        (Kind.PROGRESS, ["progress"]),
        (Kind.METRICS, ["metrics"]),
        (Kind.REST, ["status", "error", "info"]),
    ],
)
def test_every_type_has_its_class(kind, types) -> None:
    assert {Kind.of(t) for t in types} == {kind}
