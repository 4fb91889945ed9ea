"""`/k12ai/session`: a page's login, its end, and who is logged in."""

from datetime import UTC, datetime

from k12ai_ws.access.credentials import Credentials, cookie_name
from k12ai_ws.access.principal import Kind, Principal
from k12ai_ws.wire.bodies import Info, Json
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.envelope import rfc3339
from k12ai_ws.wire.objects import parse_object
from k12ai_ws.wire.requests import SessionRequest, refuse, validate

from .context import Answer
from .entry import is_secure
from .origins import CSRF_HEADER
from .rest import SMALL, RestHandler


class SessionHandler(RestHandler):
    """A session is the server's: the cookie holds a random secret, and nothing else. It can be revoked."""

    tag = "platform"
    op = "session"
    body_bytes = SMALL

    def takes_strangers(self) -> bool:
        """To log in."""
        return self.request.method == "POST"

    async def get(self) -> None:
        """`info.session`: who calls."""
        self.reply_body(Info({"session": self._shown(self.principal)}))

    async def post(self) -> None:
        """Makes a session and sets its cookie."""
        await self.guarded(self._post())

    async def _post(self) -> Answer:
        request = validate(SessionRequest, parse_object(self.body))
        gate = self.context.gate
        if request.token is not None and request.username is None and request.password is None:
            principal = gate.authenticate(Credentials(token=request.token.get_secret_value()), self.caller)
            if principal is None or principal.kind is Kind.LOCAL:
                raise refuse(Code.NOT_AUTHENTICATED, "the token is wrong, expired or revoked")
        elif request.token is None and request.username is not None and request.password is not None:
            principal = await gate.login(request.username, request.password.get_secret_value(), self.caller)
        else:
            raise refuse(Code.KEY_MISSING, "give either `token`, or `username` and `password`")
        secure = is_secure(self.context, self.request)
        before = self.request.cookies.get(cookie_name(secure=secure))  # replaced by the new one
        text, session = await gate.open_session(principal, self.caller, None if before is None else before.value)
        self.set_cookie(
            cookie_name(secure=secure),
            text,
            path="/",
            expires=datetime.fromtimestamp(session.expires_ms / 1000, UTC),
            httponly=True,
            secure=secure,
            samesite="Strict",
        )
        opened = Principal(Kind.SESSION, session.id, session.user, session.admin)
        body = Info({"session": self._shown(opened)}, code=Code.SUCCESS)
        return Answer(self.context.message(body, tag=self.tag, op=self.op, language=self.language))

    async def delete(self) -> None:
        """Ends the session that the request came with."""
        await self.guarded(self._delete())

    async def _delete(self) -> Answer:
        if self.principal.kind is not Kind.SESSION:
            raise refuse(Code.NOT_FOUND, "this request came with no session's cookie: there is none to end")
        await self.context.gate.end_session(self.caller)
        secure = is_secure(self.context, self.request)
        self.clear_cookie(cookie_name(secure=secure), path="/", httponly=True, secure=secure, samesite="Strict")
        body = Info(code=Code.SUCCESS)
        return Answer(self.context.message(body, tag=self.tag, op=self.op, language=self.language))

    def _shown(self, principal: Principal) -> dict[str, Json]:
        session = self.context.gate.session(principal)
        ends = (
            {} if session is None else {"expires": session.expires_ms, "expires_datetime": rfc3339(session.expires_ms)}
        )
        return principal.to_json() | {"csrf_header": CSRF_HEADER} | ends
