"""All open channels: places, one timer for all, and the end."""

import asyncio

import pytest

from k12ai_ws.api import connections as module
from k12ai_ws.api.connections import Connections
from k12ai_ws.api.places import Places
from k12ai_ws.wire.requests import Refusal


class Channel:
    """Says goodbye when it is told to (`polite`), or never."""

    def __init__(self, house: Connections, *, polite: bool = True) -> None:
        self.house, self.polite = house, polite
        self.ticks = 0
        self.closed_with: int | None = None
        self.aborted = False

    def tick(self, now: float) -> None:
        self.ticks += 1

    def close(self, code: int, reason: str) -> None:
        self.closed_with = code
        if self.polite:
            asyncio.get_running_loop().call_soon(self.house.discard, self)

    def abort(self) -> None:
        self.aborted = True
        asyncio.get_running_loop().call_soon(self.house.discard, self)


@pytest.fixture
async def house():
    return Connections(Places("WebSockets", "channel.max_connections", 100, 60), lambda: 0.0)


def taken(house: Connections, channel: Channel, address: str = "a") -> bool:
    try:
        house.add(channel, address)
    except Refusal:
        return False
    return True


async def test_places(house: Connections) -> None:
    channels = [Channel(house) for _ in range(102)]
    assert [taken(house, channel) for channel in channels[:61]] == [True] * 60 + [False]
    assert [taken(house, channel, "b") for channel in channels[61:]] == [True] * 40 + [False]
    assert len(house) == 100
    house.discard(channels[60])
    assert not taken(house, Channel(house)), "one that was refused gives no place back"
    house.discard(channels[3])
    assert taken(house, Channel(house))


async def test_everyone_is_served_once_in_a_tick_and_a_failure_is_its_owners(house, monkeypatch, caplog) -> None:
    class Failing(Channel):
        def tick(self, now: float) -> None:
            raise RuntimeError("a channel's bug")

    monkeypatch.setattr(module, "TICK_S", 0.001)
    channels = [Failing(house), *(Channel(house) for _ in range(50))]
    for channel in channels:
        house.add(channel, "a")
    house.start()
    async with asyncio.timeout(10):
        while channels[-1].ticks < 5:  # noqa: ASYNC110 - a tick has no event of its own
            await asyncio.sleep(0)
    counts = {channel.ticks for channel in channels[1:]}
    assert max(counts) - min(counts) <= 1
    assert "a channel's bug" in caplog.text
    await house.close(1)


async def test_the_end_waits_for_goodbyes_and_hangs_up_on_the_rest(house) -> None:
    polite, silent = Channel(house), Channel(house, polite=False)
    for channel in (polite, silent):
        house.add(channel, "a")
    await asyncio.wait_for(house.close(0.05), 10)
    assert (polite.closed_with, polite.aborted) == (1001, False)
    assert (silent.closed_with, silent.aborted) == (1001, True)
    assert len(house) == 0


async def test_the_end_of_one_that_was_refused_is_awaited_too(house) -> None:
    full = [Channel(house) for _ in range(60)]
    refused = Channel(house)
    assert all(taken(house, channel) for channel in full)
    assert not taken(house, refused)
    await asyncio.wait_for(house.close(0.05), 10)
    assert refused.aborted


async def test_one_that_comes_while_the_server_goes_is_told_so(house) -> None:
    silent, late = Channel(house, polite=False), Channel(house)
    house.add(silent, "a")
    closing = asyncio.create_task(house.close(10))
    while silent.closed_with is None:  # noqa: ASYNC110 - until it took its list
        await asyncio.sleep(0)
    house.add(late, "a")
    assert late.closed_with == 1001
    house.discard(silent)
    await asyncio.wait_for(closing, 10)
    assert len(house) == 0
