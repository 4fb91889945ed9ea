"""The queue: bounded, fair between users, and nobody starves."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.jobs.needs import Need, Room, size
from k12ai_ws.jobs.queue import MAX_PASSED, Queue, QueueFull


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
    assert list(q.admit()) == ["j0", "j1"]
    assert (len(q), q.running) == (3, 2)
    assert list(q.admit()) == []
    q.remove("j0")
    assert list(q.admit()) == ["j2"]


def test_one_user_cannot_hold_up_another() -> None:
    q = queue(running=3, per_user=1, queued=10, queued_per_user=10)
    for i in range(4):
        put(q, f"a{i}", "a")
    put(q, "b0", "b")
    assert list(q.admit()) == ["a0", "b0"]
    q.remove("a0")
    assert list(q.admit()) == ["a1"]


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
    assert list(q.admit()) == ["b0"]


def test_places_are_held_from_the_reservation_on() -> None:
    q = queue(running=1, queued=1)
    q.reserve("a", "a")
    q.reserve("b", "b")
    with pytest.raises(QueueFull):
        q.reserve("c", "c")
    assert list(q.admit()) == [], "what is only reserved is not stored, and must not start"
    q.remove("a")
    q.reserve("c", "c")
    q.add("c", "c")
    assert list(q.admit()) == ["c"]
    q.add("b", "b")
    assert list(q.admit()) == []


def test_what_was_found_running_counts_whatever_the_limits_say() -> None:
    q = queue(running=1)
    for i in range(3):
        q.resume(f"old{i}", "u")
    put(q, "new", "u")
    assert (q.running, list(q.admit())) == (3, [])
    for i in range(3):
        q.remove(f"old{i}")
    assert list(q.admit()) == ["new"]


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


ROOM = Room(cpus=4.0, memory=8, gpus=2, free_gpus=2)


def wait(q: Queue, job_id: str, user: str, **need) -> str | None:
    reason = q.reserve(job_id, user, Need(**need), ROOM)
    q.add(job_id, user, Need(**need))
    return reason


class TestFairness:
    def test_who_has_fewest_running_goes_first(self) -> None:
        q = queue(running=3, per_user=3, queued=99, queued_per_user=99)
        for i in range(5):
            put(q, f"a{i}", "a")
        put(q, "b0", "b")
        assert list(q.admit()) == ["a0", "b0", "a1"]

    def test_then_who_was_served_least_recently(self) -> None:
        q = queue(running=1, per_user=1, queued=99, queued_per_user=99)
        for i in range(3):
            put(q, f"a{i}", "a")
            put(q, f"b{i}", "b")
        order = []
        while len(q):
            (started,) = q.admit()
            order.append(started)
            if started == "b0":
                put(q, "c0", "c")
            q.remove(started)
        assert order == ["a0", "b0", "a1", "c0", "b1", "a2", "b2"]

    def test_new_users_all_the_time_starve_nobody(self) -> None:
        q = queue(running=1, per_user=1, queued=99, queued_per_user=99)
        put(q, "a0", "a")
        put(q, "a1", "a")
        started = list(q.admit())
        for i in range(10):
            put(q, f"n{i}", f"n{i}")
            q.remove(started[-1])
            started += q.admit()
        assert "a1" in started[:4]

    def test_a_users_own_jobs_keep_their_order(self) -> None:
        q = queue(running=9, per_user=9, queued=99, queued_per_user=99)
        wait(q, "holds", "b", memory=5)
        assert list(q.admit(ROOM)) == ["holds"]
        wait(q, "big", "a", memory=4)
        assert wait(q, "small", "a", memory=1) == (
            "waits behind an earlier job of the same user: a user's jobs keep their order"
        )
        assert list(q.admit(ROOM)) == []


class TestNeeds:
    def test_what_runs_holds_what_it_needs(self) -> None:
        q = queue(running=9, per_user=9, queued=99, queued_per_user=99)
        for i in range(3):
            wait(q, f"j{i}", f"u{i}", memory=3, cpus=1.5)
        assert list(q.admit(ROOM)) == ["j0", "j1"]
        q.remove("j0")
        assert list(q.admit(ROOM)) == ["j2"]

    def test_fractions_of_cpus_add_up(self) -> None:
        q = queue(running=99, per_user=99, queued=99, queued_per_user=99)
        for i in range(40):
            wait(q, f"j{i}", "u", cpus=0.1)
        assert len(q.admit(ROOM)) == 40

    def test_a_small_job_may_overtake_a_big_one_but_not_for_ever(self) -> None:
        q = queue(running=9, per_user=9, queued=99, queued_per_user=99)
        wait(q, "s0", "s", memory=2)
        q.admit(ROOM)
        assert wait(q, "big", "b", memory=7)
        passed = 0
        for i in range(1, 100):
            wait(q, f"s{i}", "s", memory=2)
            if not q.admit(ROOM):
                break
            passed += 1
            q.remove(f"s{i - 1}")
        assert passed == MAX_PASSED
        assert q.places(ROOM)["big"].position == 1
        assert q.places(ROOM)[f"s{i}"].reason == f"lets job big go first, which {MAX_PASSED} later jobs have passed"
        q.remove(f"s{i - 1}")
        assert list(q.admit(ROOM)) == ["big"]

    def test_what_fits_beside_a_job_that_is_due_may_still_go(self) -> None:
        q = queue(running=9, per_user=9, queued=99, queued_per_user=99)
        wait(q, "s0", "s", gpus=1)
        one_free = Room(cpus=4.0, memory=8, gpus=2, free_gpus=1)
        q.admit(ROOM)
        wait(q, "big", "b", gpus=2, memory=6)
        for i in range(MAX_PASSED):
            wait(q, f"x{i}", "x")
            assert list(q.admit(one_free)) == [f"x{i}"]
            q.remove(f"x{i}")
        wait(q, "takes its gpu", "g", gpus=1)
        wait(q, "takes its memory", "m", memory=3)
        wait(q, "beside it", "o", memory=2)
        assert list(q.admit(one_free)) == ["beside it"]

    def test_nothing_is_kept_for_one_that_the_gpus_answering_now_cannot_meet(self) -> None:
        q = queue(running=2, per_user=9, queued=99, queued_per_user=99)
        one_answers = Room(cpus=4.0, memory=8, gpus=2, free_gpus=1, gpus_answering=1)
        wait(q, "big", "b", gpus=2, memory=6)
        for i in range(MAX_PASSED + 1):
            wait(q, f"x{i}", "x")
            assert list(q.admit(one_answers)) == [f"x{i}"]
            q.remove(f"x{i}")
        for name in ("one", "two", "three"):
            wait(q, name, name, gpus=1 if name == "one" else 0, memory=4)
        assert list(q.admit(one_answers)) == ["one", "two"], "neither its slot, nor its memory, nor its GPU is kept"
        assert q.places(one_answers)["big"].position == 1
        q.remove("two")
        assert q.places(one_answers)["big"].reason == "waits for 2 GPUs: 1 of 2 answers now"
        both_answer = Room(cpus=4.0, memory=8, gpus=2, free_gpus=1, gpus_answering=2)
        assert q.places(both_answer)["three"].reason.startswith("lets job big go first")
        assert list(q.admit(both_answer)) == []
        q.remove("one")
        assert list(q.admit(ROOM)) == ["big"]

    def test_nothing_is_kept_for_one_that_waits_for_gpus_nobody_can_read(self) -> None:
        q = queue(running=1, per_user=9, queued=99, queued_per_user=99)
        unread = Room(cpus=4.0, memory=8, gpus=2, free_gpus=0, gpus_answering=0, gpus_unknown="no answer")
        wait(q, "big", "b", gpus=1)
        for i in range(MAX_PASSED + 2):
            wait(q, f"x{i}", "x")
            assert list(q.admit(unread)) == [f"x{i}"]
            q.remove(f"x{i}")
        assert q.places(unread)["big"].reason == "waits for 1 GPU: no answer"

    def test_one_that_its_own_users_limit_holds_up_is_not_passed_over(self) -> None:
        q = queue(running=9, per_user=1, queued=99, queued_per_user=99)
        wait(q, "a0", "a")
        q.admit(ROOM)
        wait(q, "a1", "a", memory=8)
        for i in range(2 * MAX_PASSED):
            wait(q, f"b{i}", "b", memory=1)
            assert list(q.admit(ROOM)) == [f"b{i}"]
            q.remove(f"b{i}")

    def test_more_than_there_is_holds_up_nobody(self) -> None:
        q = queue(running=9, per_user=9, queued=99, queued_per_user=99)
        wait(q, "never", "u", gpus=3)
        wait(q, "small", "u", gpus=1)
        assert list(q.admit(ROOM)) == ["small"]
        place = q.places(ROOM)["never"]
        assert (place.position, place.waiting) == (1, 1)
        assert place.reason == "asks for 3 GPUs, and this machine has 2: it can run only once there is more"

    def test_nothing_starts_while_nobody_knows_what_there_is(self) -> None:
        q = queue()
        put(q, "a", "a")
        unknown = Room(unknown="no engine answers")
        assert list(q.admit(unknown)) == []
        assert q.places(unknown)["a"].reason == "no engine answers"
        assert list(q.admit()) == ["a"]

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["put", "put", "admit", "end"]),
                st.sampled_from("abc"),
                st.integers(0, 5),
                st.integers(0, 9),
                st.integers(0, 3),
            ),
            max_size=80,
        )
    )
    def test_no_sequence_gives_more_than_there_is_and_all_end_up_running(self, moves) -> None:
        q = queue(running=4, per_user=3, queued=999, queued_per_user=999)
        held: dict[str, Need] = {}
        fits: dict[str, Need] = {}

        def room() -> Room:
            return Room(cpus=4.0, memory=8, gpus=2, free_gpus=2 - sum(n.gpus for n in held.values()))

        for number, (move, user, cpus, memory, gpus) in enumerate(moves):
            if move == "put":
                need = Need(float(cpus), memory, gpus)
                q.reserve(f"{user}{number}", user, need, room())
                q.add(f"{user}{number}", user, need)
                if cpus <= 4 and memory <= 8 and gpus <= 2:
                    fits[f"{user}{number}"] = need
            elif move == "admit":
                held |= q.admit(room())
            elif held:
                ended = next(iter(held))
                q.remove(ended)
                del held[ended], fits[ended]
            assert sum(n.cpus for n in held.values()) <= 4
            assert sum(n.memory for n in held.values()) <= 8
            assert sum(n.gpus for n in held.values()) <= 2
            places = q.places(room())
            assert sorted(p.position for p in places.values()) == list(range(1, len(q) + 1))
            assert all(p.reason for p in places.values())
        for _ in range(len(moves) + 1):
            for job_id in held:
                q.remove(job_id)
                del fits[job_id]
            held = {}
            held |= q.admit(room())
        assert fits == {}, "what can run at all has run"


class TestPlaces:
    def test_positions_are_the_order_in_which_they_go(self) -> None:
        q = queue(running=1, per_user=1, queued=99, queued_per_user=99)
        for i in range(3):
            put(q, f"a{i}", "a")
        put(q, "b0", "b")
        q.admit()
        said = sorted(q.places(), key=lambda job_id: q.places()[job_id].position)
        went = []
        running = "a0"
        while len(q):
            q.remove(running)
            (running,) = q.admit()
            went.append(running)
        assert said == went == ["b0", "a1", "a2"]

    def test_what_is_only_reserved_has_no_place(self) -> None:
        q = queue(running=1)
        q.reserve("a", "a")
        assert q.places() == {}

    @pytest.mark.parametrize(
        ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (23.5 * 2**30, "23.5 GiB"), (-5, "0 B")]
    )
    def test_bytes_for_people(self, count: float, text: str) -> None:
        assert size(count) == text
