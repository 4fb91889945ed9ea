"""The bodies of the contract: what an event or an answer says, under the key that its type names.

`metrics`, `progress`, `log` and `error` come out of a job's log; `status` out of its life; `info` answers requests.
Each class knows its envelope `type` and turns itself into the JSON object of the contract.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from .codes import Code, Language, describe
from .status import JobStatus, Reason

Severity = Literal["error", "warning"]
Stream = Literal["stdout", "stderr"]
Json = Any
"""A value that JSON can carry: None, bool, int, float, str, list or dict of these."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Named numbers that a job reported at one moment; positions (`epoch`, `step`) sit beside them.

    A value is a finite number, or None where the log showed NaN or an infinity.
    """

    type: ClassVar[str] = "metrics"
    values: Mapping[str, float | None]

    def body(self, language: Language = "en") -> dict[str, Json]:
        """name -> number or null."""
        return dict(self.values)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a piece of work is: `value` in 0..1, `current` of `total` in `unit`, `eta_s` in seconds, `rate` in units
    per second. Where the bar does not know its end, `total` is None and `value` 0.
    """

    type: ClassVar[str] = "progress"
    value: float
    current: float | None = None
    total: float | None = None
    unit: str | None = None
    desc: str | None = None
    eta_s: float | None = None
    rate: float | None = None

    def body(self, language: Language = "en") -> dict[str, Json]:
        """The contract's progress object; optional fields are left out where unknown."""
        out: dict[str, Json] = {"value": self.value, "current": self.current, "total": self.total}
        out |= {k: v for k in ("unit", "desc", "eta_s", "rate") if (v := getattr(self, k)) is not None}
        return out


@dataclass(frozen=True, slots=True)
class LogLines:
    """Lines as they were printed, without line ends; `truncated` counts bytes that a bound cut away."""

    type: ClassVar[str] = "log"
    stream: Stream
    lines: Sequence[str]
    truncated: int = 0

    def body(self, language: Language = "en") -> dict[str, Json]:
        """`{stream, lines}`, and `truncated` (bytes) where something was cut."""
        out: dict[str, Json] = {"stream": self.stream, "lines": list(self.lines)}
        if self.truncated:
            out["truncated"] = self.truncated
        return out


@dataclass(frozen=True, slots=True)
class Fault:
    """Something went wrong: an answer to a bad request, or an error that a job's log or end shows.

    `detail` holds the contract's error detail (`exc_type`, `exc_text`, `traceback`, `chain`, ... or `fields`).
    """

    type: ClassVar[str] = "error"
    code: int
    message: str | None = None
    severity: Severity = "error"
    detail: Mapping[str, Json] = field(default_factory=dict)

    def body(self, language: Language = "en") -> dict[str, Json]:
        """The contract's error object."""
        out: dict[str, Json] = {"code": int(self.code), "descr": describe(self.code, language)}
        if self.message is not None:
            out["message"] = self.message
        return out | {"severity": self.severity, "detail": dict(self.detail)}


@dataclass(frozen=True, slots=True)
class Status:
    """A step of a job's life. A terminal one is the job's last event."""

    type: ClassVar[str] = "status"
    value: JobStatus
    code: int
    exit_code: int | None = None
    signal: int | None = None
    oom_killed: bool | None = None
    reason: Reason | None = None
    requested_by: str | None = None
    message: str | None = None

    def body(self, language: Language = "en") -> dict[str, Json]:
        """The contract's status object; what is not known is left out."""
        out: dict[str, Json] = {
            "value": self.value.value,
            "code": int(self.code),
            "descr": describe(self.code, language),
        }
        for key in ("exit_code", "signal", "oom_killed", "reason", "requested_by", "message"):
            value = getattr(self, key)
            if value is not None:
                out[key] = value
        return out


@dataclass(frozen=True, slots=True)
class Info:
    """An answer whose content is free by op; a plain acknowledgement says `{code, descr}` alone."""

    type: ClassVar[str] = "info"
    content: Mapping[str, Json] = field(default_factory=dict)
    code: int | None = None

    def body(self, language: Language = "en") -> dict[str, Json]:
        """`{code, descr}` where a code is set, then the content."""
        head = {} if self.code is None else {"code": int(self.code), "descr": describe(self.code, language)}
        return head | dict(self.content)


LogEvent = Metrics | Progress | LogLines | Fault
"""What reading a log can give."""

Body = LogEvent | Status | Info

ACKNOWLEDGED = Info(code=Code.SUCCESS)
