"""A page's sessions: the cookie's text, and what is kept of it."""

import re

from .book import Session, User
from .principal import Kind, Principal
from .tokens import digest, new_id, new_secret

COOKIE = re.compile(r"([a-z0-9]{12})\.([A-Za-z0-9_-]{43})")


def split_session(text: str) -> tuple[str, str] | None:
    """(id, secret) of a cookie's text; None for what cannot be one."""
    found = COOKIE.fullmatch(text)
    return (found[1], found[2]) if found else None


def new_session(principal: Principal, user: User | None, now_ms: int, lasts_s: float) -> tuple[str, Session]:
    """The cookie's text, and the session that is kept. `user` is the password user who logged in, if it was one."""
    session_id, secret = new_id(), new_secret()
    session = Session(
        id=session_id,
        digest=digest(secret),
        user=principal.user,
        admin=principal.admin,
        token_id=principal.id if principal.kind is Kind.TOKEN else None,
        user_since=user.changed_ms if user is not None else None,
        created_ms=now_ms,
        expires_ms=now_ms + int(lasts_s * 1000),
    )
    return f"{session_id}.{secret}", session
