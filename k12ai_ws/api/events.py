"""Events over REST: page by page, or as an event stream (server-sent events)."""

from collections.abc import Callable, Mapping

import orjson

from k12ai_ws.access.scope import narrow
from k12ai_ws.events.feed import Framing
from k12ai_ws.wire.bodies import Body, Info, Json
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.envelope import encode, envelope
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.queries import AllEventsQuery, EventsQuery
from k12ai_ws.wire.requests import refuse

from .accept import wants_stream
from .context import Answer, Context
from .operations import Operations
from .places import require_few
from .rest import RestHandler
from .resume import begins_again, not_kept
from .safety import KEPT
from .sse import EventStream, Wish
from .sse_frames import parse_token
from .sse_streams import Streams

NO_MORE = Answer(b"", 204)
"""What tells an EventSource not to come back."""


class EventsHandler(RestHandler):
    """What both addresses have in common."""

    op = "events"
    has_query = True

    def initialize(  # type: ignore[override]  # Tornado hands over what the table of routes says
        self, context: Context, operations: Operations, streams: Streams, frame: Framing
    ) -> None:
        """Tornado's own way of handing a handler what it works with."""
        super().initialize(context, operations)
        self._streams = streams
        self._frame = frame

    @property
    def _streamed(self) -> bool:
        return wants_stream(self.request.headers.get("Accept"))

    async def _answer(
        self,
        query: EventsQuery,
        place: tuple[int, str | None],
        wanted: EventFilter,
        record: JobRecord | None,
        whose: Mapping[str, Json],
    ) -> Answer | None:
        """The page or the stream; None where it is a stream that has begun. `whose` stands in a page's envelope."""
        require_few(query.values, self.context.settings.limits.max_filter_values)
        wanted = narrow(self.principal, wanted, "user")
        after, epoch = place
        hub = self.context.hub
        prunings = (
            self.context.store.prunings
        )  # before it is asked what is kept: what goes from here on, the feed notices
        gone = await not_kept(hub, self.context.store, wanted, after, epoch, paging=not self._streamed)
        begins = gone is not None and self._streamed and begins_again(hub, gone, after, epoch)
        if gone is not None and not begins:
            text = "this log does not hold what was asked for; start again from `earliest`, with this `epoch`"
            raise refuse(Code.EVENTS_PRUNED, text, **gone)
        if not self._streamed:
            return await self._page(query, wanted, after, whose)
        if "limit" in query.model_fields_set:
            fields = [{"loc": "limit", "msg": "a stream has no pages", "type": "mismatch"}]
            raise refuse(Code.VALUE_INVALID, "limit: an event stream has no pages; leave it out", fields=fields)
        if record is not None and record.status.terminal and await self._ended(record.job_id, after):
            return NO_MORE
        return self._stream(Wish(wanted, after, record is not None, prunings, not begins))

    def _place(self, query: EventsQuery, *, live: bool) -> tuple[int, str | None]:
        """Where to begin, and in which log. What a browser sends by itself when it comes back goes before the URL."""
        token = self.request.headers.get("Last-Event-ID") if self._streamed else None
        if token:
            epoch, seq = parse_token(token)
            return seq, epoch
        match query.after if query.after is not None else "now" if live else "start":
            case "start":
                return 0, query.epoch
            case "now":
                return self.context.hub.head, query.epoch
            case seq:
                return seq, query.epoch

    async def _ended(self, job_id: str, after: int) -> bool:
        """Whether the job's terminal status, its last event, is not after `after`."""
        store = self.context.store
        while True:
            page = await store.replay(EventFilter(job_id=job_id, types=frozenset({"status"})), after, limit=1)
            if page.events or page.scanned <= after or page.scanned >= store.head:
                return not page.events
            after = page.scanned

    def _stream(self, wish: Wish) -> Answer | None:
        address = self.context.bounds.addresses.of(self.request)
        self._streams.require_room(address)
        principal, headers = self.principal, {name: self._headers[name] for name in KEPT if name in self._headers}
        connection = self.detach()
        language, context = self.language, self.context

        def spell(body: Body, op: str) -> bytes:
            return context.message(body, tag="channel", op=op, language=language)

        async def kept() -> bool:
            return await context.store.job(str(wish.wanted.job_id)) is not None

        def watch(end: Callable[[], None]) -> Callable[[], None]:
            return context.gate.watch(principal, end)

        EventStream(
            connection,
            wish,
            hub=context.hub,
            settings=context.settings,
            frame=self._frame,
            spell=spell,
            headers=headers,
            watch=watch,
            kept=kept,
            request_id=self.request_id,
        ).open(self._streams, address)
        return None

    async def _page(self, query: EventsQuery, wanted: EventFilter, after: int, whose: Mapping[str, Json]) -> Answer:
        # Before the page is read: what others add meanwhile makes no further page. After the job was: all events of one
        # that has ended stand up to here. The hub may be behind the store, and whoever subscribes after its `head` then
        # misses nothing.
        hub, store = self.context.hub, self.context.store
        stored, head = store.head, hub.head
        page = await store.payloads(wanted, after, limit=query.limit)
        if page.payloads and page.scanned == page.payloads[-1][0]:  # it may be full: then its end is no end of the log
            stored = store.head
        following = page.scanned if page.scanned < stored else None
        content = {
            "events": [orjson.Fragment(payload) for _, payload in page.payloads],
            "next": following,
            "epoch": hub.epoch,
            "head": head,
        }
        if page.prunings and (pruned := await store.pruned(wanted, after=after)):
            content["pruned"] = pruned
            if following is not None and not page.payloads:  # so that it is not before all that is kept
                content["next"] = max(following, min(stored, await store.earliest(wanted) - 1))
        message = envelope(
            Info(content),
            tag=self.tag,
            op=self.op,
            at_ms=self.context.clock_ms(),
            language=self.language,
            extra=whose,
        )
        return Answer(encode(message))


class JobEventsHandler(EventsHandler):
    """`GET /k12ai/framework/jobs/{job_id}/events`: one job's events."""

    async def get(self, job_id: str) -> None:
        """A page: `info.events` strictly after `after`, and `info.next`, to be given as the next `after` (null at the
        end). Or, where the client would rather have it, the stream, which ends with the job.
        """
        await self.guarded(self._get(job_id))

    async def _get(self, job_id: str) -> Answer | None:
        query = self.query(EventsQuery)
        place = self._place(query, live=False)  # before the job: one that has not ended then ends after it
        record = await self.operations.job(job_id, self.principal)
        wanted = EventFilter(job_id=job_id, types=query.types)
        whose = {n: getattr(record, n) for n in ("user", "service_uuid", "service_name", "job_id")}
        return await self._answer(query, place, wanted, record, whose)


class AllEventsHandler(EventsHandler):
    """`GET /k12ai/events`: the events of all jobs, or of those that the query names."""

    async def get(self) -> None:
        """A page as of one job's events, or the stream, which begins now unless `after` says otherwise."""
        await self.guarded(self._get())

    async def _get(self) -> Answer | None:
        query = self.query(AllEventsQuery)
        names = query.model_dump(include={"user", "service_uuid", "service_name", "job_id"}, exclude_none=True)
        wanted = EventFilter(**names, types=query.types)
        return await self._answer(query, self._place(query, live=self._streamed), wanted, None, names)
