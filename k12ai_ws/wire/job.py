"""The record of a job: what was asked, where it is in its life, and how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .bodies import Json
from .codes import Language
from .status import JobStatus, Reason

MAX_LOG_RULES = 50
"""Most rules for its log that a request may bring."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a job's process ended, as its launcher saw it.

    `exit_code` is None where a signal ended it; `signal` is the signal's number. `lost` says that nobody saw the end.
    `timed_out` and `stop_delivered` say what the launcher itself did before the end. `engine_failed` says that the
    engine ended the run, by its own end or fault. `message` explains an end that the job did not choose: a command
    that could not be run (`command_not_found`), memory that ran out, an engine that failed.
    """

    exit_code: int | None = None
    signal: int | None = None
    oom_killed: bool = False
    timed_out: bool = False
    stop_delivered: bool = False
    command_not_found: bool = False
    lost: bool = False
    engine_failed: bool = False
    started_ms: int | None = None
    ended_ms: int | None = None
    message: str | None = None


NEVER_STORED = frozenset({"secrets"})
"""Fields of a job's record that no file holds."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job. Frozen: a step of its life makes a new record. Times are milliseconds since the epoch, UTC.

    `log_rules` are the request's rules for its log, `configured_rules` the operator's at the time of the start: a
    restarted server reads on with the same. None: there are none.

    `secrets` are texts among `params` that no event may tell (the job itself gets them), longest first. They are found
    anew in `params` when a job is taken up, and stand in no stored record, which is written again and again.
    """

    job_id: str
    user: str
    service_uuid: str
    service_name: str
    task: str
    params: Mapping[str, Json]
    created_ms: int
    language: Language = "en"
    status: JobStatus = JobStatus.QUEUED
    code: int = 0
    reason: Reason | None = None
    message: str | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    oom_killed: bool | None = None
    requested_by: str | None = None
    stop_requested_ms: int | None = None
    handle: Mapping[str, Json] | None = None
    launcher: str | None = None
    resources: Mapping[str, Json] = field(default_factory=dict)
    last_metrics: Mapping[str, Json] | None = None
    last_progress: Mapping[str, Json] | None = None
    last_error: Mapping[str, Json] | None = None
    idempotency_key: str | None = None
    request_digest: str | None = None
    log_rules: Sequence[Json] | None = None
    configured_rules: Sequence[Json] | None = None
    secrets: Sequence[str] = ()

    @property
    def op(self) -> str:
        """The operation its events belong to: `train.start`."""
        return f"{self.task}.start"

    @property
    def key(self) -> tuple[str, str]:
        """What only one active job may hold: (user, service_uuid)."""
        return (self.user, self.service_uuid)

    def to_json(self) -> dict[str, Json]:
        """Every field but `secrets`, as JSON values."""
        out = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in NEVER_STORED}
        return out | {"status": self.status.value, "reason": self.reason and self.reason.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobRecord":
        """The inverse of `to_json`; keys of a newer version are dropped."""
        known = {k: v for k, v in data.items() if k in cls.__dataclass_fields__}
        known["status"] = JobStatus(known["status"])
        known["reason"] = Reason(known["reason"]) if known.get("reason") else None
        return cls(**known)
