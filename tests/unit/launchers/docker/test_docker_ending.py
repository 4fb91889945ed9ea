"""How a container ended: from what the engine tells of it, and what was seen and done meanwhile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.launchers.docker.ending import Absence, Witness, exit_of, has_ended
from k12ai_ws.wire.job import Exit

STARTED_MS, ENDED_MS = 1_795_434_760_146, 1_795_434_790_250
NEVER = "0001-01-01T00:00:00Z"
MIB = 1 << 20


def container(code=0, *, finished="2026-11-23T11:53:10.250505878Z", oom=False, memory=512 * MIB, **state):
    return {
        "State": {
            "Status": "exited",
            "Running": False,
            "Restarting": False,
            "ExitCode": code,
            "OOMKilled": oom,
            "StartedAt": "2026-11-23T11:52:40.146505878Z",
            "FinishedAt": finished,
            **state,
        },
        "HostConfig": {"Memory": memory},
        "Config": {"Image": "k12ai/x:latest", "Entrypoint": ["pyton", "-m", "x"]},
    }


def ended(**more):
    return Exit(started_ms=STARTED_MS, ended_ms=ENDED_MS, **more)


@pytest.mark.parametrize("code", [0, 1, 2, 126, 127, 128, 193, 255])
def test_an_exit_code_is_told_as_it_is(code):
    assert exit_of(container(code), Witness()) == ended(exit_code=code)


@pytest.mark.parametrize(("code", "signal"), [(129, 1), (137, 9), (139, 11), (143, 15)])
def test_128_and_more_is_told_as_the_signal(code, signal):
    assert exit_of(container(code), Witness()) == ended(signal=signal)


@given(st.integers(0, 255))
def test_every_code_is_an_exit_code_or_a_signal(code):
    end = exit_of(container(code), Witness())
    assert (end.exit_code is None) != (end.signal is None)
    assert code in (end.exit_code, 128 + (end.signal or 0))


def test_what_was_done_to_it_is_told():
    assert exit_of(container(137), Witness(stop_delivered=True)) == ended(signal=9, stop_delivered=True)
    assert exit_of(container(143), Witness(timed_out=True)) == ended(signal=15, timed_out=True)


def test_times_that_never_came_are_none():
    end = exit_of(container(1, finished=NEVER, StartedAt=NEVER), Witness())
    assert (end.started_ms, end.ended_ms) == (None, None)


# ---- memory


@pytest.mark.parametrize(
    ("memory", "peak", "said"),
    [
        (512 * MIB, None, "limit 512.0 MiB, peak 512.0 MiB"),
        (512 * MIB, 300 * MIB, "limit 512.0 MiB, peak 512.0 MiB"),
        (512 * MIB, 513 * MIB, "limit 512.0 MiB, peak 513.0 MiB"),
        (3 << 30, 2 << 30, "limit 3.0 GiB, peak 3.0 GiB"),
        ((1 << 30) - 1, None, "limit 1024.0 MiB"),
    ],
)
@pytest.mark.parametrize("code", [0, 1, 137])
def test_memory_that_ran_out_is_told_with_limit_and_peak(code, memory, peak, said):
    """Also where a child was killed and the first process lived on, to an end of its own."""
    end = exit_of(container(code, oom=True, memory=memory), Witness(peak=peak))
    assert end.oom_killed
    assert said in end.message
    assert "resources.memory" in end.message
    assert (end.exit_code, end.signal) == ((None, 9) if code == 137 else (code, None))


def test_without_it_nothing_is_said():
    end = exit_of(container(137), Witness(peak=512 * MIB))
    assert (end.oom_killed, end.message) == (False, None)


# ---- a command that cannot be run


@pytest.mark.parametrize("code", [126, 127])
def test_a_command_that_cannot_be_run_is_named(code):
    words = b"old\n[FATAL tini (7)] exec a failed: x\n[FATAL tini (7)] exec pyton failed: No such file \xff\nmore\n"
    end = exit_of(container(code), Witness(last_words=words))
    assert end.command_not_found
    assert end.message == (
        "the command 'pyton' could not be run in the image 'k12ai/x:latest': "
        "[FATAL tini (7)] exec pyton failed: No such file \N{REPLACEMENT CHARACTER}"
    )


def test_a_program_that_ends_with_127_by_itself_was_run():
    assert not exit_of(container(127), Witness(last_words=b"sh: 1: pyton: not found\n")).command_not_found
    assert not exit_of(container(1), Witness(last_words=b"[FATAL tini (7)] x\n")).command_not_found


# ---- the engine's own end

AWAY = (ENDED_MS - 1000, ENDED_MS + 1000)


@pytest.mark.parametrize("code", [137, 143, 255])
def test_what_ended_while_the_engine_was_away_ended_with_it(code):
    end = exit_of(container(code), Witness(away=AWAY))
    assert end.engine_failed
    assert "start the job again" in end.message


@pytest.mark.parametrize(
    ("code", "away", "failed"),
    [
        (143, (ENDED_MS + 30_000, ENDED_MS + 40_000), True),  # it takes its containers down before it goes
        (143, (ENDED_MS + 30_001, ENDED_MS + 40_000), False),
        (143, (ENDED_MS - 1000, ENDED_MS), True),
        (143, (ENDED_MS - 1000, ENDED_MS - 1), False),
        (255, (ENDED_MS - 1000, ENDED_MS - 30_000), True),  # it looks what is left while it comes back
        (255, (ENDED_MS - 90_000, ENDED_MS - 30_001), False),  # exit(-1), long after
        (255, (ENDED_MS + 30_001, ENDED_MS + 40_000), False),
        (0, AWAY, False),  # it ran to its end
        (1, AWAY, False),  # it died of its own exception
        (139, AWAY, False),  # and of its own fault
        (255, None, False),
    ],
)
def test_only_what_ended_then_ended_with_the_engine(code, away, failed):
    end = exit_of(container(code), Witness(away=away))
    assert end.engine_failed is failed
    assert (end.message is not None) is failed


def test_an_end_without_its_time_is_the_engines():
    assert exit_of(container(255, finished=NEVER), Witness(away=(1, 2))).engine_failed
    assert not exit_of(container(255, finished=NEVER), Witness()).engine_failed


@pytest.mark.parametrize("witness", [{"stop_delivered": True}, {"timed_out": True}])
def test_an_end_that_was_asked_for_is_not_the_engines(witness):
    assert not exit_of(container(143), Witness(away=AWAY, **witness)).engine_failed


def test_memory_that_ran_out_is_the_jobs():
    end = exit_of(container(137, oom=True), Witness(away=AWAY))
    assert (end.oom_killed, end.engine_failed) == (True, False)


# ---- states, and the engine's absence


@pytest.mark.parametrize(
    ("status", "state", "over"),
    [
        ("created", {}, False),
        ("running", {"Running": True}, False),
        ("running", {}, False),
        ("paused", {"Running": True, "Paused": True}, False),
        ("restarting", {"Running": True, "Restarting": True}, False),
        ("restarting", {"Restarting": True}, False),
        ("exited", {}, True),
        ("dead", {}, True),
        ("removing", {}, True),
    ],
)
def test_which_states_are_ends(status, state, over):
    assert has_ended(container(Status=status, **state)) is over


def test_an_engine_that_does_not_tell_of_restarts():
    told = container()
    del told["State"]["Restarting"]
    assert has_ended(told)


def test_an_absence_is_from_the_first_failure_to_the_first_answer():
    absence = Absence()
    absence.ends(1)
    assert absence.span is None
    assert absence.begins(5)
    assert not absence.begins(6)
    assert absence.span is None
    absence.ends(9)
    absence.ends(11)
    assert absence.span == (5, 9)
    assert absence.begins(20)
    assert absence.span == (5, 9)
    absence.ends(21)
    assert absence.span == (20, 21)
