"""The envelope: its fields, their order, its bytes."""

import json
import math
from datetime import datetime
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.wire.bodies import ACKNOWLEDGED, Fault, Info, LogLines, Metrics, Progress, Status
from k12ai_ws.wire.envelope import VERSION, encode, envelope, rfc3339, with_id, with_seq
from k12ai_ws.wire.status import JobStatus, Reason

MOMENT = 1_700_000_000_123

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_bytes_of_a_message_are_these() -> None:
    message = envelope(
        Metrics({"epoch": 1, "loss": 0.5, "nan": None}),
        tag="framework",
        op="train.start",
        at_ms=MOMENT,
        user="u",
        service_uuid="p",
        extra={"service_name": "k12cv", "job_id": "j"},
    )
    assert with_id(with_seq(encode(message), 7), "s1") == (
        b'{"version":"0.1.0","type":"metrics","tag":"framework","op":"train.start","user":"u","service_uuid":"p",'
        b'"timestamp":1700000000123,"datetime":"2023-11-14T22:13:20.123+00:00",'
        b'"metrics":{"epoch":1,"loss":0.5,"nan":null},"service_name":"k12cv","job_id":"j","seq":7,"id":"s1"}'
    )


BODIES = [
    (Metrics({"a": 1.5}), {"a": 1.5}),
    (Progress(0.5, 1, 2), {"value": 0.5, "current": 1, "total": 2}),
    (
        Progress(0, None, None, "it", "train", 0.0),
        {"value": 0, "current": None, "total": None, "unit": "it", "desc": "train", "eta_s": 0.0},
    ),
    (LogLines("stderr", ["a", ""]), {"stream": "stderr", "lines": ["a", ""]}),
    (LogLines("stdout", (), 3), {"stream": "stdout", "lines": [], "truncated": 3}),
    (Fault(100905), {"code": 100905, "descr": "file not found", "severity": "error", "detail": {}}),
    (
        Fault(100009, "", "warning", MappingProxyType({"a": 1})),
        {"code": 100009, "descr": "warning", "message": "", "severity": "warning", "detail": {"a": 1}},
    ),
    (Status(JobStatus.QUEUED, 100007), {"value": "queued", "code": 100007, "descr": "the job is waiting in the queue"}),
    (
        Status(JobStatus.FAILED, 100901, 0, 9, False, Reason.OUT_OF_MEMORY, "me", "text"),
        {
            "value": "failed", "code": 100901, "descr": "out of memory", "exit_code": 0, "signal": 9,
            "oom_killed": False, "reason": "out_of_memory", "requested_by": "me", "message": "text",
        },
    ),
    (Info({"a": 1}), {"a": 1}),
    (ACKNOWLEDGED, {"code": 100000, "descr": "success"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), BODIES, ids=lambda v: getattr(v, "type", ""))
def test_a_body_stands_under_the_key_that_its_type_names(body, expected) -> None:
    message = json.loads(encode(envelope(body, tag="framework", op="x", at_ms=0)))
    assert list(message) == [
        "version", "type", "tag", "op", "user", "service_uuid", "timestamp", "datetime", body.type
    ]  # fmt: skip
    assert message[message["type"]] == expected
    assert list(message[message["type"]]) == list(expected), "the order of fields is part of the bytes"
    assert message["version"] == VERSION


def test_descr_follows_the_language_and_code_does_not() -> None:
    assert Fault(100905).body("zh") == Fault(100905).body("en") | {"descr": "文件不存在"}
    assert Status(JobStatus.LOST, 100008).body("zh")["code"] == 100008


@given(st.integers(0, 253_402_300_799_999))
def test_datetime_is_the_timestamp(at_ms: int) -> None:
    text = rfc3339(at_ms)
    assert round(datetime.fromisoformat(text).timestamp() * 1000) == at_ms
    assert len(text) == len("2023-11-14T22:13:20.123+00:00")


@given(st.dictionaries(st.text(), JSON_VALUES, min_size=1), st.integers(0, 2**63 - 1), st.text())
def test_seq_and_id_are_spliced_in_as_last_fields(message: dict, seq: int, request_id: str) -> None:
    message = {k: v for k, v in message.items() if k not in ("seq", "id")} | {"type": "log"}
    spliced = json.loads(with_id(with_seq(encode(message), seq), request_id))
    assert spliced == json.loads(encode(message)) | {"seq": seq, "id": request_id}
    assert list(spliced)[-2:] == ["seq", "id"]


def test_no_id_no_field() -> None:
    assert with_id(b'{"a":1}', None) == b'{"a":1}'
    assert with_id(b'{"a":1}', "") == b'{"a":1,"id":""}'


@given(JSON_VALUES)
def test_encoding_is_json_and_always_the_same(value) -> None:
    assert json.loads(encode(value)) == value
    assert encode(value) == encode(value)


class TestStrangeData:
    """An event about strange data must not fail for being strange."""

    @pytest.mark.parametrize("text", ["\ud800", "a\udcffb", "\udc00\ud800", "\udcff" * 3])
    def test_undecodable_text_is_shown_with_replacement_characters(self, text: str) -> None:
        message = json.loads(encode({text: [text, {"deep": text}]}))
        ((key, (plain, deep)),) = message.items()
        assert key == plain == deep["deep"]
        assert plain == "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)

    @pytest.mark.parametrize(
        ("number", "seen"),
        [
            (2**63, 2**63),
            (2**64, 2.0**64),
            (-(2**63) - 1, -(2.0**63)),
            (10**400, None),
            (-(10**400), None),
            (True, True),
        ],
    )
    def test_an_integer_that_json_readers_cannot_take_becomes_a_float(self, number, seen) -> None:
        assert json.loads(encode({"n": number})) == {"n": seen}

    def test_not_a_number_is_null(self) -> None:
        assert encode({"a": math.nan, "b": math.inf, "c": [-math.inf]}) == b'{"a":null,"b":null,"c":[null]}'

    def test_any_mapping_and_tuple_is_taken(self) -> None:
        assert encode({"a": MappingProxyType({"b": (1, 2)})}) == b'{"a":{"b":[1,2]}}'

    @pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", {"a": 1j}, {1: 2}])
    def test_what_is_no_json_is_refused(self, value) -> None:
        with pytest.raises(TypeError):
            encode({"a": value})

    def test_what_is_too_deep_is_refused(self) -> None:
        deep: list = []
        for _ in range(100_000):
            deep = [deep]
        with pytest.raises(TypeError):
            encode(deep)
