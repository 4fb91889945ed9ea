"""What a client raises. Everything derives from `ClientError`, and every text says what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from k12ai_ws.wire.codes import Code

from .message import Message


class ClientError(Exception):
    """Base of all."""


class Unreachable(ClientError):
    """No server answers at the address: nothing listens there, the name is unknown, or the time ran out."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"no server can be reached at {address}: {why}")
        self.address = address
        self.why = why


class ProtocolError(ClientError):
    """Something answers at the address, but not as a server of this contract."""


class JobOver(ClientError):
    """The job that was to be stopped has ended already, with `status`."""

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(f"job {job_id} has ended already: {status}")
        self.job_id = job_id
        self.status = status


class Refused(ClientError):
    """The server refused the request or failed at it. `envelope` is its whole answer."""

    def __init__(self, envelope: Message, http_status: int | None = None) -> None:
        self.envelope = envelope
        self.http_status = http_status
        super().__init__(self.message or self.descr)

    @property
    def code(self) -> int:
        """The contract's code."""
        code = self.envelope.body.get("code")
        return code if isinstance(code, int) else int(Code.UNKNOWN)

    @property
    def descr(self) -> str:
        """What the code means, in the language asked for."""
        return str(self.envelope.body.get("descr", ""))

    @property
    def message(self) -> str | None:
        """What was wrong this time, and what would be right."""
        message = self.envelope.body.get("message")
        return message if isinstance(message, str) else None

    @property
    def detail(self) -> Mapping[str, Any]:
        """The error's detail."""
        detail = self.envelope.body.get("detail")
        return detail if isinstance(detail, Mapping) else {}

    @property
    def fields(self) -> Sequence[Mapping[str, Any]]:
        """The fields at fault, each `{loc, msg, type}`; empty where it was no field's fault."""
        fields = self.detail.get("fields")
        return [f for f in fields if isinstance(f, Mapping)] if isinstance(fields, list) else []


class Invalid(Refused):
    """The request is malformed, or a value in it is wrong (1001xx, 1002xx answered with HTTP 400, 413 or 426)."""


class NotFound(Refused):
    """There is no such service, job or route, or the job is not running (100201, 100205)."""


class Conflict(Refused):
    """A job of this user and service_uuid is active already (100204); `detail["job_id"]` names it."""


class TooMany(Refused):
    """Too many requests, connections or queued jobs (100108, 100210): try again later."""


class Pruned(Refused):
    """The events asked for are no longer kept (100107); `detail` has `epoch`, `earliest` and `head`."""


class NotAllowed(Refused):
    """Not authenticated (100105), or not allowed (100106)."""


class ServerFailed(Refused):
    """The server itself failed (its log says how), or the container engine did (100203)."""


_KINDS: Mapping[int, type[Refused]] = {
    Code.NOT_FOUND: NotFound,
    Code.SERVICE_NOT_FOUND: NotFound,
    Code.ALREADY_RUNNING: Conflict,
    Code.TOO_MANY: TooMany,
    Code.QUEUE_FULL: TooMany,
    Code.EVENTS_PRUNED: Pruned,
    Code.NOT_AUTHENTICATED: NotAllowed,
    Code.NOT_ALLOWED: NotAllowed,
    Code.START_FAILED: ServerFailed,
    Code.ENGINE_FAILED: ServerFailed,
    Code.UNKNOWN: ServerFailed,
}


def refusal(envelope: Message, http_status: int | None = None) -> Refused:
    """The exception for an answer of type `error`."""
    code = envelope.body.get("code")
    kind = _KINDS.get(code) if isinstance(code, int) else ServerFailed
    return (kind or Invalid)(envelope, http_status)
