"""The one object that the doors ask: who is this, may it come in now, and is it still welcome."""

import logging
from collections.abc import Callable

from k12ai_ws.settings import AccessSettings
from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import Refusal, refuse

from .addresses import Proxies, counted_as
from .audit import Audit
from .book import Session, User
from .credentials import Credentials
from .keyring import KeyRing
from .passwords import PasswordChecker
from .principal import LOCAL, Caller, Kind, Principal
from .rates import Buckets, whole_seconds
from .redaction import Redaction
from .sessions import new_session, split_session
from .tokens import digest, same, split_token

HOW = (
    "send a token as `Authorization: Bearer TOKEN` (`k12ai token create` on the server's machine makes one; the k12ai "
    "command takes it from K12AI_TOKEN or --token-file)"
)

log = logging.getLogger(__name__)


class Gate:
    """Lives on the event loop. `exposed`: the server listens where other machines reach it."""

    def __init__(
        self,
        settings: AccessSettings,
        keys: KeyRing,
        audit: Audit,
        *,
        proxies: Proxies,
        exposed: bool,
        clock_ms: Callable[[], int],
        now: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.audit = audit
        self.exposed = exposed
        self.proxies = proxies
        self.redaction = Redaction(settings.redact)
        self._keys = keys
        self._clock_ms = clock_ms
        self._passwords = PasswordChecker()
        self._callers = Buckets(settings.requests_per_s, settings.request_burst, now)
        self._addresses = Buckets(settings.address_requests_per_s, settings.address_request_burst, now)
        per_s = settings.failures_per_minute / 60
        self._failures = Buckets(per_s, settings.failures_per_minute, now)
        self._watched: dict[object, tuple[Principal, Callable[[], None]]] = {}
        keys.on_change(self._look_again)

    @property
    def needs_token(self) -> bool:
        """Whether a request that shows nothing is refused."""
        if self.settings.mode != "auto":
            return self.settings.mode == "required"
        return self.exposed or bool(self.proxies) or self._keys.book.locked

    @property
    def has_users(self) -> bool:
        """Whether the operator configured password users: only then passwords are looked at."""
        return bool(self._keys.book.users)

    def close(self) -> None:
        """Checks no more passwords."""
        self._passwords.close()

    # ---- coming in

    def authenticate(self, given: Credentials, caller: Caller) -> Principal | None:
        """Who shows this. None: nobody, and one must be. Raises Refusal: 100105 for a wrong token or a session that is
        over, 100108 where wrong tokens come too often.
        """
        if given.token is not None:
            principal = self._of_token(given.token)
            if principal is None and (self.needs_token or split_token(given.token)):
                raise self._failed(caller, "the token is wrong, expired or revoked: " + HOW)
            if principal is not None:
                return principal
        if given.session is not None:
            principal = self._of_session(given.session)
            if principal is not None:
                return principal
            if self.needs_token:
                raise refuse(Code.NOT_AUTHENTICATED, "the session is over: log in again (POST /k12ai/session)")
        return None if self.needs_token else LOCAL

    def _of_token(self, text: str) -> Principal | None:
        parts = split_token(text)
        token = self._keys.book.tokens.get(parts[0]) if parts else None
        if parts is None or token is None or not same(digest(parts[1]), token.digest):
            return None
        if not token.is_good(self._clock_ms()):
            return None
        self._keys.used(token.id)
        return Principal(Kind.TOKEN, token.id, token.user, token.user is None)

    def _of_session(self, text: str) -> Principal | None:
        parts = split_session(text)
        session = self._keys.book.sessions.get(parts[0]) if parts else None
        if parts is None or session is None or not same(digest(parts[1]), session.digest):
            return None
        if not self._keys.book.session_is_good(session, self._clock_ms()):
            return None
        return Principal(Kind.SESSION, session.id, session.user, bool(session.admin))

    async def login(self, username: str, password: str, caller: Caller) -> Principal:
        """The password user. Raises Refusal: 100105 for a wrong name or password, the same for both; 100108 where they
        come too often from one address or for one name.
        """
        keys = (f"password {counted_as(caller.address)}", f"user {username[:64]}")
        for key in keys:
            if wait := self._failures.take(key):
                raise self._too_many("wrong passwords (access.failures_per_minute)", wait)
        user = self._keys.book.users.get(username)
        good = await self._passwords.check(password, None if user is None else user.hash)
        if user is None or not good or self._keys.book.users.get(username) != user:
            self.audit.record("authenticate", "denied", caller, code=int(Code.NOT_AUTHENTICATED), user=username)
            raise refuse(Code.NOT_AUTHENTICATED, "the user's name or the password is wrong")
        for key in keys:
            self._failures.give(key)
        return Principal(Kind.PASSWORD, user.name, user.name, user.admin)

    def _failed(self, caller: Caller, text: str) -> Refusal:
        if wait := self._failures.take(f"token {counted_as(caller.address)}"):
            return self._too_many("wrong tokens (access.failures_per_minute)", wait)
        self.audit.record("authenticate", "denied", caller, code=int(Code.NOT_AUTHENTICATED))
        return refuse(Code.NOT_AUTHENTICATED, text)

    def missing(self) -> Refusal:
        """What is said to whoever shows nothing."""
        return refuse(Code.NOT_AUTHENTICATED, "this server wants to know who calls: " + HOW)

    # ---- how often

    def knock(self, address: str) -> None:
        """A request came from there. Raises Refusal (100108) where too many do; counts only where tokens are needed."""
        if self.needs_token and (wait := self._addresses.take(counted_as(address))):
            raise self._too_many("requests from this address (access.address_requests_per_s)", wait)

    def spend(self, principal: Principal) -> None:
        """A request or a frame of this caller. Raises Refusal (100108) where too many come."""
        if principal.kind is not Kind.LOCAL and (wait := self._callers.take(f"{principal.kind} {principal.id}")):
            raise self._too_many("requests of this caller (access.requests_per_s)", wait)

    @staticmethod
    def _too_many(what: str, wait: float) -> Refusal:
        seconds = whole_seconds(wait)
        return refuse(Code.TOO_MANY, f"too many {what}: try again in {seconds} s", retry_after_s=seconds)

    # ---- staying

    def holds(self, principal: Principal) -> bool:
        """Whether a caller who came in is still welcome."""
        book, now = self._keys.book, self._clock_ms()
        match principal.kind:
            case Kind.LOCAL:
                return not self.needs_token
            case Kind.TOKEN:
                return book.token_is_good(principal.id, now)
            case Kind.SESSION:
                session = book.sessions.get(principal.id)
                return session is not None and book.session_is_good(session, now)
            case Kind.PASSWORD:
                return principal.id in book.users

    def watch(self, principal: Principal, end: Callable[[], None]) -> Callable[[], None]:
        """Calls `end` once, should the caller's token or session expire or be revoked. Returns what ends the watch."""
        key = object()
        self._watched[key] = (principal, end)
        if not self.holds(principal):  # it ended while the connection was being made
            self._look_again()
        return lambda: self._watched.pop(key, None) and None

    def _look_again(self) -> None:
        good: dict[Principal, bool] = {}
        for key, (principal, end) in tuple(self._watched.items()):
            if principal not in good:
                good[principal] = self.holds(principal)
            if not good[principal]:
                self._watched.pop(key, None)
                try:
                    end()
                except Exception:
                    log.exception("a connection of %s could not be ended", principal.id)

    # ---- sessions

    async def open_session(self, principal: Principal, caller: Caller, before: str | None) -> tuple[str, Session]:
        """A session for a page: the cookie's text, and what is kept. The one of the cookie that the page had `before`
        ends. Raises AccessError.
        """
        user: User | None = self._keys.book.users.get(principal.id) if principal.kind is Kind.PASSWORD else None
        text, session = new_session(principal, user, self._clock_ms(), self.settings.session_s)
        await self._keys.change(lambda file: file.add_session(session, self.settings.max_sessions))
        opened = Caller(principal, caller.address, caller.request_id)
        self.audit.record("session.create", "ok", opened, session=session.id)
        old = self._of_session(before) if before is not None else None
        if old is not None:
            await self.end_session(Caller(old, caller.address, caller.request_id))
        return text, session

    async def end_session(self, caller: Caller) -> None:
        """Ends the caller's session, and its connections. Raises AccessError."""
        principal = caller.principal
        if principal is not None and principal.kind is Kind.SESSION:
            await self._keys.change(lambda file: file.remove_session(principal.id))
            self.audit.record("session.delete", "ok", caller, session=principal.id)

    def session(self, principal: Principal) -> Session | None:
        """The session that the caller came with."""
        return self._keys.book.sessions.get(principal.id) if principal.kind is Kind.SESSION else None

    # ---- what is written down

    def denied(self, caller: Caller, op: str, code: int, **facts: Json) -> None:
        """Notes that a request was not allowed; of strangers not more than of wrong tokens."""
        if caller.principal is None and self._failures.take(f"denied {counted_as(caller.address)}"):
            return
        self.audit.record(op, "denied", caller, code=int(code), **facts)
