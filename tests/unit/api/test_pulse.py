"""When a client is pinged, and when it is taken for dead: the clock and the socket are the test's."""

import pytest

from k12ai_ws.api.pulse import Beat, Pulse
from k12ai_ws.settings import ChannelSettings


class Sink:
    """What a pulse looks at."""

    behind = False
    taken = 0


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def pulse(sink: Sink) -> Pulse:
    return Pulse(ChannelSettings(ping_interval_s=30, pong_timeout_s=20), sink, 100.0)  # type: ignore[arg-type]


def beats(pulse: Pulse, *moments: float, busy: bool = False) -> list[Beat]:
    return [pulse.tick(moment, busy=busy) for moment in moments]


def test_a_ping_after_the_interval_and_the_end_after_the_silence(pulse: Pulse) -> None:
    assert beats(pulse, 101, 129) == [Beat.NOTHING, Beat.NOTHING]
    assert beats(pulse, 130, 131, 149, 150) == [Beat.PING, Beat.NOTHING, Beat.NOTHING, Beat.DEAD]


def test_a_pong_in_time_begins_the_next_interval(pulse: Pulse) -> None:
    beats(pulse, 130)
    pulse.pong()
    assert beats(pulse, 151, 159, 160, 179, 180) == [
        Beat.NOTHING, Beat.NOTHING, Beat.PING, Beat.NOTHING, Beat.DEAD,
    ]  # fmt: skip


def test_nothing_is_counted_while_a_request_is_handled(pulse: Pulse) -> None:
    beats(pulse, 130)
    assert beats(pulse, 140, 170, 200, busy=True) == [Beat.NOTHING] * 3
    assert beats(pulse, 219, 220) == [Beat.NOTHING, Beat.DEAD]


def test_a_frame_counts_as_a_sign_of_life(pulse: Pulse) -> None:
    beats(pulse, 130)
    pulse.heard(149)
    assert beats(pulse, 150, 168, 169) == [Beat.NOTHING, Beat.NOTHING, Beat.DEAD]


def test_frames_do_not_put_off_the_ping(pulse: Pulse) -> None:
    pulse.heard(129)
    assert beats(pulse, 130) == [Beat.PING]


def test_a_backlog_that_gets_shorter_is_a_sign_of_life(pulse: Pulse, sink: Sink) -> None:
    sink.behind = True
    beats(pulse, 130)
    for moment in (145, 160, 175):
        sink.taken += 1
        assert beats(pulse, moment) == [Beat.NOTHING]
    assert beats(pulse, 194, 195) == [Beat.NOTHING, Beat.DEAD], "it takes nothing any more"


def test_what_the_kernel_takes_without_a_backlog_says_nothing_of_the_client(pulse: Pulse, sink: Sink) -> None:
    beats(pulse, 130)
    sink.taken += 1
    assert beats(pulse, 150) == [Beat.DEAD]
