"""The REST routes, one small class each."""

import asyncio

from k12ai_ws.access.scope import narrow_user
from k12ai_ws.wire.bodies import Fault, Info
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.objects import parse_object
from k12ai_ws.wire.queries import JobsQuery
from k12ai_ws.wire.requests import StatsRequest, refuse, validate
from k12ai_ws.wire.status import JobStatus

from .context import Answer
from .operations import named_in
from .rest import SMALL, RestHandler
from .views import job_view, services_view

MAX_KEY = 256
"""Longest Idempotency-Key, in characters."""


class FrameworkHandler(RestHandler):
    """`POST /k12ai/framework/{task}`: start or stop a job."""

    async def post(self, task: str) -> None:
        """202 with the job's status."""
        self.op = task
        await self.guarded(self._post(task))

    async def _post(self, task: str) -> Answer:
        data = parse_object(self.body)
        self.op = named_in(data, "op") or task
        self.fault_user, self.fault_uuid = named_in(data, "user"), named_in(data, "service_uuid")
        key = self.request.headers.get("Idempotency-Key")
        if key is not None and not (0 < len(key) <= MAX_KEY and key.isprintable()):
            raise refuse(
                Code.VALUE_INVALID,
                f"the header Idempotency-Key must have 1 to {MAX_KEY} printable characters",
                fields=[{"loc": "Idempotency-Key", "msg": "bad length or characters", "type": "header"}],
            )
        return await self.operations.framework(
            data, caller=self.caller, task=task, language=self.language, idempotency_key=key, digest=self.digest
        )


class ServicesHandler(RestHandler):
    """`GET /k12ai/framework/services`: what can be started, and which plugins are broken."""

    op = "services"

    async def get(self) -> None:
        """The services with the JSON Schema of each task's parameters."""
        self.reply_body(Info(services_view(self.context.jobs.registry)))


class JobsHandler(RestHandler):
    """`GET /k12ai/framework/jobs`: the jobs, newest first, page by page."""

    op = "jobs"
    has_query = True

    async def get(self) -> None:
        """`info.jobs` and `info.next`, the cursor of the next page (null at the end)."""
        await self.guarded(self._get())

    async def _get(self) -> Answer:
        wanted = self.query(JobsQuery)
        user = narrow_user(self.principal, wanted.user)
        page = await self.context.store.jobs(**wanted.model_dump() | {"user": user})
        places = self.context.jobs.places() if any(j.status is JobStatus.QUEUED for j in page.jobs) else {}
        redaction = self.context.gate.redaction

        def spelled() -> bytes:
            body = Info({"jobs": [job_view(j, places, redaction) for j in page.jobs], "next": page.next})
            return self.context.message(body, tag=self.tag, op=self.op, language=self.language)

        return Answer(await asyncio.to_thread(spelled))  # params may be large, and are looked through for secrets


class JobHandler(RestHandler):
    """`GET /k12ai/framework/jobs/{job_id}`: one job."""

    op = "job"

    async def get(self, job_id: str) -> None:
        """`info.job`."""
        await self.guarded(self._get(job_id))

    async def _get(self, job_id: str) -> Answer:
        record = await self.operations.job(job_id, self.principal)
        places = self.context.jobs.places() if record.status is JobStatus.QUEUED else {}
        return Answer(
            self.context.message(
                Info({"job": await asyncio.to_thread(job_view, record, places, self.context.gate.redaction)}),
                tag=self.tag,
                op=self.op,
                language=self.language,
                user=record.user,
                service_uuid=record.service_uuid,
                extra={"service_name": record.service_name, "job_id": record.job_id},
            )
        )


class StatsHandler(RestHandler):
    """`POST /k12ai/platform/stats`: the host and its running jobs."""

    tag = "platform"
    op = "stats"
    body_bytes = SMALL

    async def post(self) -> None:
        """200 with the statistics, or 202 where they will be pushed."""
        await self.guarded(self._post())

    async def _post(self) -> Answer:
        request = validate(StatsRequest, parse_object(self.body))
        return await self.operations.stats(request, caller=self.caller, language=self.language, request_id=None)

    def takes_strangers(self) -> bool:
        """Where there are password users, the body may say who asks."""
        return self.context.gate.has_users


class HealthHandler(RestHandler):
    """`GET /health`: the process lives and its loop turns."""

    tag = "platform"
    op = "health"
    counted = False

    def takes_strangers(self) -> bool:
        """Whoever asks: it tells nothing."""
        return True

    async def get(self) -> None:
        """200 always."""
        self.reply_body(Info(code=Code.SUCCESS))


class ReadyHandler(RestHandler):
    """`GET /ready`: whether jobs can be taken now, and what is missing."""

    tag = "platform"
    op = "ready"
    counted = False

    def takes_strangers(self) -> bool:
        """Whoever asks: it tells them no more than yes or no."""
        return True

    async def get(self) -> None:
        """200 where ready; 503 with an error where not, whose `detail` has the same checks, which say why."""
        found = await self.context.readiness.check()
        if self.caller.principal is None:
            found["checks"] = {name: {"ok": c["ok"], "message": ""} for name, c in found["checks"].items()}
        if found["ready"]:
            self.reply_body(Info(found))
            return
        missing = {name: check["message"] for name, check in found["checks"].items() if not check["ok"]}
        code = Code.ENGINE_FAILED if "launcher" in missing else Code.UNKNOWN
        text = "not ready: " + "; ".join(f"{name}: {why}" if why else name for name, why in missing.items())
        self.reply_body(Fault(code, text, detail=found), 503)


class NotFoundHandler(RestHandler):
    """Everywhere else."""

    op = "not_found"
    has_query = True

    def prepare(self) -> None:
        """404 for every method."""
        super().prepare()
        if not self._finished:
            self.send_error(404)
