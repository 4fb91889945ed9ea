"""All open event streams: their end at shutdown, also of one that comes meanwhile."""

import asyncio

from k12ai_ws.api.places import Places
from k12ai_ws.api.sse_streams import Streams
from k12ai_ws.settings import SseSettings


class Stream:
    """Ends when it is told to (`prompt`), or takes its time."""

    def __init__(self, house: Streams, *, prompt: bool = True) -> None:
        self.house, self.prompt = house, prompt
        self.last: bytes | None = None

    def tick(self, now: float) -> None:
        """Nothing is due."""

    def end(self, last: bytes) -> None:
        self.last = last
        if self.prompt:
            asyncio.get_running_loop().call_soon(self.house.discard, self)

    def abort(self) -> None:
        self.house.discard(self)


async def test_one_that_comes_while_the_server_goes_is_ended_too() -> None:
    house = Streams(Places("event streams", "sse.max_streams", 10, None), SseSettings(), lambda: 0.0)
    slow, late = Stream(house, prompt=False), Stream(house)
    house.add(slow, "a")
    closing = asyncio.create_task(house.close(10))
    while slow.last is None:  # noqa: ASYNC110 - until it took its list
        await asyncio.sleep(0)
    house.add(late, "a")
    assert late.last is None, "it has not begun yet"
    house.discard(slow)
    await asyncio.wait_for(closing, 10)
    assert late.last == slow.last
    assert late.last.startswith(b"retry: ")
    assert len(house) == 0
