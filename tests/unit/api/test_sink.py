"""A sink counts what the socket has not taken, and sends nothing on a connection that is closing."""

import asyncio

import pytest
from tornado.iostream import StreamClosedError

from k12ai_ws.api.sink import StreamSink


class Stream:
    """A socket that takes what it is told to."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.slow = False
        self.closed = False

    def write(self, frame: bytes) -> "asyncio.Future[None]":
        if self.closed:
            raise StreamClosedError
        self.written.append(frame)
        future = asyncio.get_running_loop().create_future()
        if self.slow:
            self.waiting.append(future)
        else:
            future.set_result(None)
        return future

    async def take(self) -> None:
        """The socket takes one frame more."""
        self.waiting.pop(0).set_result(None)
        await asyncio.sleep(0)


@pytest.fixture
def stream() -> Stream:
    return Stream()


async def test_it_is_behind_while_the_socket_takes_nothing(stream: Stream) -> None:
    sink = StreamSink(stream, 10, lambda: False)  # type: ignore[arg-type]
    assert sink.send(b"12345678")
    assert (sink.behind, sink.taken) == (False, 0)
    stream.slow = True
    assert sink.send(b"12345678")
    assert not sink.send(b"12345678")
    drained = asyncio.create_task(sink.drained())
    await stream.take()
    assert (sink.behind, sink.taken, drained.done()) == (True, 1, False)
    await stream.take()
    assert (sink.behind, sink.taken) == (False, 2)
    await asyncio.wait_for(drained, 5)


async def test_a_closing_connection_takes_nothing_and_is_never_behind(stream: Stream) -> None:
    closing = False
    sink = StreamSink(stream, 10, lambda: closing)  # type: ignore[arg-type]
    assert sink.send(b"before")
    closing = True
    assert sink.send(b"after" * 100)
    assert stream.written == [b"before"]
    await asyncio.wait_for(sink.drained(), 5)


async def test_a_closed_connection_takes_nothing(stream: Stream) -> None:
    stream.closed = True
    assert StreamSink(stream, 10, lambda: False).send(b"x" * 100)  # type: ignore[arg-type]
