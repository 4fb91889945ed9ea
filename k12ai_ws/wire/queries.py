"""The queries of the URLs that have one, as types: validated as the other requests are."""

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from .requests import CURSOR, MAX_SEQ, TYPES, Identifier, Name, Request, Seq
from .status import JobStatus


class JobsQuery(Request):
    """The query of `GET /k12ai/framework/jobs`. `cursor` is what the page before gave as `next`."""

    user: Identifier | None = None
    service_uuid: Identifier | None = None
    service_name: Name | None = None
    status: JobStatus | None = Field(default=None, strict=False)
    limit: Annotated[int, Field(ge=1, le=500, strict=False)] = 50
    cursor: Annotated[str, StringConstraints(pattern=CURSOR)] | None = None


class EventsQuery(Request):
    """The query of `GET /k12ai/framework/jobs/{job_id}/events`. `type` is a comma-separated list.

    `after` is a seq (strictly after it), `start` or `now`; what it is by default, each address says.
    """

    after: Seq | Literal["start", "now"] | None = None
    epoch: Annotated[str, StringConstraints(max_length=64)] | None = None
    type: str | None = Field(default=None, json_schema_extra={"pattern": TYPES})
    limit: Annotated[int, Field(ge=1, le=1000, strict=False)] = 500

    @field_validator("after", mode="before")
    @classmethod
    def _digits_or_word(cls, value: object) -> object:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value) and int(value) <= MAX_SEQ:
            return int(value)
        if value in (None, "start", "now"):
            return value
        raise PydanticCustomError("seq_or_word", f"must be a seq (digits, at most {MAX_SEQ}), start, or now")

    @field_validator("type")
    @classmethod
    def _known_types(cls, value: str | None) -> str | None:
        known = ("status", "metrics", "progress", "log", "error", "info")
        for name in value.split(",") if value is not None else ():
            if name not in known:
                raise ValueError(f"{name!r} is no event type; give one or more of {', '.join(known)}")
        return value

    @property
    def types(self) -> frozenset[str] | None:
        """The event types asked for, or None."""
        return frozenset(self.type.split(",")) if self.type is not None else None

    @property
    def values(self) -> int:
        """How many values stand in its lists."""
        return 0 if self.type is None else self.type.count(",") + 1


class AllEventsQuery(EventsQuery):
    """The query of `GET /k12ai/events`: the events of all jobs, or of those that match."""

    user: Identifier | None = None
    service_uuid: Identifier | None = None
    service_name: Name | None = None
    job_id: Identifier | None = None
