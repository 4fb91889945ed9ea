"""The base of the REST handlers: languages, limits, origins, and every error as an envelope."""

import asyncio
import hashlib
import logging
import re
from asyncio import Future
from collections.abc import Awaitable
from typing import Any, TypeVar

from pydantic import BaseModel
from tornado.iostream import IOStream
from tornado.web import HTTPError, stream_request_body

from k12ai_ws.access.principal import Caller, Principal
from k12ai_ws.wire.bodies import Body
from k12ai_ws.wire.codes import Code, Language
from k12ai_ws.wire.requests import Empty, Refusal, refuse, validate

from .context import Answer, Context
from .door import UNBOUNDED, lingering, unbounded
from .entry import enter, is_secure
from .identified import Identified
from .languages import preferred_language
from .operations import Operations
from .refused import refused_by_tornado
from .safety import ANSWERS, HSTS, cors, of_fault

Q = TypeVar("Q", bound=BaseModel)

RETRY_AFTER_S = {429: "2", 503: "5"}
"""When it is worth to ask again, by status: what is over its limit may be below it soon."""

SMALL = 16 << 10
"""Bytes of a body that strangers may send: reading JSON holds up everybody."""

MOST_DIGITS = 20
"""Of a Content-Length that are looked at: Python takes no more than some thousands for a number."""

log = logging.getLogger(__name__)


@stream_request_body
class RestHandler(Identified):
    """One request. Subclasses say their `tag` and `op`, whether their URL has a query, and answer through `reply`.

    `counted`: it takes a place among the requests. Those that an operator looks at a full server with do not.
    `body_bytes`: the most of a body, where `server.max_body_bytes` allows more.
    """

    tag = "framework"
    op = ""
    has_query = False
    counted = True
    body_bytes = UNBOUNDED

    def initialize(self, context: Context, operations: Operations) -> None:
        """Tornado's own way of handing a handler what it works with."""
        self.context = context
        self.operations = operations
        self.identify(context.new_id)
        self._entered: str | None = None  # the address whose place among the requests this one has
        self._body_due: asyncio.TimerHandle | None = None
        self._working = False
        self._body: list[bytes] = []
        self._size = 0
        self.fault_user = ""
        self.fault_uuid = ""
        self.caller = Caller(None)
        self._set_own_headers()

    def takes_strangers(self) -> bool:
        """Whether it answers callers that nobody knows, too."""
        return False

    @property
    def principal(self) -> Principal:
        """Who calls; of a handler that takes no strangers."""
        if self.caller.principal is None:
            raise self.context.gate.missing()
        return self.caller.principal

    @property
    def language(self) -> Language:
        """The language that the request asks for."""
        return preferred_language(self.request.headers.get("Accept-Language"), self.context.settings.language)

    def set_default_headers(self) -> None:
        """JSON, never cached, never guessed at, and no word of the server's make."""
        self.clear_header("Server")
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        for name, value in ANSWERS.items():
            self.set_header(name, value)
        if hasattr(self, "context"):  # Tornado asks before it hands the context over, and again before an error
            self._set_own_headers()

    def _set_own_headers(self) -> None:
        allowed, preflight = self.context.settings.server.allowed_origins, self.request.method == "OPTIONS"
        for name, value in cors(self.request.headers.get("Origin"), allowed, preflight=preflight).items():
            self.set_header(name, value)
        if is_secure(self.context, self.request):
            self.set_header("Strict-Transport-Security", HSTS)

    def prepare(self) -> None:
        """Refuses, before the body is read, what may not be handled."""
        super().prepare()
        self.context.underway.begin(self)
        settings = self.context.settings
        status: int | None = None
        try:
            if self.counted:
                address = self.context.bounds.addresses.of(self.request)
                self.context.bounds.requests.enter(address)
                self._entered = address
            size, limit = len(self.request.query), settings.limits.max_query_bytes
            if size > limit:
                status = 414
                text = f"the URL's query has {size} bytes, and {limit} are allowed (limits.max_query_bytes)"
                raise refuse(Code.PAYLOAD_TOO_LARGE, text)
            stranger = self.request.method == "OPTIONS" or self.takes_strangers()
            self.caller = enter(self.context, self.request, self.request_id, stranger=stranger)
            if not self.has_query:
                self.query(Empty)
            declared = self.request.headers.get("Content-Length", "0")
            self._check_size(int(declared[:MOST_DIGITS]) if declared.isdigit() else 0)
        except Refusal as e:
            self._refused(e, status)
            return
        finally:
            unbounded(self.request)  # what is too large is answered here, and not cut off
        if declared != "0" or "Transfer-Encoding" in self.request.headers:
            self._body_due = asyncio.get_running_loop().call_later(settings.server.body_timeout_s, self._too_slow)

    def data_received(self, chunk: bytes) -> None:
        """Gathers the body, never more of it than the limit."""
        if self._finished:  # refused already: what still comes is not looked at
            return
        self._size += len(chunk)
        try:
            self._check_size(self._size)
        except Refusal as e:
            self._body.clear()
            self._refused(e)
            return
        self._body.append(chunk)

    def _check_size(self, size: int) -> None:
        most = self.context.settings.server.max_body_bytes
        limit, setting = min((most, " (server.max_body_bytes)"), (self.body_bytes, ""))
        if size > limit:
            text = f"the body has {size} bytes or more, and {limit} are allowed{setting}"
            raise refuse(Code.PAYLOAD_TOO_LARGE, text)

    def _too_slow(self) -> None:
        if not self._finished and not self._working:
            seconds = self.context.settings.server.body_timeout_s
            text = (
                f"the request's body had not come within {seconds:g} s (server.body_timeout_s): send it again, faster"
            )
            self._refused(refuse(Code.VALUE_INVALID, text), 408)

    def _refused(self, error: Refusal, status: int | None = None) -> None:
        """Answers before the body was read: the connection cannot be used again."""
        self.set_header("Connection", "close")
        lingering(self.request)
        answer = self._fault(error)
        self.reply(answer if status is None else Answer(answer.payload, status))

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> "Future[None]":
        """See RequestHandler."""
        if self.context.underway.leaving:
            self.set_header("Connection", "close")
        sent = super().finish(chunk)
        sent.add_done_callback(lambda _: self.context.underway.end(self))
        return sent

    def on_finish(self) -> None:
        """The request is answered."""
        self._leave()

    def on_connection_close(self) -> None:
        """The client is gone. Where its body had not arrived, nothing will be answered and `on_finish` never comes."""
        super().on_connection_close()
        self.context.underway.end(self)
        if not self._working:
            self._leave()

    def detach(self) -> IOStream:
        """See RequestHandler: the connection is no request's any more, and Tornado will not say that this one ended."""
        stream = super().detach()
        self._leave()
        self.context.underway.end(self)
        self.application.log_request(self)
        return stream

    def _leave(self) -> None:
        """Leaves the place of the request to another one, once."""
        if self._body_due is not None:
            self._body_due.cancel()
        if self._entered is not None:
            self.context.bounds.requests.leave(self._entered)
            self._entered = None

    @property
    def body(self) -> bytes:
        """The whole request body."""
        return b"".join(self._body)

    @property
    def digest(self) -> str:
        """A hash of the request: the same request sent twice has the same."""
        return hashlib.sha256(self.request.path.encode() + b"\0" + self.body).hexdigest()

    def query(self, model: type[Q]) -> Q:
        """The URL's query as a `model`. Raises Refusal for unknown, repeated and wrong parameters.

        Numbers are digits alone: pydantic would take `1.0`, `+1` and `1_0` too.
        """
        given: dict[str, Any] = {}
        for name, values in self.request.query_arguments.items():
            if len(values) > 1:
                raise refuse(
                    Code.VALUE_INVALID,
                    f"{name}: given {len(values)} times; give it once",
                    fields=[{"loc": name, "msg": "given more than once", "type": "repeated"}],
                )
            given[name] = values[0].decode("utf-8", "replace")
            field = model.model_fields.get(name)
            if field is not None and field.annotation is int and not re.fullmatch(r"[0-9]{1,19}", given[name]):
                text = "must be a whole number: digits, at most 19 of them"
                raise refuse(
                    Code.VALUE_INVALID,
                    f"{name}: {text}",
                    fields=[{"loc": name, "msg": text, "type": "int_parsing"}],
                )
        return validate(model, given)

    def reply(self, answer: Answer) -> None:
        """Sends the answer."""
        self.set_status(answer.status)
        if answer.status in RETRY_AFTER_S and "Retry-After" not in self._headers:
            self.set_header("Retry-After", RETRY_AFTER_S[answer.status])
        if answer.status == 204:
            self.clear_header("Content-Type")
            self.finish()
        else:
            self.finish(answer.payload + b"\n")

    def reply_body(self, body: Body, status: int = 200) -> None:
        """Sends `body` in an envelope of this handler's tag and op."""
        self.reply(Answer(self.context.message(body, tag=self.tag, op=self.op, language=self.language), status))

    async def guarded(self, work: Awaitable[Answer | None]) -> None:
        """Answers with the outcome of `work`, or with the error that it raised. None: it has answered itself."""
        self._working = True
        try:
            answer = await work
        except asyncio.CancelledError:
            raise
        except Exception as e:  # noqa: BLE001 - Operations.fault reports what nobody expected
            answer = self._fault(e)
        if answer is not None and not self._finished:
            self.reply(answer)

    def _fault(self, error: Exception) -> Answer:
        if isinstance(error, Refusal):
            for name, value in of_fault(error.fault).items():
                self.set_header(name, value)
            if error.fault.code == Code.NOT_ALLOWED and self.caller.principal is not None:
                self.context.gate.denied(self.caller, f"{self.tag}.{self.op}", error.fault.code)
        return self.operations.fault(
            error, tag=self.tag, op=self.op, language=self.language, user=self.fault_user, service_uuid=self.fault_uuid
        )

    def options(self, *_: str) -> None:
        """A browser asks whether a page of another origin may call."""
        if "Access-Control-Allow-Methods" not in self._headers:
            raise HTTPError(405)
        self.clear_header("Content-Type")
        self.set_status(204)
        self.finish()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Tornado itself refuses: no such route, a method that a route does not have, a malformed request."""
        fault = refused_by_tornado(self, status_code, kwargs.get("exc_info", (None, None, None))[1])
        payload = self.context.message(fault, tag=self.tag, op=self.op, language=self.language)
        self.finish(payload + b"\n")
