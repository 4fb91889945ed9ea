"""What a request does, whichever door it came through: REST body or channel frame in, answer out."""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from k12ai_ws.access.file import AccessError
from k12ai_ws.access.principal import Caller, Kind, Principal
from k12ai_ws.access.redaction import hide_in
from k12ai_ws.access.scope import require_user, visible
from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.serverlog import note
from k12ai_ws.store.store import StoreDamaged, StoreError
from k12ai_ws.wire.bodies import Fault, Info, Json
from k12ai_ws.wire.codes import Code, Language, describe, http_status
from k12ai_ws.wire.envelope import encode
from k12ai_ws.wire.filter import EventKey
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.requests import FrameworkRequest, Refusal, StatsRequest, refuse, validate

from .context import Answer, Context
from .resume import damaged

log = logging.getLogger(__name__)

MAX_PENDING_PUSHES = 64
"""Asynchronous statistics under way at one time; more are refused with 100108."""


class Operations:
    """The operations of the contract. `fault` makes the answer to whatever one of them raised."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pushes: set[asyncio.Task[None]] = set()

    async def framework(
        self,
        data: Mapping[str, Any],
        *,
        caller: Caller,
        task: str | None,
        language: Language,
        idempotency_key: str | None = None,
        digest: str | None = None,
    ) -> Answer:
        """Starts or stops a job. `task` is what the URL names, if it came by URL. Raises Refusal, StoreError."""
        request = validate(FrameworkRequest, data)
        note(user=request.user)
        require_user(self.known(caller), request.user)
        if task is not None and request.task != task:
            raise refuse(
                Code.VALUE_INVALID,
                f"op: {request.op!r} does not belong to /k12ai/framework/{task}: send {task}.start or {task}.stop",
                fields=[{"loc": "op", "msg": f"must be {task}.start or {task}.stop", "type": "mismatch"}],
            )
        jobs, record = self._context.jobs, self._context.gate.audit.record
        facts = {"user": request.user, "service": request.service_name, "service_uuid": request.service_uuid}
        try:
            if request.verb == "stop":
                payload = _answer_to_stop(await jobs.stop(request), request, language)
            else:
                payload = await jobs.start(request, language=language, idempotency_key=idempotency_key, digest=digest)
        except Refusal as e:
            record(request.op, "failed", caller, code=int(e.fault.code), **facts)
            secrets = await asyncio.to_thread(self._context.gate.redaction.secrets, request.service_params)
            raise Refusal(_hidden(e.fault, secrets)) from e
        except (StoreError, LaunchError):
            record(request.op, "failed", caller, **facts)
            raise
        record(request.op, "ok", caller, job_id=orjson.loads(payload).get("job_id"), **facts)
        return Answer(payload, 202)

    def known(self, caller: Caller) -> Principal:
        """Who calls. Raises Refusal (100105) where nobody knows."""
        if caller.principal is None:
            raise self._context.gate.missing()
        return caller.principal

    async def job(self, job_id: str, principal: Principal) -> JobRecord:
        """The job that is asked for; the log's lines about the request name it from here on. Raises Refusal (100205)
        where there is none, or it is somebody else's.
        """
        record = visible(principal, await self._context.store.job(job_id), job_id)
        note(job_id=record.job_id, user=record.user)
        return record

    async def authorise_stats(self, request: StatsRequest, caller: Caller) -> Caller:
        """Who asks for statistics: the caller, or the password user that the request names, where the operator made
        any. Raises Refusal: 100105, and 100106 where it asks for another user's.
        """
        if request.password is not None and self._context.gate.has_users:
            password = request.password.get_secret_value()
            found = await self._context.gate.login(request.username or "", password, caller)
            caller = caller if caller.principal is not None else replace(caller, principal=found)
        require_user(self.known(caller), request.username, "username")
        return caller

    async def stats(
        self, request: StatsRequest, *, caller: Caller, language: Language, request_id: str | None
    ) -> Answer:
        """Host statistics, now or pushed later. Raises Refusal."""
        principal = self.known(await self.authorise_stats(request, caller))
        if not request.asynchronous:
            return Answer(await self.stats_message(request, principal, language=language))
        if request.username is None:
            raise refuse(
                Code.KEY_MISSING,
                "username: an asynchronous answer is pushed to the subscriptions of this user, so it must be named",
                fields=[{"loc": "username", "msg": "required where async is true", "type": "missing"}],
            )
        if len(self._pushes) >= MAX_PENDING_PUSHES:
            raise refuse(Code.TOO_MANY, f"{len(self._pushes)} asynchronous requests are under way: try again later")
        if principal.kind is not Kind.LOCAL:  # whoever subscribed to that user reads it
            principal = replace(principal, user=request.username, admin=False)
        push_id = request_id or uuid.uuid4().hex
        task = asyncio.get_running_loop().create_task(
            self._push_stats(request, principal, request.username, language, push_id)
        )
        self._pushes.add(task)
        task.add_done_callback(self._pushes.discard)
        body = Info({"id": push_id}, code=Code.SUCCESS)
        return Answer(
            self._context.message(body, tag="platform", op="stats", language=language, user=request.username), 202
        )

    async def stats_message(
        self,
        request: StatsRequest,
        principal: Principal,
        *,
        language: Language,
        extra: Mapping[str, Json] | None = None,
    ) -> bytes:
        """One statistics message."""
        body = await self._context.statistics.read(request.query, principal)
        return self._context.message(
            body, tag="platform", op="stats", language=language, user=request.username or "", extra=extra
        )

    async def _push_stats(
        self, request: StatsRequest, principal: Principal, user: str, language: Language, push_id: str
    ) -> None:
        try:
            payload = await self.stats_message(request, principal, language=language, extra={"id": push_id})
        except Exception as e:  # noqa: BLE001 - whatever it was, the asker must hear of it
            payload = self.fault(
                e, tag="platform", op="stats", language=language, user=user, extra={"id": push_id}
            ).payload
        self._context.hub.push(EventKey("info", "platform", user, "", "", ""), payload)

    def fault(
        self,
        error: Exception,
        *,
        tag: str,
        op: str,
        language: Language,
        user: str = "",
        service_uuid: str = "",
        extra: Mapping[str, Json] | None = None,
    ) -> Answer:
        """The error message for what an operation raised; what nobody expected is logged with its traceback."""
        if isinstance(error, Refusal):
            body, status = error.fault, http_status(error.fault.code)
        elif isinstance(error, AccessError):
            log.error("%s: %s", op, error)
            body, status = Fault(Code.UNKNOWN, "the access file cannot be written; the server's log says why"), 503
        elif isinstance(error, StoreDamaged):  # the store has logged it, once for all
            body, status = damaged(error), 500
        elif isinstance(error, StoreError):
            log.error("%s: %s", op, error)
            body, status = Fault(Code.UNKNOWN, f"{error}; nothing was changed, try again later"), 503
        elif isinstance(error, LaunchError):  # a stop that the launcher could not deliver
            log.error("%s: %s", op, error)
            body, status = Fault(error.code, error.message), http_status(error.code)
        else:
            log.error("%s failed", op, exc_info=error)
            body, status = Fault(Code.UNKNOWN, "the server failed at this request; its log says how"), 500
        self._context.metrics.counted.refused(body.code)
        payload = self._context.message(
            body, tag=tag, op=op, language=language, user=user, service_uuid=service_uuid, extra=extra
        )
        return Answer(payload, status, body.code)


def _answer_to_stop(status: bytes, request: FrameworkRequest, language: Language) -> bytes:
    """The job's status as the answer to a stop: under the stop's own op and in its language, so no stored event."""
    message = orjson.loads(status)
    message.pop("seq", None)
    message["op"] = request.op
    message["status"]["descr"] = describe(message["status"]["code"], language)
    return encode(message)


def _hidden(fault: Fault, secrets: Sequence[str]) -> Fault:
    """The fault without the request's secrets: a driver's words may quote what it was given."""
    if not secrets:
        return fault
    return replace(fault, message=hide_in(fault.message, secrets), detail=hide_in(fault.detail, secrets))


def named_in(data: Mapping[str, Any], field: str) -> str:
    """The request's text field, where it is well formed: only then may an error echo it; otherwise nothing."""
    value = data.get(field)
    return value if isinstance(value, str) and FrameworkRequest.well_formed(field, value) else ""
