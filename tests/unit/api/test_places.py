"""Places are taken and given back, in all and per address."""

import pytest

from k12ai_ws.api.places import Bounds, Places, require_few
from k12ai_ws.settings import load_settings
from k12ai_ws.wire.requests import Refusal


def refused(places: Places, address: str | None) -> str:
    with pytest.raises(Refusal) as caught:
        places.enter(address)
    assert caught.value.fault.code == 100108
    return caught.value.fault.message or ""


def test_so_many_of_one_address_and_so_many_in_all() -> None:
    places = Places("things", "limits.things", 3, 2)
    places.enter("a")
    places.enter("a")
    assert "limits.things_per_address" in refused(places, "a")
    places.enter("b")
    assert "limits.things)" in refused(places, "c")
    assert len(places) == 3
    places.leave("a")
    places.enter("c")
    places.leave("c")
    places.enter("a")


def test_whoever_has_no_address_counts_in_all_only() -> None:
    places = Places("things", "limits.things", 3, 1)
    for _ in range(3):
        places.enter(None)
    assert "limits.things)" in refused(places, None)
    places.leave(None)
    places.enter("a")


def test_an_address_that_has_left_is_forgotten() -> None:
    places = Places("things", "limits.things", 10, 5)
    for i in range(1000):
        places.enter(str(i))
        places.leave(str(i))
    assert len(places) == 0
    assert not places._of


@pytest.mark.parametrize(
    ("host", "own", "most"),
    [("127.0.0.1", None, 100), ("localhost", None, 100), ("0.0.0.0", None, 25), ("0.0.0.0", 70, 70), ("::1", 7, 7)],
)
def test_what_one_address_may_take_unless_the_settings_say(host: str, own: int | None, most: int) -> None:
    sse = {"max_streams": 100} | ({} if own is None else {"max_streams_per_address": own})
    streams = Bounds.of(load_settings(overrides={"server": {"host": host}, "sse": sse}), 10).streams
    for _ in range(most):
        streams.enter("a")
    refused(streams, "a")
    assert most == 100 or streams.enter("b") is None


def test_values_of_a_filter() -> None:
    require_few(16, 16)
    with pytest.raises(Refusal, match="17 values, and 16"):
        require_few(17, 16)
