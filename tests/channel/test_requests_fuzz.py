"""Text frames with anything in them: each gets one answer of the contract, the connection stays, nothing changes.

A longer hunt: `K12AI_FUZZ_EXAMPLES=20000 pytest tests/channel/test_requests_fuzz.py`.
"""

import json
import os
from typing import Any

import pytest
from channelrig.connection import FIELDS, Wire
from channelrig.frames import TEXT, frame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from k12ai_ws.wire.codes import Code

EXAMPLES = int(os.environ.get("K12AI_FUZZ_EXAMPLES", "300"))
HUNT = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

FILTER = {"user": "u", "service_uuid": "p", "service_name": "toy", "job_id": "j", "tag": ["framework"], "type": ["log"]}
ORDER = {"user": "u", "service_name": "none", "service_uuid": "p", "service_params": {"a": {"b": [1]}}}
QUERY = {"cpus": False, "gpus": False, "disks": False, "containers": False}
REQUESTS: list[dict[str, Any]] = [
    {"tag": "channel", "op": "subscribe", "id": "s", "filter": FILTER, "after": 7, "epoch": "e"},
    {"tag": "channel", "op": "subscribe", "id": "s", "filter": {"user": "nobody"}, "after": "start"},
    {"tag": "channel", "op": "unsubscribe", "id": "s"},
    {"tag": "channel", "op": "ping", "id": "p"},
    {"tag": "framework", "op": "train.start", "id": "f", **ORDER},
    {"tag": "framework", "op": "train.stop", "id": "f", **ORDER},
    {"tag": "platform", "op": "stats", "id": "t", "username": "u", "password": "x", "async": True, "query": QUERY},
    {"tag": "platform", "op": "stats", "id": "t", "every": 3600, "query": QUERY},
]
ODD = [
    "NaN",
    "-Infinity",
    "1e999",
    "-0",
    "1" * 400,
    "0.1e-400",
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    "tru",
    "'x'",
]
"""Values that JSON has not, or that are at its edge."""
CODES = {int(code) for code in Code} - {int(Code.UNKNOWN)}

words = st.text(max_size=20) | st.sampled_from(["", "u", "../x", "a" * 65, "a" * 5000, "start", "now", "\ud800", "\0"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=6,
)
depths = st.sampled_from([100, 1000, 1025, 3000])
raw_values = (
    values.map(json.dumps)
    | st.sampled_from(ODD)
    | depths.map(lambda n: "[" * n + "]" * n)
    | depths.map(lambda n: '{"a":' * n + "0" + "}" * n)
    | depths.map(lambda n: "[" * n)
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request as text, with fields replaced, left out, added or said twice, at the top or in its filter or query."""
    request = draw(st.sampled_from(REQUESTS))
    top = {name: json.dumps(value) for name, value in request.items()}
    inner_name = draw(st.sampled_from([n for n, v in request.items() if isinstance(v, dict)] or [""]))
    inner = {name: json.dumps(value) for name, value in (request.get(inner_name) or {}).items()}
    for _ in range(draw(st.integers(0, 3))):
        fields = inner if inner_name and draw(st.booleans()) else top
        name = draw(st.sampled_from(sorted(fields) or [""]) | words)
        if draw(st.booleans()):
            fields[name] = draw(raw_values)
        else:
            fields.pop(name, None)
    if inner_name in top:
        top[inner_name] = _text(draw, inner)
    return _text(draw, top).encode("utf-8", "replace")


def _text(draw: st.DrawFn, fields: dict[str, str]) -> str:
    pairs = list(fields.items())
    if pairs:
        pairs += draw(st.just([]) | st.lists(st.sampled_from(pairs), max_size=2))
    space = draw(st.sampled_from(["", "", " ", "\n\t", "\ufeff"]))
    return "{" + ",".join(f"{space}{json.dumps(name)}:{raw}" for name, raw in pairs) + "}"


def check(answer: dict[str, Any]) -> None:
    """An envelope of the contract, and where it is an error, one that teaches."""
    assert list(answer)[:9] == [*FIELDS, answer["type"]], answer
    body = answer[answer["type"]]
    if answer["type"] == "error":
        assert body["code"] in CODES, answer
        assert body["message"], answer
        assert body["severity"] == "error", answer
        for field in body["detail"].get("fields", []):
            assert set(field) == {"loc", "msg", "type"}, answer
    else:
        assert answer["type"] in ("info", "status"), answer


async def answers_to(address: str, frames: list[bytes]) -> list[dict[str, Any]]:
    """What comes of the frames, one answer each, on a connection that lives to the end."""
    wire = await Wire.open(address)
    try:
        for text in frames:
            await wire.send(frame(TEXT, text))
        await wire.send(frame(TEXT, b'{"tag":"channel","op":"ping","id":"the end"}'))
        answers: list[dict[str, Any]] = []
        while all(answer.get("id") != "the end" for answer in answers):  # statistics may come behind it
            for got in await wire.receive():
                assert got.opcode == TEXT, got
                message = json.loads(got.payload)
                if "seq" not in message or "id" in message:  # else it is an event, and the request was a good one
                    answers.append(message)
            assert not wire.ended, answers
        return [answer for answer in answers if answer.get("id") != "the end"]
    finally:
        wire.vanish()


@HUNT
@given(
    frames=st.lists(
        requests() | requests() | raw_values.map(str.encode) | st.text(max_size=30).map(str.encode), max_size=4
    )
)
async def test_any_text_gets_its_answer(attacked, frames):
    answers = await answers_to(attacked.server.address, frames)
    streams = sum(b'"every"' in text for text in frames)  # acknowledged by their first statistics, in their own time
    assert len(frames) - streams <= len(answers) <= len(frames) + streams, answers
    for answer in answers:
        check(answer)
    await attacked.unharmed()


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: r["op"] + " " + "/".join(r)[-12:])
async def test_every_field_with_every_wrong_value(attacked, request_):
    """Of the values that no field takes; each is refused by name."""
    wrong = [*ODD, "{}", "[]", '{"a":1}', "[[]]", "1.5", "-1", "true", '"\\n"', str(1 << 63), str(-(1 << 70))]
    for name in request_:
        frames = []
        for raw in wrong:
            fields = {key: json.dumps(value) for key, value in request_.items()} | {name: raw}
            frames.append(("{" + ",".join(f'"{k}":{v}' for k, v in fields.items()) + "}").encode())
        answers = await answers_to(attacked.server.address, frames)
        for answer in answers:
            check(answer)
        refused = [a for a in answers if a["type"] == "error"]
        assert len(refused) >= len(wrong) - 6, (name, answers)  # some fields take a few of them
    await attacked.unharmed()
