"""What RFC 6455 lets a server make of a client's bytes: the messages in them, and how they must end.

Written anew from the RFC, so that the server's own reading is judged by another one. Where the RFC leaves a choice,
all that it allows is allowed.
"""

import codecs
from collections.abc import Set
from dataclasses import dataclass, field

from .frames import BINARY, CLOSE, CONTINUATION, CONTROL, PING, PONG, TEXT

PROTOCOL_ERROR, INVALID_TEXT, TOO_BIG = 1002, 1007, 1009
SENT_BY_CLIENTS = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, *range(3000, 5000)}
REGISTERED_SINCE = {1012, 1013, 1014}


@dataclass
class Owed:
    """`messages` and `pings`: those before the end, in order; of the pings, the last `unsure` may go unanswered.

    `codes`: it ends with a Close of one of these codes (None: one without a code). Empty: it stays open. `must`: it
    ends for certain; else the server may as well wait for more bytes. `half`: a frame or a message is not whole.
    """

    messages: list[tuple[int, bytes]] = field(default_factory=list)
    pings: list[bytes] = field(default_factory=list)
    unsure: int = 0
    codes: Set[int | None] = frozenset()
    must: bool = False
    half: bool = False


class _Over(Exception):
    def __init__(self, codes: Set[int | None], *, must: bool) -> None:
        self.codes, self.must = codes, must


def owed(data: bytes, limit: int) -> Owed:
    """For all the bytes after the handshake, and messages of `limit` bytes at most."""
    reading = _Reading(data, limit)
    try:
        while reading.frame():
            pass
    except _Over as over:
        reading.owed.codes, reading.owed.must = over.codes, over.must
    return reading.owed


class _Reading:
    def __init__(self, data: bytes, limit: int) -> None:
        self.owed = Owed()
        self._data, self._limit = data, limit
        self._kind: int | None = None  # of the message that is under way
        self._message = b""
        self._doomed = False  # its text is no UTF-8 already

    def frame(self) -> bool:
        """Takes one frame; whether there was one. Raises _Over."""
        data = self._data
        if len(data) < 2:
            self.owed.half = bool(data) or self._kind is not None
            return self._wait()
        first, opcode, masked, size = data[0], data[0] & 15, data[1] >= 0x80, data[1] & 0x7F
        wide = {126: 2, 127: 8}.get(size, 0)
        start = 2 + wide + 4 * masked
        wrong: set[int | None] = set()
        if not self._allowed(first, masked=masked, short=size):
            wrong.add(PROTOCOL_ERROR)
        if wide and len(data) >= 2 + wide:
            size = int.from_bytes(data[2 : 2 + wide], "big")
            if size < (126 if wide == 2 else 1 << 16) or size >= 1 << 63:
                wrong.add(PROTOCOL_ERROR)
        known = not wide or len(data) >= 2 + wide
        if known and opcode in (CONTINUATION, TEXT, BINARY) and size + len(self._message) > self._limit:
            wrong.add(TOO_BIG)
        whole = known and len(data) >= start + size
        if wrong:
            raise self._over(wrong, must=whole or TOO_BIG in wrong)
        if not whole:
            self.owed.half = True
            return self._wait()
        mask, payload = data[start - 4 : start], data[start : start + size]
        self._data = data[start + size :]
        self._take(opcode, bytes(b ^ mask[i % 4] for i, b in enumerate(payload)), fin=first >= 0x80)
        return True

    def _allowed(self, first: int, *, masked: bool, short: int) -> bool:
        opcode, fin = first & 15, first >= 0x80
        if first & 0x70 or not masked or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            return False
        if opcode & CONTROL:
            return fin and short <= 125
        return (opcode == CONTINUATION) == (self._kind is not None)

    def _over(self, codes: Set[int | None], *, must: bool) -> _Over:
        return _Over(codes | {INVALID_TEXT} if self._doomed else codes, must=must)

    def _wait(self) -> bool:
        if self._doomed:
            raise _Over({INVALID_TEXT}, must=False)
        return False

    def _take(self, opcode: int, payload: bytes, *, fin: bool) -> None:
        if opcode == PING:
            self.owed.pings.append(payload)
            self.owed.unsure += self._doomed
        elif opcode == CLOSE:
            raise self._over(_answer(payload), must=True)
        elif opcode != PONG:
            self._kind = opcode if self._kind is None else self._kind
            self._message += payload
            self._doomed = self._kind == TEXT and not _may_become_text(self._message, final=fin)
            if fin:
                if self._doomed:
                    raise _Over({INVALID_TEXT}, must=True)
                self.owed.messages.append((self._kind, self._message))
                self._kind, self._message = None, b""


def _answer(payload: bytes) -> Set[int | None]:
    if not payload:
        return {None, 1000}
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or code not in SENT_BY_CLIENTS | REGISTERED_SINCE:
        return {PROTOCOL_ERROR}
    if not _may_become_text(payload[2:], final=True):
        return {INVALID_TEXT, PROTOCOL_ERROR}
    return {code, PROTOCOL_ERROR} if code in REGISTERED_SINCE else {code}


def _may_become_text(data: bytes, *, final: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final)
    except UnicodeDecodeError:
        return False
    return True
