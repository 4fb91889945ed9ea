"""The client: every operation of the contract as a coroutine, and streams that survive lost connections."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.codes import Language
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.status import TERMINAL

from .backoff import Backoff
from .channel import Channel
from .errors import JobOver, Pruned, refusal
from .follow import Following, Position
from .message import Message
from .reconnect import Lost, Reconnecting
from .rest import Rest, bearer, normal_address

TERMINAL_VALUES = frozenset(status.value for status in TERMINAL)
STATS = "stats"


@dataclass(frozen=True, slots=True)
class JobsPage:
    """Some jobs, newest first; `next` is the cursor of the page after it, None at the end."""

    jobs: Sequence[Mapping[str, Json]]
    next: str | None


class Client:
    """A server's client. Use it as an async context manager, or call `close`.

    `language` is what descriptions come in (None: the server's own); `timeout_s` bounds each request;
    `backoff` is how lost streams come back. `token` is what `k12ai token create` gave, where the server wants one.
    """

    def __init__(
        self,
        address: str,
        *,
        language: Language | None = None,
        token: str | None = None,
        timeout_s: float = 30.0,
        backoff: Backoff | None = None,
    ) -> None:
        """Raises AddressError and TokenError (ValueErrors) for what is no address or token; connects to nothing yet."""
        self.address = normal_address(address)
        self._timeout_s = timeout_s
        self._backoff = backoff or Backoff()
        self._headers = ({} if language is None else {"Accept-Language": language}) | bearer(token)
        self._rest = Rest(self.address, self._headers, timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives its connections back. Streams under way have their own, and end when they are closed."""
        self._rest.close()

    # ---- jobs

    async def start(
        self,
        service: str,
        task: str,
        *,
        user: str,
        service_uuid: str,
        params: Mapping[str, Json] | None = None,
        log_rules: Sequence[Mapping[str, Json]] | None = None,
        idempotency_key: str | None = None,
    ) -> Message:
        """Starts a job; the answer is its `status`, with `job_id`. Raises ClientError.

        `log_rules` read the job's log, where its driver allows them (docs/rules.md). A start repeated with the same
        `idempotency_key` answers with the job that it made the first time.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        body: dict[str, Json] = {
            "user": user,
            "service_name": service,
            "service_uuid": service_uuid,
            "service_params": params or {},
        }
        if log_rules is not None:
            body["log_rules"] = list(log_rules)
        return await self._operate(task, "start", body, headers)

    async def stop(self, service: str, task: str, *, user: str, service_uuid: str) -> Message:
        """Asks the active job of (`user`, `service_uuid`) to end; the answer is its `status`. Raises ClientError."""
        body: dict[str, Json] = {
            "user": user,
            "service_name": service,
            "service_uuid": service_uuid,
            "service_params": {},
        }
        return await self._operate(task, "stop", body)

    async def stop_job(self, job_id: str) -> Message:
        """Asks this job to end. Raises ClientError, NotFound among them."""
        job = await self.job(job_id)
        status = job["status"]["value"]
        if status in TERMINAL_VALUES:
            # Without this look, the stop could reach a later job of the same project.
            raise JobOver(job_id, status)
        return await self.stop(job["service_name"], job["task"], user=job["user"], service_uuid=job["service_uuid"])

    async def _operate(
        self, task: str, verb: str, body: dict[str, Json], headers: Mapping[str, str] | None = None
    ) -> Message:
        op: dict[str, Json] = {"op": f"{task}.{verb}"}
        return await self._rest.post("k12ai", "framework", task, body=op | body, headers=headers)

    async def services(self) -> Mapping[str, Any]:
        """`services` with the JSON Schema of each task's parameters, and `broken` plugins. Raises ClientError."""
        return (await self._rest.get("k12ai", "framework", "services")).body

    async def jobs(
        self,
        *,
        user: str | None = None,
        service_uuid: str | None = None,
        service_name: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JobsPage:
        """A page of the jobs that fit, newest first. Raises ClientError."""
        query = {
            "user": user,
            "service_uuid": service_uuid,
            "service_name": service_name,
            "status": status,
            "limit": limit,
            "cursor": cursor,
        }
        body = (await self._rest.get("k12ai", "framework", "jobs", query=query)).body
        return JobsPage(body["jobs"], body["next"])

    async def job(self, job_id: str) -> Mapping[str, Any]:
        """One job: request, state, timings, last metrics and error. Raises ClientError, NotFound among them."""
        body = (await self._rest.get("k12ai", "framework", "jobs", job_id)).body
        job: Mapping[str, Any] = body["job"]
        return job

    async def events(
        self, job_id: str, *, after: int = 0, types: Collection[str] | None = None, epoch: str | None = None
    ) -> AsyncIterator[Message]:
        """The job's stored events up to now, strictly after the seq `after`. Raises ClientError."""
        following: int | None = after
        while following is not None:
            body = await self._events(job_id, following, types, epoch)
            for event in body["events"]:
                yield Message(event)
            following, epoch = body["next"], body["epoch"]

    async def _events(
        self, job_id: str, after: int, types: Collection[str] | None, epoch: str | None, limit: int | None = None
    ) -> Mapping[str, Any]:
        query = {"after": after, "type": ",".join(sorted(types)) if types else None, "epoch": epoch, "limit": limit}
        return (await self._rest.get("k12ai", "framework", "jobs", job_id, "events", query=query)).body

    # ---- the platform

    async def stats(self, query: Mapping[str, bool] | None = None) -> Mapping[str, Any]:
        """Host statistics; `query` as in the contract (`cpus`, `gpus`, `disks`, `containers`). Raises ClientError."""
        body = {} if query is None else {"query": dict(query)}
        return (await self._rest.post("k12ai", "platform", "stats", body=body)).body

    def stats_stream(
        self,
        every: float,
        query: Mapping[str, bool] | None = None,
        *,
        on_lost: Callable[[Lost], None] | None = None,
    ) -> AsyncGenerator[Message, None]:
        """Host statistics every so many seconds (0.2 to 3600), until it is closed. Raises ClientError."""

        async def session(channel: Channel) -> AsyncGenerator[Message, None]:
            request = {"tag": "platform", "op": "stats", "id": STATS, "every": every, "query": dict(query or {})}
            await channel.send(request)
            while True:
                message = await channel.receive()
                if message.type == "error":
                    raise refusal(message)
                reconnecting.progress()
                yield message

        reconnecting = self._reconnecting(on_lost)
        return reconnecting.messages(session)

    async def health(self) -> Message:
        """Whether the server lives. Raises ClientError."""
        return await self._rest.get("health")

    async def ready(self) -> Mapping[str, Any]:
        """`ready`, and the checks that say why not. Raises ClientError."""
        return (await self._rest.get("ready")).body

    # ---- following

    def follow(
        self,
        wanted: EventFilter | None = None,
        *,
        after: int | Literal["start", "now"] = "now",
        epoch: str | None = None,
        on_lost: Callable[[Lost], None] | None = None,
    ) -> AsyncGenerator[Message, None]:
        """Events that pass `wanted`, strictly after `after`, without an end: a lost connection is taken up again.

        In order of seq, none lost, none twice. Where the server no longer has what was asked for, the error 100107
        is given first. `on_lost` hears of every loss. Raises ClientError where the server cannot be reached to begin
        with, or refuses; close it (`contextlib.aclosing`) to end it early.
        """
        return Following(wanted or EventFilter(), Position(after, epoch), self._reconnecting(on_lost)).messages()

    def follow_job(
        self,
        job_id: str,
        *,
        types: Collection[str] | None = None,
        after: int | Literal["start", "now"] = "start",
        epoch: str | None = None,
        on_lost: Callable[[Lost], None] | None = None,
    ) -> AsyncGenerator[Message, None]:
        """The events of one job, to its last one; of `types` only where given. See `follow`.

        Raises NotFound where the server does not know the job.
        """

        async def is_over(position: Position) -> bool:
            job = await self.job(job_id)
            if job["status"]["value"] not in TERMINAL_VALUES:
                return False
            begin = position.after if isinstance(position.after, int) else 0
            try:
                rest = await self._events(job_id, begin, ("status",), position.epoch, limit=1)
            except Pruned:
                return False  # the log changed under us: the channel will say so
            return not rest["events"]

        wanted = EventFilter(job_id=job_id, types=None if types is None else frozenset(types))
        return Following(wanted, Position(after, epoch), self._reconnecting(on_lost), is_over).messages()

    def _reconnecting(self, on_lost: Callable[[Lost], None] | None) -> Reconnecting:
        async def open_channel() -> Channel:
            return await Channel.open(self.address, self._headers, min(10.0, self._timeout_s))

        return Reconnecting(open_channel, self._backoff, on_lost)
