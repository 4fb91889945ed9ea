"""Thinning: whatever a plot of the metrics shows by its extremes, it shows afterwards."""

import math

from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.store import thinning
from k12ai_ws.store.thinning import Bucket, bucket_size

NAMES = ["loss", "acc", "epoch"]
VALUES = st.one_of(
    st.none(), st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1.0, 2.0])
)
EVENTS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3), max_size=60)


def thin(events: list[dict], size: int) -> list[tuple[int, dict]]:
    """What is left of events whose seqs have holes, in buckets of `size`."""
    numbered = [(10 + 3 * i, values) for i, values in enumerate(events)]
    left = []
    for at in range(0, len(numbered), size):
        bucket = Bucket()
        for seq, values in numbered[at : at + size]:
            bucket.add(seq, values)
        doomed = set(bucket.doomed())
        left += [(seq, values) for seq, values in numbered[at : at + size] if seq not in doomed]
    return left


@given(EVENTS, st.integers(1, 20))
def test_every_bucket_keeps_the_first_the_last_and_the_extremes_of_every_name(events, size) -> None:
    left = thin(events, size)
    kept = {seq for seq, _ in left}
    assert all(values == events[(seq - 10) // 3] for seq, values in left), "nothing is changed"
    for at in range(0, len(events), size):
        of_bucket = [(10 + 3 * i, events[i]) for i in range(at, min(len(events), at + size))]
        for name in NAMES:
            having = [(seq, values[name]) for seq, values in of_bucket if name in values]
            if not having:
                continue
            assert {having[0][0], having[-1][0]} <= kept
            numbers = [value for _, value in having if value is not None]
            after = [value for seq, value in having if seq in kept]
            if numbers:
                assert min(v for v in after if v is not None) == min(numbers)
                assert max(v for v in after if v is not None) == max(numbers)
            assert (None in after) == (None in [value for _, value in having])


@given(EVENTS, st.integers(1, 20))
def test_of_each_name_a_bucket_keeps_five_events_at_most_and_thinning_again_changes_nothing_more(events, size) -> None:
    left = thin(events, size)
    buckets = math.ceil(len(events) / size)
    unread = sum(not values for values in events)
    assert len(left) <= 5 * len(NAMES) * buckets + unread
    bucket = Bucket()
    for seq, values in left[:1]:
        bucket.add(seq, values)
    assert list(bucket.doomed()) == []


def test_a_monotone_curve_keeps_the_ends_of_each_bucket() -> None:
    left = thin([{"loss": 1.0 / (i + 1), "step": i} for i in range(1000)], bucket_size(1000, 40))
    assert len(left) == 20
    assert left[0][1]["step"] == 0
    assert left[-1][1]["step"] == 999


def test_what_cannot_be_read_stays() -> None:
    bucket = Bucket()
    for seq, values in enumerate(
        [None, {}, {"loss": "high"}, {"loss": 1.0}, {"loss": 2.0}, {"loss": 1.5}, {"loss": 1}]
    ):
        bucket.add(seq, values)
    assert list(bucket.doomed()) == [5]


def test_a_bucket_does_not_grow_with_the_names_that_a_job_invents() -> None:
    bucket = Bucket()
    for seq in range(thinning.MAX_NAMES * 2):
        bucket.add(seq, {f"name{seq}": 1.0})
    assert list(bucket.doomed()) == []
    assert len(bucket._names) == thinning.MAX_NAMES


def test_buckets_are_as_large_as_the_points_allow() -> None:
    assert bucket_size(1000, 400) == 10
    assert bucket_size(10, 2000) == 1
    assert bucket_size(10**9, 4) == thinning.MAX_BUCKET
