"""Every request of the contract as a type, and the refusal that a bad one gets.

The same models validate REST bodies, REST queries and the channel's frames. Unknown fields are refused.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from .bodies import Fault, Json
from .codes import Code
from .filter import EventFilter
from .job import MAX_LOG_RULES

IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
NAME = r"^[a-z][a-z0-9_]{0,63}$"
OP = r"^[a-z][a-z0-9_]{0,63}\.(start|stop)$"
CURSOR = r"^[0-9]{1,18}$"
TYPES = r"^(status|metrics|progress|log|error|info)(,(status|metrics|progress|log|error|info)){0,15}$"
"""As many as `limits.max_filter_values` allows by default."""
RULES: Mapping[str, str] = {
    IDENTIFIER: "1 to 64 letters, digits, '_', '.' or '-', a letter or a digit first",
    NAME: "1 to 64 small letters, digits or '_', a letter first",
    OP: "a task's name with .start or .stop, such as train.start",
    CURSOR: "what the page before gave as `next`",
}
"""What a text must be, in words: nobody should have to read a regular expression."""

Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
"""A user or a service_uuid: they become container labels and folder names."""
Name = Annotated[str, StringConstraints(pattern=NAME)]
RequestId = Annotated[str, StringConstraints(min_length=1, max_length=128)]

MAX_SEQ = (1 << 63) - 1
MAX_FIELDS, MAX_LOC, MAX_MSG = 100, 200, 1000
"""Bounds of an error's `detail.fields`: how many, and the characters of each path and message."""
Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]


class Refusal(Exception):
    """A request that is refused: it changed nothing, and its answer is this fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message or str(fault.code))
        self.fault = fault


def refuse(code: Code, message: str, **detail: Json) -> Refusal:
    """A refusal with `code`, a message that says what would be right, and its detail."""
    return Refusal(Fault(code, message, detail=detail))


class Request(BaseModel):
    """Base of all requests: strict types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _few(cls, data: object) -> object:
        """Before pydantic makes an error of each: of a hundred thousand that takes a third of a second."""
        if isinstance(data, dict) and len(data) > MAX_FIELDS:
            raise PydanticCustomError("too_long", f"there are {len(data)} fields: {MAX_FIELDS} are the most")
        return data


class Header(Request):
    """What every channel frame begins with; `id` comes back in the answer."""

    tag: Literal["channel", "framework", "platform"]
    op: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    id: RequestId | None = None


class FrameworkRequest(Request):
    """`POST /k12ai/framework/{task}`: start or stop a job. `log_rules`, where the driver allows them, read its log."""

    op: Annotated[str, StringConstraints(pattern=OP)]
    user: Identifier
    service_name: Name
    service_uuid: Identifier
    service_params: dict[str, Any]
    log_rules: list[Any] | None = None

    @field_validator("log_rules", mode="before")
    @classmethod
    def _rules(cls, value: object) -> object:
        if not isinstance(value, list):
            raise PydanticCustomError(
                "rule", f'must be a list of up to {MAX_LOG_RULES} rules, such as [{{"pattern": "loss=(?P<loss>.+)"}}]'
            )
        if len(value) > MAX_LOG_RULES:
            raise PydanticCustomError("too_long", f"there are {len(value)} rules: {MAX_LOG_RULES} are the most")
        return value

    @property
    def task(self) -> str:
        """`train` of `train.start`."""
        return self.op.partition(".")[0]

    @property
    def verb(self) -> str:
        """`start` or `stop`."""
        return self.op.partition(".")[2]

    @classmethod
    def well_formed(cls, field: str, value: str) -> bool:
        """Whether `value` could stand in the text field `field`: only then may an error echo it."""
        pattern = next(m.pattern for m in cls.model_fields[field].metadata if isinstance(m, StringConstraints))
        return isinstance(pattern, str) and re.fullmatch(pattern.rstrip("$"), value) is not None


class StatsQuery(Request):
    """Which statistics: with no key all; where any is true exactly those; otherwise all but those named false."""

    cpus: bool | None = None
    gpus: bool | None = None
    disks: bool | None = None
    containers: bool | None = None


class StatsRequest(Request):
    """`POST /k12ai/platform/stats`. `password` is looked at only where the operator made password users."""

    model_config = ConfigDict(
        json_schema_extra={  # an asynchronous answer is pushed to somebody
            "anyOf": [
                {"properties": {"async": {"const": False}}},
                {"properties": {"username": {"type": "string"}}, "required": ["username"]},
            ]
        }
    )

    username: Annotated[str, StringConstraints(max_length=64)] | None = None
    password: Annotated[SecretStr, Field(max_length=1024)] | None = None
    asynchronous: bool = Field(default=False, alias="async")
    query: StatsQuery = StatsQuery()


class ChannelStatsRequest(StatsRequest):
    """`stats` over the channel; `every` (seconds) streams them until the id is unsubscribed."""

    every: Annotated[float, Field(ge=0.2, le=3600)] | None = None


class SessionRequest(Request):
    """`POST /k12ai/session`: a token, or a password user's name and password."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["token"],
                    "properties": {
                        "token": {"type": "string"},
                        "username": {"type": "null"},
                        "password": {"type": "null"},
                    },
                },
                {
                    "required": ["username", "password"],
                    "properties": {
                        "token": {"type": "null"},
                        "username": {"type": "string"},
                        "password": {"type": "string"},
                    },
                },
            ]
        }
    )

    token: Annotated[SecretStr, Field(max_length=256)] | None = None
    username: Annotated[str, StringConstraints(max_length=64)] | None = None
    password: Annotated[SecretStr, Field(max_length=1024)] | None = None


class FilterRequest(Request):
    """The filter of a subscription, as the wire spells it."""

    user: Identifier | None = None
    service_uuid: Identifier | None = None
    service_name: Name | None = None
    job_id: Identifier | None = None
    tag: Annotated[list[Literal["framework", "platform"]], Field(min_length=1, max_length=8)] | None = None
    type: (
        Annotated[
            list[Literal["status", "metrics", "progress", "log", "error", "info"]], Field(min_length=1, max_length=8)
        ]
        | None
    ) = None

    @property
    def values(self) -> int:
        """How many values stand in its lists."""
        return len(self.tag or ()) + len(self.type or ())

    def as_filter(self) -> EventFilter:
        """The same, as the store and the hub take it."""
        return EventFilter(
            user=self.user,
            service_uuid=self.service_uuid,
            service_name=self.service_name,
            job_id=self.job_id,
            tags=frozenset(self.tag) if self.tag is not None else None,
            types=frozenset(self.type) if self.type is not None else None,
        )


class SubscribeRequest(Request):
    """`subscribe`. `after`: a seq (strictly after it), `start` or `now`; with a seq, `epoch` may name its log."""

    filter: FilterRequest = FilterRequest()
    after: Seq | Literal["start", "now"] = "now"
    epoch: Annotated[str, StringConstraints(max_length=64)] | None = None

    @field_validator("after", mode="before")
    @classmethod
    def _seq_or_word(cls, value: object) -> object:
        # Before the union, whose own errors name its branches (`after.constrained-int`) instead of the field.
        if value in ("start", "now") or (type(value) is int and 0 <= value <= MAX_SEQ):
            return value
        raise ValueError("give a seq (an integer of 0 or more), or 'start', or 'now'")


class Empty(Request):
    """A request without fields of its own: `unsubscribe`, `ping`."""


def fields_of(error: ValidationError, root: Sequence[str | int] = ()) -> list[dict[str, Json]]:
    """pydantic's errors as the contract's `detail.fields`: `[{loc, msg, type}]`, loc as a dotted path.

    The client chose the names of unknown fields and how many there are: both are bounded, and what is cut is said.
    """
    errors = error.errors(include_url=False, include_input=False)
    fields = [
        {"loc": _cut(".".join(str(p) for p in (*root, *e["loc"])), MAX_LOC), "msg": _cut(_words(e), MAX_MSG)}
        | {"type": e["type"]}
        for e in errors[:MAX_FIELDS]
    ]
    if len(errors) > MAX_FIELDS:
        fields.append({"loc": "", "msg": f"{len(errors) - MAX_FIELDS} more errors are not shown", "type": "truncated"})
    return fields


def _words(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":  # a check of our own: its words, without pydantic's prefix
        return str(context["error"])
    rule = RULES.get(context.get("pattern", "")) if kind == "string_pattern_mismatch" else None
    return f"must be {rule}" if rule else error["msg"]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def message_of(fields: Sequence[Mapping[str, Json]]) -> str:
    """One sentence that names the first fields at fault."""
    shown = "; ".join(f"{f['loc'] or 'request'}: {f['msg']}" for f in fields[:3])
    return shown + (f"; and {len(fields) - 3} more" if len(fields) > 3 else "")


R = TypeVar("R", bound=BaseModel)


def validate(model: type[R], data: Mapping[str, Any]) -> R:
    """`data` as a `model`, or a Refusal: 100101 where keys are missing, 100102 where values are wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as e:
        fields = fields_of(e)
        missing = all(f["type"] == "missing" for f in fields)
        raise refuse(Code.KEY_MISSING if missing else Code.VALUE_INVALID, message_of(fields), fields=fields) from None
