"""What a request does, whichever door it came through: REST body or channel frame in, answer out."""

import asyncio
import logging
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.serverlog import note
from k12ai_ws.store.store import StoreError
from k12ai_ws.wire.bodies import Fault, Info, Json
from k12ai_ws.wire.codes import Code, Language, describe, http_status
from k12ai_ws.wire.envelope import encode
from k12ai_ws.wire.filter import EventKey
from k12ai_ws.wire.requests import FrameworkRequest, Refusal, StatsRequest, refuse, validate

from .context import Answer, Context

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
        task: str | None,
        language: Language,
        idempotency_key: str | None = None,
        digest: str | None = None,
    ) -> Answer:
        """Starts or stops a job. `task` is what the URL names, if it came by URL. Raises Refusal, StoreError."""
        request = validate(FrameworkRequest, data)
        note(user=request.user)
        if task is not None and request.task != task:
            raise refuse(
                Code.VALUE_INVALID,
                f"op: {request.op!r} does not belong to /k12ai/framework/{task}: send {task}.start or {task}.stop",
                fields=[{"loc": "op", "msg": f"must be {task}.start or {task}.stop", "type": "mismatch"}],
            )
        if request.verb == "stop":
            return Answer(_answer_to_stop(await self._context.jobs.stop(request), request, language), 202)
        payload = await self._context.jobs.start(
            request, language=language, idempotency_key=idempotency_key, digest=digest
        )
        return Answer(payload, 202)

    async def stats(self, request: StatsRequest, *, language: Language, request_id: str | None) -> Answer:
        """Host statistics, now or pushed later. Raises Refusal."""
        if not request.asynchronous:
            return Answer(await self.stats_message(request, language=language))
        if request.username is None:
            raise refuse(
                Code.KEY_MISSING,
                "username: an asynchronous answer is pushed to the subscriptions of this user, so it must be named",
                fields=[{"loc": "username", "msg": "required where async is true", "type": "missing"}],
            )
        if len(self._pushes) >= MAX_PENDING_PUSHES:
            raise refuse(Code.TOO_MANY, f"{len(self._pushes)} asynchronous requests are under way: try again later")
        push_id = request_id or uuid.uuid4().hex
        task = asyncio.get_running_loop().create_task(self._push_stats(request, request.username, language, push_id))
        self._pushes.add(task)
        task.add_done_callback(self._pushes.discard)
        body = Info({"id": push_id}, code=Code.SUCCESS)
        return Answer(
            self._context.message(body, tag="platform", op="stats", language=language, user=request.username), 202
        )

    async def stats_message(
        self, request: StatsRequest, *, language: Language, extra: Mapping[str, Json] | None = None
    ) -> bytes:
        """One statistics message."""
        body = await self._context.statistics.read(request.query)
        return self._context.message(
            body, tag="platform", op="stats", language=language, user=request.username or "", extra=extra
        )

    async def _push_stats(self, request: StatsRequest, user: str, language: Language, push_id: str) -> None:
        try:
            payload = await self.stats_message(request, language=language, extra={"id": push_id})
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
        return Answer(payload, status)


def _answer_to_stop(status: bytes, request: FrameworkRequest, language: Language) -> bytes:
    """The job's status as the answer to a stop: under the stop's own op and in its language, so no stored event."""
    message = orjson.loads(status)
    message.pop("seq", None)
    message["op"] = request.op
    message["status"]["descr"] = describe(message["status"]["code"], language)
    return encode(message)


def named_in(data: Mapping[str, Any], field: str) -> str:
    """The request's text field, where it is well formed: only then may an error echo it; otherwise nothing."""
    value = data.get(field)
    return value if isinstance(value, str) and FrameworkRequest.well_formed(field, value) else ""
