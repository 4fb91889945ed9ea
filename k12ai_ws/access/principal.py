"""Who calls: the outcome of an authentication, and the call that it belongs to."""

from dataclasses import dataclass
from enum import StrEnum

from k12ai_ws.wire.bodies import Json


class Kind(StrEnum):
    """How a caller made itself known."""

    LOCAL = "local"
    TOKEN = "token"  # noqa: S105 - a word of the audit log
    SESSION = "session"
    PASSWORD = "password"  # noqa: S105 - likewise


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller who is known. `id` is public: a token's or a session's id, a user's name, or `local`.

    `user` is whose jobs it may see and touch; an `admin` may those of all, and need not be a user.
    """

    kind: Kind
    id: str
    user: str | None
    admin: bool = False

    def to_json(self) -> dict[str, Json]:
        """For the audit log and `GET /k12ai/session`."""
        return {"by": self.kind.value, "id": self.id, "user": self.user, "admin": self.admin}


LOCAL = Principal(Kind.LOCAL, "local", None, admin=True)
"""Everyone on this machine, where no token is needed."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One call: who (None: nobody known, where that is allowed), from which address, and the request's id."""

    principal: Principal | None
    address: str = ""
    request_id: str | None = None
