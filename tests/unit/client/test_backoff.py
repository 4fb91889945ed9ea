"""Delays between attempts."""

from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.client import Backoff


@given(attempt=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_a_delay_is_between_half_of_the_cap_and_the_cap_at_most(attempt: int, jitter: float) -> None:
    whole = min(8.0, 0.5 * 2.0 ** min(attempt - 1, 100))
    assert whole / 2 <= Backoff(0.5, 8.0, random=lambda: jitter).delay(attempt) <= whole


def test_two_clients_do_not_come_in_step() -> None:
    assert Backoff(random=lambda: 0.1).delay(3) != Backoff(random=lambda: 0.9).delay(3)


def test_it_is_exhausted_after_the_attempts_that_it_may_make() -> None:
    assert [Backoff(give_up_after=2).exhausted(n) for n in (1, 2, 3)] == [False, False, True]
    assert not Backoff().exhausted(10**9)
