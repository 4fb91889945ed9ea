"""Who is known: one immutable picture of the access file, looked things up in without a wait."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from k12ai_ws.wire.bodies import Json


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token. `user` None: an admin's. Times in milliseconds since the epoch."""

    id: str
    digest: bytes
    user: str | None
    note: str
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None
    used_ms: int | None = None

    def is_good(self, now_ms: int) -> bool:
        """Whether it lets somebody in now."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)

    def state(self, now_ms: int) -> str:
        """`active`, `revoked` or `expired`."""
        return "revoked" if self.revoked_ms is not None else "active" if self.is_good(now_ms) else "expired"

    def to_json(self, now_ms: int) -> dict[str, Json]:
        """All that may be shown."""
        return {
            "id": self.id,
            "user": self.user,
            "admin": self.user is None,
            "note": self.note,
            "state": self.state(now_ms),
            "created": self.created_ms,
            "expires": self.expires_ms,
            "last_used": self.used_ms,
        }


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a password; `hash` is a slow one. `changed_ms`: when the password was set."""

    name: str
    hash: str
    admin: bool
    changed_ms: int


@dataclass(frozen=True, slots=True)
class Session:
    """A page's session. It ends with what opened it: `token_id`, or the password of `user` as of `user_since`."""

    id: str
    digest: bytes
    user: str | None
    admin: bool
    token_id: str | None
    user_since: int | None
    created_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Book:
    """`locked`: a token or a user was made once, so from then on one is needed, also where none is good any more."""

    locked: bool = False
    tokens: Mapping[str, Token] = field(default_factory=dict)
    users: Mapping[str, User] = field(default_factory=dict)
    sessions: Mapping[str, Session] = field(default_factory=dict)

    def token_is_good(self, token_id: str, now_ms: int) -> bool:
        """Whether the token with this id lets somebody in now."""
        token = self.tokens.get(token_id)
        return token is not None and token.is_good(now_ms)

    def session_is_good(self, session: Session, now_ms: int) -> bool:
        """Whether a session is still there, and so is what opened it."""
        if self.sessions.get(session.id) is None or now_ms >= session.expires_ms:
            return False
        if session.token_id is not None:
            return self.token_is_good(session.token_id, now_ms)
        user = self.users.get(session.user or "")
        return user is not None and user.changed_ms == session.user_since

    def lets_anybody_in(self, now_ms: int) -> bool:
        """Whether there is a token or a user that is good now."""
        return bool(self.users) or any(token.is_good(now_ms) for token in self.tokens.values())

    def next_end(self, now_ms: int) -> int | None:
        """When the next token or session ends by itself."""
        ends = [t.expires_ms for t in self.tokens.values() if t.expires_ms is not None and t.revoked_ms is None]
        ends += [session.expires_ms for session in self.sessions.values()]
        return min((end for end in ends if end > now_ms), default=None)
