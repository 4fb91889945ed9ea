"""The queue: bounded, fair, first come first served."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.jobs.queue import Queue, QueueFull


def queue(running: int = 2, per_user: int = 2, queued: int = 3, queued_per_user: int = 3) -> Queue:
    return Queue(
        max_running=running, max_running_per_user=per_user, max_queued=queued, max_queued_per_user=queued_per_user
    )


def put(q: Queue, job_id: str, user: str) -> None:
    q.reserve(job_id, user)
    q.add(job_id, user)


def test_first_come_first_served() -> None:
    q = queue(running=2, queued=10, queued_per_user=10)
    for i in range(5):
        put(q, f"j{i}", "u")
    assert q.admit() == ["j0", "j1"]
    assert (len(q), q.running) == (3, 2)
    assert q.admit() == []
    q.remove("j0")
    assert q.admit() == ["j2"]


def test_one_user_cannot_hold_up_another() -> None:
    q = queue(running=3, per_user=1, queued=10, queued_per_user=10)
    for i in range(4):
        put(q, f"a{i}", "a")
    put(q, "b0", "b")
    assert q.admit() == ["a0", "b0"]
    q.remove("a0")
    assert q.admit() == ["a1"]


def test_full_in_all() -> None:
    q = queue(running=1, queued=2)
    for name in "abc":
        put(q, name, name)
        q.admit()
    with pytest.raises(QueueFull, match=r"2 jobs are waiting.*jobs\.max_queued\)"):
        q.reserve("d", "d")
    assert len(q) == 2
    q.remove("a")
    q.admit()
    put(q, "d", "d")


def test_full_for_a_user() -> None:
    q = queue(running=1, per_user=1, queued=10, queued_per_user=1)
    for name in "ab":
        put(q, name, "u")
        q.admit()
    with pytest.raises(QueueFull, match=r"1 jobs of user 'u' are waiting.*jobs\.max_queued_per_user"):
        q.reserve("c", "u")
    put(q, "d", "another")


def test_a_job_that_can_run_at_once_is_never_refused() -> None:
    q = queue(running=10, per_user=1, queued=1, queued_per_user=1)
    put(q, "a0", "a")
    put(q, "a1", "a")
    q.admit()
    with pytest.raises(QueueFull):
        q.reserve("a2", "a")
    put(q, "b0", "b")
    assert q.admit() == ["b0"]


def test_places_are_held_from_the_reservation_on() -> None:
    q = queue(running=1, queued=1)
    q.reserve("a", "a")
    q.reserve("b", "b")
    with pytest.raises(QueueFull):
        q.reserve("c", "c")
    assert q.admit() == [], "what is only reserved is not stored, and must not start"
    q.remove("a")
    q.reserve("c", "c")
    q.add("c", "c")
    assert q.admit() == ["c"]
    q.add("b", "b")
    assert q.admit() == []


def test_what_was_found_running_counts_whatever_the_limits_say() -> None:
    q = queue(running=1)
    for i in range(3):
        q.resume(f"old{i}", "u")
    put(q, "new", "u")
    assert (q.running, q.admit()) == (3, [])
    for i in range(3):
        q.remove(f"old{i}")
    assert q.admit() == ["new"]


def test_removing_what_is_not_there_is_fine() -> None:
    queue().remove("nobody")


@given(
    st.tuples(*[st.integers(1, 4)] * 4),
    st.lists(
        st.tuples(st.sampled_from(["reserve", "add", "drop", "admit", "end"]), st.sampled_from("abc")), max_size=60
    ),
)
def test_no_sequence_breaks_a_limit(limits, moves) -> None:
    q = queue(*limits)
    running, per_user, queued, queued_per_user = limits
    reserved: dict[str, str] = {}
    waiting: dict[str, str] = {}
    active: dict[str, str] = {}
    for number, (move, user) in enumerate(moves):
        mine = next((j for j, u in (active if move == "end" else reserved).items() if u == user), None)
        if move == "reserve":
            try:
                q.reserve(f"j{number}", user)
                reserved[f"j{number}"] = user
            except QueueFull:
                in_front = [*waiting.values(), *reserved.values()]
                assert len(in_front) >= queued or Counter(in_front)[user] >= queued_per_user
        elif move == "add" and mine:
            q.add(mine, user)
            waiting[mine] = reserved.pop(mine)
        elif move == "drop" and mine:
            q.remove(mine)
            del reserved[mine]
        elif move == "end" and mine:
            q.remove(mine)
            del active[mine]
        elif move == "admit":
            for job_id in q.admit():
                active[job_id] = waiting.pop(job_id)
            blocked = [u for u in waiting.values() if Counter(active.values())[u] < per_user]
            assert len(active) == running or not blocked, "nobody waits for a place that is free"
        assert len(active) <= running
        assert max(Counter(active.values()).values(), default=0) <= per_user
        assert (len(q), q.running) == (len(waiting) + len(reserved), len(active))
        if move == "admit" and not reserved:
            assert len(waiting) <= queued
            assert max(Counter(waiting.values()).values(), default=0) <= queued_per_user
