"""An event stream's sink: a job's ends with the job, whatever the client asked for."""

import socket
from collections.abc import AsyncIterator

import pytest
from tornado.iostream import IOStream, StreamClosedError

from k12ai_ws.api.sse_frames import event_framing
from k12ai_ws.api.sse_sink import JobSink, SseSink
from k12ai_ws.wire.bodies import Metrics, Status
from k12ai_ws.wire.envelope import encode, envelope, with_seq
from k12ai_ws.wire.status import JobStatus

FRAME = event_framing("e")


def event(body: Metrics | Status, seq: int) -> bytes:
    names = {"service_name": "toy", "job_id": "j"}
    message = envelope(body, tag="framework", op="train.start", at_ms=0, user="u" * 64, service_uuid="p", extra=names)
    return FRAME(with_seq(encode(message), seq), seq)


RUNNING = event(Status(JobStatus.RUNNING, 100002), 1)
METRICS = event(Metrics({"loss": 0.5}), 2)
FINISHED = event(Status(JobStatus.FINISHED, 100003), 3)


@pytest.fixture
async def ends() -> AsyncIterator[tuple[IOStream, IOStream]]:
    """The server's and the client's."""
    pair = [IOStream(one) for one in socket.socketpair()]
    yield pair[0], pair[1]
    for stream in pair:
        stream.close()


@pytest.mark.parametrize("statuses", [True, False])
async def test_a_jobs_stream_ends_with_its_terminal_status(ends, statuses: bool) -> None:
    sink = JobSink(ends[0], 1000, statuses=statuses, bookmark=lambda seq: FRAME(b"{}", seq))
    for frame in (RUNNING, METRICS, FINISHED, METRICS):
        assert sink.send(frame)
    expected = RUNNING + METRICS + FINISHED if statuses else METRICS + FRAME(b"{}", 3)
    assert await ends[1].read_until_close() == expected
    assert sink.send(METRICS)


@pytest.mark.parametrize("statuses", [True, False])
async def test_messages_that_come_in_one_piece_are_looked_at_one_by_one(ends, statuses: bool) -> None:
    sink = JobSink(ends[0], 1000, statuses=statuses, bookmark=lambda seq: FRAME(b"{}", seq))
    assert sink.send(RUNNING + METRICS + RUNNING)
    assert sink.send(METRICS + FINISHED + METRICS)
    told = RUNNING + METRICS + RUNNING + METRICS + FINISHED if statuses else METRICS * 2 + FRAME(b"{}", 3)
    assert await ends[1].read_until_close() == told


async def test_what_is_unsent_is_counted_and_the_end_waits_for_it(ends) -> None:
    sink = SseSink(ends[0], 100_000)
    sent = 0
    while sink.send(b"x" * 50_000):
        sent += 1
    assert sent >= 1
    sink.end()
    assert not ends[0].closed()
    got = await ends[1].read_until_close()
    assert got == b"x" * 50_000 * (sent + 1)
    await sink.drained()


async def test_a_client_that_is_gone_costs_nothing(ends) -> None:
    sink = SseSink(ends[0], 10)
    ends[0].close()
    assert sink.send(METRICS)
    sink.end()
    sink.fail()
    with pytest.raises(StreamClosedError):
        ends[0].write(b"")
