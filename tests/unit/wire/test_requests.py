"""Every request: what is missing, unknown, of the wrong type or hostile is refused, by name."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.objects import parse_object
from k12ai_ws.wire.queries import AllEventsQuery, EventsQuery, JobsQuery
from k12ai_ws.wire.requests import (
    MAX_FIELDS,
    MAX_SEQ,
    ChannelStatsRequest,
    Empty,
    FilterRequest,
    FrameworkRequest,
    Header,
    Refusal,
    StatsRequest,
    SubscribeRequest,
    message_of,
    validate,
)

START = {"op": "train.start", "user": "u", "service_name": "k12cv", "service_uuid": "p", "service_params": {}}
VALID = {
    Header: {"tag": "channel", "op": "subscribe", "id": "1"},
    FrameworkRequest: START,
    StatsRequest: {"username": "u", "password": "p", "async": True, "query": {"cpus": True}},
    ChannelStatsRequest: {"username": "u", "async": False, "query": {}, "every": 2},
    FilterRequest: {
        "user": "u", "service_uuid": "p", "service_name": "s", "job_id": "j", "tag": ["framework"], "type": ["log"]
    },
    SubscribeRequest: {"filter": {"user": "u"}, "after": 3, "epoch": "e"},
    Empty: {},
    JobsQuery: {
        "user": "u", "service_uuid": "p", "service_name": "s", "status": "failed", "limit": "50", "cursor": "7"
    },
    EventsQuery: {"after": "3", "epoch": "e", "type": "log,error", "limit": "7"},
    AllEventsQuery: {"after": "now", "user": "u", "service_uuid": "p", "service_name": "s", "job_id": "j"},
}  # fmt: skip
REQUIRED = {Header: ["tag", "op"], FrameworkRequest: list(START)}
CASES = [(model, field) for model, data in VALID.items() for field in data]

IDENTIFIERS_NOT = [
    "", ".", "..", "../x", "a/b", "a\\b", "/etc", "a\n", "a\r", "\na", "a\0", "\0", " a", "a ", "-a", "_a", ".a",
    "a" * 65, "é", "ａ", "а", "١", "²", "a\u202e", "a\u200b", "a:b", "a%2fb", "a*", "$(id)", "a'b", 'a"b', "a;b", "~",
    "\ud800",
]  # fmt: skip
NOT_TEXT = [None, 0, 1, True, 1.5, [], ["a"], {}, {"a": 1}]
NAMES_NOT = [*IDENTIFIERS_NOT, "A", "k12-cv", "1k", "k12.cv", "Train"]


def refusal(model, data) -> Refusal:
    with pytest.raises(Refusal) as caught:
        validate(model, data)
    return caught.value


def assert_blames(refused: Refusal, field: str, code: Code) -> None:
    fault = refused.fault
    assert fault.code == code
    assert field in [f["loc"] for f in fault.detail["fields"]]
    assert all(set(f) == {"loc", "msg", "type"} and f["msg"] for f in fault.detail["fields"])
    assert fault.message is not None
    assert field in fault.message
    json.dumps(fault.body(), ensure_ascii=True)


@pytest.mark.parametrize("model", VALID, ids=lambda m: m.__name__)
def test_the_valid_request_is_valid(model) -> None:
    validate(model, VALID[model])


@pytest.mark.parametrize("model", VALID, ids=lambda m: m.__name__)
def test_what_is_not_required_may_be_left_out(model) -> None:
    validate(model, {k: v for k, v in VALID[model].items() if k in REQUIRED.get(model, ())})


@pytest.mark.parametrize(("model", "field"), [(m, f) for m, fields in REQUIRED.items() for f in fields])
def test_a_missing_field_is_named(model, field: str) -> None:
    data = {k: v for k, v in VALID[model].items() if k != field}
    assert_blames(refusal(model, data), field, Code.KEY_MISSING)


def test_missing_and_wrong_together_are_a_wrong_value() -> None:
    refused = refusal(FrameworkRequest, {"op": 1})
    assert refused.fault.code == Code.VALUE_INVALID
    assert {f["loc"] for f in refused.fault.detail["fields"]} == set(START)


@pytest.mark.parametrize("model", VALID, ids=lambda m: m.__name__)
@pytest.mark.parametrize("name", ["extra", "User", "user ", "__class__", "model_config", "asynchronous", "constructor"])
def test_an_unknown_field_is_refused_and_named(model, name: str) -> None:
    assert_blames(refusal(model, VALID[model] | {name: 1}), name, Code.VALUE_INVALID)


@pytest.mark.parametrize(("model", "field"), CASES, ids=lambda v: getattr(v, "__name__", v))
def test_a_value_of_another_type_is_refused_and_named(model, field: str) -> None:
    wrong = {"a": {"b": object()}} if not isinstance(VALID[model][field], dict) else [1, "a"]
    refused = refusal(model, VALID[model] | {field: wrong})
    assert refused.fault.code == Code.VALUE_INVALID
    assert all(f["loc"].split(".")[0] == field for f in refused.fault.detail["fields"])
    assert field in refused.fault.message


@pytest.mark.parametrize("value", [*IDENTIFIERS_NOT, *NOT_TEXT], ids=ascii)
@pytest.mark.parametrize("field", ["user", "service_uuid"])
def test_hostile_identifiers_are_refused(field: str, value) -> None:
    assert_blames(refusal(FrameworkRequest, START | {field: value}), field, Code.VALUE_INVALID)
    assert not (isinstance(value, str) and FrameworkRequest.well_formed(field, value))
    if value is not None:
        assert_blames(refusal(FilterRequest, {field: value}), field, Code.VALUE_INVALID)
        assert_blames(refusal(JobsQuery, {field: value}), field, Code.VALUE_INVALID)


@pytest.mark.parametrize("value", ["a", "0", "A-b_c.d", "a..b", "a" * 64, "9.9"])
@pytest.mark.parametrize("field", ["user", "service_uuid"])
def test_good_identifiers_are_taken(field: str, value: str) -> None:
    assert getattr(validate(FrameworkRequest, START | {field: value}), field) == value
    assert FrameworkRequest.well_formed(field, value)


@pytest.mark.parametrize("value", [*NAMES_NOT, *NOT_TEXT], ids=ascii)
def test_hostile_service_names_are_refused(value) -> None:
    assert_blames(refusal(FrameworkRequest, START | {"service_name": value}), "service_name", Code.VALUE_INVALID)


@pytest.mark.parametrize(
    "op",
    ["", "train", "train.", ".start", "train.start\n", "train.start.start", "train.Stop", "Train.start", "train.start ",
     "../train.start", "a" * 65 + ".start", "train．start", "1.start", "train.pause", None, 1, ["train.start"]],
)  # fmt: skip
def test_hostile_ops_are_refused(op) -> None:
    assert_blames(refusal(FrameworkRequest, START | {"op": op}), "op", Code.VALUE_INVALID)
    assert not (isinstance(op, str) and FrameworkRequest.well_formed("op", op))


def test_op_is_task_and_verb() -> None:
    request = validate(FrameworkRequest, START | {"op": "fine_tune2.stop"})
    assert (request.task, request.verb) == ("fine_tune2", "stop")


@given(st.text())
def test_well_formed_is_what_validation_takes(value: str) -> None:
    try:
        validate(FrameworkRequest, START | {"user": value})
        taken = True
    except Refusal:
        taken = False
    assert FrameworkRequest.well_formed("user", value) == taken


class TestSubscribe:
    @pytest.mark.parametrize("after", [0, 1, MAX_SEQ, "start", "now"])
    def test_good_places(self, after) -> None:
        assert validate(SubscribeRequest, {"after": after}).after == after

    @pytest.mark.parametrize(
        "after",
        [-1, MAX_SEQ + 1, 10**30, 1e30, 1.0, True, False, None, "", "0", "Start", "end", "start\n", [], [0], {}],
    )
    def test_bad_places_blame_the_field_and_say_what_is_right(self, after) -> None:
        refused = refusal(SubscribeRequest, {"after": after})
        assert_blames(refused, "after", Code.VALUE_INVALID)
        assert len(refused.fault.detail["fields"]) == 1
        assert "start" in refused.fault.message

    @pytest.mark.parametrize(
        "wanted",
        [{"type": []}, {"tag": []}, {"type": ["log"] * 9}, {"type": "log"}, {"type": ["logs"]}, {"tag": ["channel"]},
         {"type": [None]}, {"job_id": "../x"}],
    )  # fmt: skip
    def test_bad_filters_name_the_place(self, wanted: dict) -> None:
        refused = refusal(SubscribeRequest, {"filter": wanted})
        assert all(f["loc"].startswith(f"filter.{next(iter(wanted))}") for f in refused.fault.detail["fields"])


class TestStats:
    @pytest.mark.parametrize("every", [0.2, 1, 3600, 2.5])
    def test_good_intervals(self, every) -> None:
        assert validate(ChannelStatsRequest, {"every": every}).every == every

    @pytest.mark.parametrize("every", [0, 0.19, -1, 3601, 1e300, True, "2", "", [2], float("nan"), float("inf")])
    def test_bad_intervals(self, every) -> None:
        assert_blames(refusal(ChannelStatsRequest, {"every": every}), "every", Code.VALUE_INVALID)

    def test_every_is_the_channels_alone(self) -> None:
        assert_blames(refusal(StatsRequest, {"every": 1}), "every", Code.VALUE_INVALID)

    @pytest.mark.parametrize("value", [1, 0, "true", "false", None, [], {}])
    @pytest.mark.parametrize("key", ["cpus", "gpus", "disks", "containers"])
    def test_a_query_says_true_or_false(self, key: str, value) -> None:
        if value is None:
            assert validate(StatsRequest, {"query": {key: None}})
        else:
            assert_blames(refusal(StatsRequest, {"query": {key: value}}), f"query.{key}", Code.VALUE_INVALID)

    def test_a_users_name_may_be_any_short_text(self) -> None:
        assert validate(StatsRequest, {"username": "Müller 李"}).username == "Müller 李"
        assert_blames(refusal(StatsRequest, {"username": "a" * 65}), "username", Code.VALUE_INVALID)
        assert_blames(refusal(StatsRequest, {"password": "a" * 1025}), "password", Code.VALUE_INVALID)


class TestQueries:
    @pytest.mark.parametrize("limit", ["0", "-1", "501", "", "x", "５０", "1e2", "9" * 5000, "0x10", "nan"])
    def test_bad_limits(self, limit: str) -> None:
        assert_blames(refusal(JobsQuery, {"limit": limit}), "limit", Code.VALUE_INVALID)

    @pytest.mark.parametrize("cursor", ["", "-1", "x", "1\n", "1" * 19, "１", " 1", "1; DROP TABLE jobs"])
    def test_bad_cursors(self, cursor: str) -> None:
        assert_blames(refusal(JobsQuery, {"cursor": cursor}), "cursor", Code.VALUE_INVALID)

    @pytest.mark.parametrize("after", ["-1", str(MAX_SEQ + 1), "9" * 5000, "", "beginning", "1.5", "１"])
    def test_bad_places(self, after: str) -> None:
        assert_blames(refusal(EventsQuery, {"after": after}), "after", Code.VALUE_INVALID)

    @pytest.mark.parametrize(("text", "after"), [("0", 0), ("007", 7), (str(MAX_SEQ), MAX_SEQ), ("start", "start")])
    def test_good_places(self, text: str, after: int | str) -> None:
        assert validate(EventsQuery, {"after": text}).after == after
        assert validate(AllEventsQuery, {"after": text, "user": "u"}).after == after

    @pytest.mark.parametrize("types", ["", ",", "log,", "logs", "log, error", "LOG", "log\n", "log;error"])
    def test_bad_types(self, types: str) -> None:
        assert_blames(refusal(EventsQuery, {"type": types}), "type", Code.VALUE_INVALID)

    def test_types_are_a_list_between_commas(self) -> None:
        assert validate(EventsQuery, {"type": "log,error,log"}).types == {"log", "error"}
        assert validate(EventsQuery, {"type": "log,error,log"}).values == 3
        assert validate(EventsQuery, {}).types is None
        assert validate(EventsQuery, {}).values == 0


class TestBounds:
    """An error about hostile data is itself of a bounded size."""

    def test_many_unknown_fields(self) -> None:
        count = 5000 + len(START)
        fields = refusal(FrameworkRequest, START | {f"x{i}": i for i in range(5000)}).fault.detail["fields"]
        assert fields == [
            {"loc": "", "msg": f"there are {count} fields: {MAX_FIELDS} are the most", "type": "too_long"}
        ]

    def test_a_long_unknown_field(self) -> None:
        refused = refusal(FrameworkRequest, START | {"x" * 1_000_000: 1})
        assert len(json.dumps(refused.fault.body())) < 5000
        assert "1000000 characters" in refused.fault.message

    def test_a_long_value_is_not_echoed(self) -> None:
        assert len(json.dumps(refusal(FrameworkRequest, START | {"user": "x" * 1_000_000}).fault.body())) < 2000
        assert len(json.dumps(refusal(EventsQuery, {"type": "x" * 1_000_000}).fault.body())) < 5000

    def test_a_message_names_three_and_counts_the_rest(self) -> None:
        fields = [{"loc": f"f{i}", "msg": "m", "type": "t"} for i in range(5)]
        assert message_of(fields) == "f0: m; f1: m; f2: m; and 2 more"
        assert message_of([{"loc": "", "msg": "m"}]) == "request: m"


@pytest.mark.parametrize("model", VALID, ids=lambda m: m.__name__)
def test_validation_leaves_the_data_alone(model) -> None:
    data = copy.deepcopy(VALID[model])
    validate(model, data)
    assert data == VALID[model]


@pytest.mark.parametrize(
    "raw",
    [b"", b" ", b"x", b"{", b"{}x", b"{'a':1}", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":1e999}', b"\xff\xfe{}",
     b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"a":"\n"}', b'\xef\xbb\xbf{"a":1}', b"[" * 100_000, b'{"a":' * 100_000,
     b"null", b"[]", b'[{"a":1}]', b'"text"', b"1", b"1.5", b"true", b'{"a":1,}', b"{}{}"],
    ids=lambda r: ascii(r[:12]),
)  # fmt: skip
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_object(raw)
    assert caught.value.fault.code == Code.NOT_JSON
    assert len(caught.value.fault.message) < 300


def test_of_keys_that_stand_twice_the_last_counts() -> None:
    """As in every browser: no reader of the same bytes may see another user than we do."""
    assert parse_object(b'{"user":"a","user":"b"}') == {"user": "b"}


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.dictionaries(st.text(), st.text()).map(lambda d: json.dumps(d).encode())
)
def test_any_bytes_are_an_object_or_refused(raw: bytes) -> None:
    try:
        found = parse_object(raw)
    except Refusal as refused:
        answer = refused.fault.body()
    else:
        answer = {"code": Code.NOT_JSON} if isinstance(found, dict) else {}
    assert answer["code"] == Code.NOT_JSON


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("user", "a b", "user: must be 1 to 64 letters, digits, '_', '.' or '-', a letter or a digit first"),
        ("service_name", "K", "service_name: must be 1 to 64 small letters, digits or '_', a letter first"),
        ("op", "train", "op: must be a task's name with .start or .stop, such as train.start"),
    ],
)
def test_a_rule_is_said_in_words(field: str, value: str, rule: str) -> None:
    good = {"op": "train.start", "user": "u", "service_name": "s", "service_uuid": "p", "service_params": {}}
    with pytest.raises(Refusal) as refused:
        validate(FrameworkRequest, good | {field: value})
    assert refused.value.fault.message == rule
