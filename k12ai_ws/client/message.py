"""One envelope of the contract, as a client sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.status import TERMINAL

_TERMINAL = frozenset(status.value for status in TERMINAL)
_MARKS = ("type", "tag", "op", "timestamp")


class NotAnEnvelope(ValueError):
    """The bytes are no message of the contract."""


@dataclass(frozen=True, slots=True)
class Message:
    """An answer or an event. `data` is the whole envelope as it came; the rest are its fields by name."""

    data: Mapping[str, Any]

    @classmethod
    def parse(cls, raw: bytes | str) -> "Message":
        """The envelope in `raw`. Raises NotAnEnvelope for anything else."""
        try:
            data = orjson.loads(raw)
        except ValueError as e:
            raise NotAnEnvelope(f"not JSON: {e}") from e
        if not isinstance(data, dict) or not all(mark in data for mark in _MARKS):
            raise NotAnEnvelope(f"no envelope: it needs {', '.join(_MARKS)}")
        if not isinstance(data["type"], str) or not isinstance(data.get(data["type"]), dict):
            raise NotAnEnvelope(f"no envelope: the body that type {data['type']!r} names is missing")
        return cls(data)

    @property
    def type(self) -> str:
        """`status`, `metrics`, `progress`, `log`, `error` or `info`."""
        return str(self.data["type"])

    @property
    def body(self) -> Mapping[str, Json]:
        """The body, from under the key that `type` names."""
        body: Mapping[str, Json] = self.data[self.type]
        return body

    @property
    def tag(self) -> str:
        """`framework`, `platform` or `channel`."""
        return str(self.data["tag"])

    @property
    def op(self) -> str:
        """The operation it answers or belongs to."""
        return str(self.data["op"])

    @property
    def user(self) -> str:
        """Whose job it is; empty where it is about none."""
        return str(self.data.get("user", ""))

    @property
    def service_uuid(self) -> str:
        """The project that the job belongs to; empty where it is about none."""
        return str(self.data.get("service_uuid", ""))

    @property
    def service_name(self) -> str:
        """The service that runs the job; empty where it is about none."""
        return str(self.data.get("service_name", ""))

    @property
    def job_id(self) -> str:
        """The job; empty where it is about none."""
        return str(self.data.get("job_id", ""))

    @property
    def seq(self) -> int | None:
        """The place of a stored event in the server's log; None for what is not stored. With an `id` it is an answer,
        not an event of a subscription: it says nothing of what came before it.
        """
        seq = self.data.get("seq")
        return seq if isinstance(seq, int) else None

    @property
    def id(self) -> str | None:
        """The `id` of the channel request that it answers."""
        name = self.data.get("id")
        return name if isinstance(name, str) else None

    @property
    def ends_job(self) -> bool:
        """Whether it is the last event of its job: a terminal status."""
        return self.type == "status" and self.body.get("value") in _TERMINAL
