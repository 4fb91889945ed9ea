"""One attack: bytes that a client sends, in pieces, and all that comes of them."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .connection import Wire
from .frames import CLOSE, PING, PONG, TEXT, frame
from .rfc6455 import Owed, owed

BAD_FRAME = 100103
LAST = "the last one"
"""The id of the ping after everything else."""


@dataclass
class Outcome:
    """What came back: answers, the payloads of pongs, the Close's code. `ended`: the server hung up by itself."""

    answers: list[dict[str, Any]]
    pongs: list[bytes]
    closed: bool
    code: int | None
    ended: bool


def ping(request_id: str) -> bytes:
    """A request that changes nothing."""
    return json.dumps({"tag": "channel", "op": "ping", "id": request_id}).encode()


async def attack(address: str, pieces: Sequence[bytes], limit: int) -> tuple[Owed, Outcome]:
    """Sends the pieces, one after the other is read; then ends the connection as what was sent allows. Judges it."""
    due = owed(b"".join(pieces), limit)
    wire = await Wire.open(address)
    outcome = Outcome([], [], False, None, False)
    try:
        for piece in pieces:
            await wire.send(piece)
            for _ in range(3):  # turns of the loop, in which the server reads it
                await asyncio.sleep(0)
        if due.must:
            await _read(wire, outcome)
        elif due.half or due.codes:
            wire.half_close()
            await _read(wire, outcome)
        else:
            await wire.send(frame(TEXT, ping(LAST)))
            await _read(wire, outcome, until=LAST)
            await wire.send(frame(CLOSE, (1000).to_bytes(2, "big")))
            await _read(wire, outcome)
    except ConnectionError:  # the server hung up first: what it said lies in the socket
        await _read(wire, outcome)
    finally:
        wire.vanish()
    _judge(due, outcome)
    return due, outcome


async def _read(wire: Wire, outcome: Outcome, until: str | None = None) -> None:
    while not wire.ended:
        for got in await wire.receive():
            if got.opcode == CLOSE:
                outcome.closed, outcome.code = True, got.code
            elif got.opcode == PONG:
                outcome.pongs.append(got.payload)
            elif got.opcode == TEXT:
                outcome.answers.append(json.loads(got.payload))
            else:
                assert got.opcode == PING, got
        if until is not None and outcome.answers and outcome.answers[-1].get("id") == until:
            return
    outcome.ended = True


def _judge(due: Owed, outcome: Outcome) -> None:
    open_to_the_last = not due.codes and not due.half
    if open_to_the_last:
        assert (outcome.closed, outcome.code) == (True, 1000), outcome
        assert outcome.answers.pop()["id"] == LAST
        assert len(outcome.answers) == len(due.messages), (due, outcome)
        assert outcome.pongs == due.pings, (due, outcome)
    else:
        assert outcome.ended, outcome
        assert len(outcome.answers) <= len(due.messages), (due, outcome)
        assert outcome.pongs == due.pings[: len(outcome.pongs)], (due, outcome)
        if due.must:
            assert outcome.closed, (due, outcome)
        if outcome.closed:
            assert outcome.code in due.codes or (due.half and outcome.code in (1000, 1001, None)), (due, outcome)
    for (opcode, payload), answer in zip(due.messages, outcome.answers, strict=False):
        judge_answer(answer, payload if opcode == TEXT else None)


def judge_answer(answer: dict[str, Any], payload: bytes | None) -> None:
    """The answer to a message that is no request (None: a binary one), or that is a ping."""
    try:
        request = json.loads(payload) if payload is not None else None
    except (ValueError, RecursionError):
        request = None
    if payload and isinstance(request, dict) and payload.strip() == ping(str(request.get("id"))):
        assert (answer["type"], answer["op"], answer["id"]) == ("info", "ping", request["id"]), answer
        return
    assert answer["type"] == "error", answer
    if not isinstance(request, dict):
        assert answer["error"]["code"] == BAD_FRAME, answer
