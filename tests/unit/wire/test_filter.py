"""The filter against a reference that asks each condition by itself."""

from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.wire.filter import EVENT_TYPES, EventFilter, EventKey

NAMES = st.sampled_from(["a", "b", ""])
TYPES = sorted(EVENT_TYPES)
KEYS = st.builds(
    EventKey, st.sampled_from(TYPES), st.sampled_from(["framework", "platform"]), NAMES, NAMES, NAMES, NAMES
)
FILTERS = st.builds(
    EventFilter,
    *[st.none() | NAMES] * 4,
    st.none() | st.frozensets(st.sampled_from(["framework", "platform"])),
    st.none() | st.frozensets(st.sampled_from(TYPES)),
)


@given(FILTERS, KEYS)
def test_matches_is_every_condition_that_is_set(wanted: EventFilter, key: EventKey) -> None:
    fields = ("user", "service_uuid", "service_name", "job_id")
    reasons_not = [f for f in fields if getattr(wanted, f) is not None and getattr(wanted, f) != getattr(key, f)]
    if wanted.tags is not None and key.tag not in wanted.tags:
        reasons_not.append("tag")
    if wanted.types is None and key.type == "log":
        reasons_not.append("log is given only on request")
    if wanted.types is not None and key.type not in wanted.types:
        reasons_not.append("type")
    assert wanted.matches(key) == (not reasons_not)


def test_an_empty_filter_lets_all_but_the_log_through() -> None:
    passed = {t for t in TYPES if EventFilter().matches(EventKey(t, "framework", "u", "p", "s", "j"))}
    assert passed == EVENT_TYPES - {"log"}


def test_an_empty_set_lets_nothing_through() -> None:
    key = EventKey("status", "framework", "u", "p", "s", "j")
    assert not EventFilter(types=frozenset()).matches(key)
    assert not EventFilter(tags=frozenset()).matches(key)
