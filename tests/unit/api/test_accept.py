"""Accept: a stream only for those who name it, and want it no less than JSON."""

import pytest

from k12ai_ws.api.accept import wants_stream


@pytest.mark.parametrize(
    ("accept", "streamed"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("text/event-stream", True),
        ("Text/Event-Stream", True),
        (" text/event-stream ; charset=utf-8", True),
        ("text/event-stream, */*", True),
        ("*/*, text/event-stream", True),
        ("text/event-stream, application/json", True),
        ("application/json, text/event-stream", False),
        ("application/json;q=0.9, text/event-stream", True),
        ("application/json, text/event-stream;q=0.9", False),
        ("application/*;q=0.5, text/event-stream;q=0.6", True),
        ("text/event-stream;q=0.5, */*;q=0.8", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=0, application/json;q=0", False),
        ("text/event-stream;q=0.000", False),
        ("text/event-stream; Q = 0", False),
        ("text/event-stream;q=rubbish", False),
        ("text/event-stream;q=2", True),
        ("text/event-stream;q=nan", False),
        ("text/event-streams", False),
        (",,;;q=,text/event-stream,", True),
    ],
)
def test_what_is_taken(accept: str | None, streamed: bool) -> None:
    assert wants_stream(accept) is streamed
