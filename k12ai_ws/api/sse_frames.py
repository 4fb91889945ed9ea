"""How an event stream spells messages (WHATWG HTML, section 9.2), and the ids that it is resumed by."""

import re

from k12ai_ws.events.feed import Framing
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import MAX_SEQ, refuse

TOKEN = re.compile(r"([A-Za-z0-9_.-]{1,64}):([0-9]{1,19})")


def event_framing(epoch: str) -> Framing:
    r"""Messages of the log `epoch`: the id is `EPOCH:SEQ`, the data the message's bytes, which hold no newline.

    >>> event_framing("e1")(b'{"seq":7}', 7)
    b'id: e1:7\ndata: {"seq":7}\n\n'
    """
    head = b"id: %b:" % epoch.encode()

    def frame(payload: bytes, seq: int | None) -> bytes:
        return b"data: %b\n\n" % payload if seq is None else b"%b%d\ndata: %b\n\n" % (head, seq, payload)

    return frame


def parse_token(header: str) -> tuple[str, int]:
    """The epoch and the seq in a Last-Event-ID. Raises Refusal (100102) for what this server never gave out.

    >>> parse_token("e1:7")
    ('e1', 7)
    """
    match = TOKEN.fullmatch(header)
    if match is None or int(match[2]) > MAX_SEQ:
        raise refuse(
            Code.VALUE_INVALID,
            "the header Last-Event-ID must be an id that this server gave: EPOCH:SEQ",
            fields=[{"loc": "Last-Event-ID", "msg": "must be EPOCH:SEQ", "type": "header"}],
        )
    return match[1], int(match[2])


def retry_frame(seconds: float) -> bytes:
    r"""How long to wait before the next connection.

    >>> retry_frame(2.5)
    b'retry: 2500\n\n'
    """
    return b"retry: %d\n\n" % round(seconds * 1000)
