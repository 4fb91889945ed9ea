"""`GET /k12ai/ws`: the channel. Subscriptions, and every REST request, over one WebSocket."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from k12ai_ws.access.principal import Caller
from k12ai_ws.access.scope import narrow
from k12ai_ws.events.feed import Feed
from k12ai_ws.serverlog import note
from k12ai_ws.store.store import StoreDamaged
from k12ai_ws.wire.bodies import ACKNOWLEDGED, Body, Fault, Info
from k12ai_ws.wire.codes import Code, Language
from k12ai_ws.wire.envelope import with_id
from k12ai_ws.wire.objects import parse_object
from k12ai_ws.wire.requests import ChannelStatsRequest, Empty, Header, Refusal, SubscribeRequest, refuse, validate

from .connections import Connections
from .context import Context
from .operations import Operations, named_in
from .places import require_few
from .pulse import Beat, Pulse
from .resume import damaged, missed, not_kept
from .stats_streams import StatsStreams
from .websocket.connection import Connection
from .websocket.frames import text_frame

log = logging.getLogger(__name__)


class Channel:
    """One connection. Its frames are handled one after the other, so a client cannot pile up work."""

    __slots__ = (
        "_connection", "_connections", "_feed", "_pulse", "_streams", "_unwatch", "_work", "caller", "context",
        "language", "operations", "request_id",
    )  # fmt: skip

    def __init__(
        self,
        context: Context,
        operations: Operations,
        connections: Connections,
        connection: Connection,
        *,
        language: Language,
        caller: Caller,
        request_id: str,
    ) -> None:
        """`caller` and `request_id` are those of the handshake."""
        self.context = context
        self.operations = operations
        self.language = language
        self.caller = caller
        self.request_id = request_id
        self._connections = connections
        self._connection = connection
        self._feed: Feed | None = None
        self._pulse = Pulse(context.settings.channel, connection, connections.now())
        self._streams: StatsStreams | None = None  # made when there is one
        self._work: asyncio.Task[None] | None = None  # the request being handled, where it takes time
        self._unwatch: Callable[[], None] | None = None  # of the caller: it may be welcome no longer

    def open(self, address: str) -> None:
        """Takes a place among the connections, one of that address's, or closes with 1013."""
        try:
            self._connections.add(self, address)
        except Refusal as e:
            self.close(1013, e.fault.message or "")
            return
        self._feed = self.context.hub.attach(self._connection, text_frame, self._missed, self._damaged)
        self._unwatch = self.context.gate.watch(self.operations.known(self.caller), self._no_longer_welcome)

    def _no_longer_welcome(self) -> None:
        self.close(4401, "the token or session has expired or was revoked: authenticate again")

    def close(self, code: int, reason: str) -> None:
        """See `connections.Channel`."""
        self._connection.close(code, reason)

    def abort(self) -> None:
        """See `connections.Channel`."""
        self._connection.fail()

    def on_close(self) -> None:
        """Leaves the place to another one. A request being handled is handled to its end: a job may be starting."""
        self._connections.discard(self)
        if self._unwatch is not None:
            self._unwatch()
        if self._streams is not None:
            self._streams.close()
        if self._feed is not None:
            self.context.hub.detach(self._feed)
            self._feed = None

    # ---- the timer's part

    def on_pong(self) -> None:
        """The client lives."""
        self._pulse.pong()

    def tick(self, now: float) -> None:
        """See `connections.Channel`."""
        if self._feed is None or self._connection.closing:
            return
        settings = self.context.settings.channel
        match self._pulse.tick(now, busy=self._work is not None):
            case Beat.PING:
                self._connection.ping()
            case Beat.DEAD:
                log.info("a client sent no pong for %g s; its connection is closed", settings.pong_timeout_s)
                self.close(4408, "no pong")
                return
            case Beat.NOTHING:
                pass
        for name in self._feed.silent_since(now - settings.bookmark_s):
            bookmark = Info({"epoch": self.context.hub.epoch, "head": self.context.hub.head})
            self._send(with_id(self._message(bookmark, "channel", "bookmark"), name))

    # ---- frames

    def on_message(self, payload: bytes, *, text: bool) -> bool:
        """Begins to answer one frame; the next one comes when it is answered. A client that does not read its answers
        gets no further ones: the connection hands on nothing then.
        """
        self._pulse.heard(self._connections.now())
        work = asyncio.get_running_loop().create_task(self._answer(payload, text=text))
        self._work = work
        self.context.underway.begin(work)
        work.add_done_callback(self._answered)
        return False

    def _answered(self, work: "asyncio.Task[None]") -> None:
        self._work = None
        self.context.underway.end(work)
        self._pulse.heard(self._connections.now())
        self._connection.resume()

    async def _answer(self, payload: bytes, *, text: bool) -> None:
        """Answers one frame. Whatever is wrong with it, the connection stays."""
        if self._connection.closing:  # nobody would hear what came of it
            return
        tag, op, request_id, data = "channel", "", None, {}  # type: tuple[str, str, str | None, dict[str, Any]]
        caller, began = self.caller, self._connections.now()
        try:
            self.context.gate.spend(self.operations.known(self.caller))
            if not text:
                raise refuse(Code.NOT_JSON, "send JSON in text frames, not binary ones")
            data = parse_object(payload)
            header = validate(Header, {k: data.pop(k) for k in ("tag", "op", "id") if k in data})
            tag, op, request_id = header.tag, header.op, header.id
            frame_id = f"{self.request_id}/{request_id or ''}"
            caller = replace(caller, request_id=frame_id)
            note(request_id=frame_id, job_id="", user="")
            await self._handle(header, data, caller)
            self._told(tag, op, "answered", began)
        except Exception as e:  # noqa: BLE001 - Operations.fault reports what nobody expected
            if isinstance(e, Refusal) and e.fault.code == Code.NOT_ALLOWED:
                self.context.gate.denied(caller, f"{tag}.{op}", e.fault.code)
            user, service_uuid = named_in(data, "user"), named_in(data, "service_uuid")
            answer = self.operations.fault(
                e, tag=tag, op=op, language=self.language, user=user, service_uuid=service_uuid
            )
            self._send(with_id(answer.payload, request_id))
            self._told(tag, op, f"refused with {int(answer.code)}", began, failed=answer.status >= 500)

    def _told(self, tag: str, op: str, outcome: str, began: float, *, failed: bool = False) -> None:
        """The log's line about a frame; of one that only asks whether the server lives, for who looks for it."""
        level = logging.DEBUG if (tag, op) == ("channel", "ping") else logging.INFO
        if failed:
            level = logging.WARNING
        if log.isEnabledFor(level):
            seconds = self._connections.now() - began
            op = op or "?"  # it was not read so far
            fields = {"tag": tag, "op": op, "outcome": outcome, "seconds": round(seconds, 6)}
            log.log(level, "frame %s %s %s in %.1f ms", tag, op, outcome, 1000 * seconds, extra={"fields": fields})

    async def _handle(self, header: Header, data: dict[str, Any], caller: Caller) -> None:
        match header.tag, header.op:
            case "channel", "subscribe":
                await self._subscribe(validate(SubscribeRequest, data), self._named(header))
            case "channel", "unsubscribe":
                validate(Empty, data)
                self._unsubscribe(self._named(header))
            case "channel", "ping":
                validate(Empty, data)
                self._reply(ACKNOWLEDGED, header)
            case "channel", _:
                raise refuse(
                    Code.VALUE_INVALID, f"op: the channel knows subscribe, unsubscribe and ping, not {header.op!r}"
                )
            case "platform", "stats":
                await self._stats(validate(ChannelStatsRequest, data), header, caller)
            case "platform", _:
                raise refuse(Code.VALUE_INVALID, f"op: platform knows stats, not {header.op!r}")
            case _:
                answer = await self.operations.framework(
                    {**data, "op": header.op}, caller=caller, task=None, language=self.language
                )
                self._send(with_id(answer.payload, header.id))

    def _named(self, header: Header) -> str:
        if header.id is None:
            raise refuse(
                Code.KEY_MISSING,
                f"id: {header.op} needs one, it is the subscription's name",
                fields=[{"loc": "id", "msg": "Field required", "type": "missing"}],
            )
        return header.id

    def _new_name(self, name: str) -> None:
        """Raises Refusal where the name is taken or there are too many."""
        feed, limit = self._feed, self.context.settings.channel.max_subscriptions
        if feed is None:
            raise refuse(Code.NOT_FOUND, "the connection is closing")
        streams = self._streams or ()
        if name in feed or name in streams:
            raise refuse(
                Code.VALUE_INVALID, f"id: {name!r} is a subscription of this connection already; unsubscribe it first"
            )
        if len(feed) + len(streams) >= limit:
            raise refuse(Code.TOO_MANY, f"this connection has {limit} subscriptions (channel.max_subscriptions)")

    async def _subscribe(self, request: SubscribeRequest, name: str) -> None:
        self._new_name(name)
        require_few(request.filter.values, self.context.settings.limits.max_filter_values)
        wanted = narrow(self.operations.known(self.caller), request.filter.as_filter())
        hub, store = self.context.hub, self.context.store
        prunings = store.prunings  # before it is asked what is kept: what goes from here on, the feed notices
        after = request.after if isinstance(request.after, int) else 0
        gone = await not_kept(hub, store, wanted, after, request.epoch)
        if request.after == "now":
            after = hub.head
        if gone is not None:
            after = gone["earliest"] - 1
            fault = Fault(
                Code.EVENTS_PRUNED,
                "this log does not hold all that was asked for; the stream starts at the earliest event that it has",
                detail=gone,
            )
            self._send(with_id(self._message(fault, "channel", "subscribe"), name))
        else:
            body = Info({"epoch": hub.epoch, "head": hub.head, "recovered": True}, code=Code.SUCCESS)
            self._send(with_id(self._message(body, "channel", "subscribe"), name))
        if self._feed is not None:
            self._feed.add(name, wanted, after, prunings)

    def _missed(self, name: str, after: int) -> bytes:
        return with_id(self._message(missed(self.context.hub, after), "channel", "subscribe"), name)

    def _damaged(self, name: str, error: StoreDamaged) -> bytes:
        return with_id(self._message(damaged(error), "channel", "subscribe"), name)

    def _unsubscribe(self, name: str) -> None:
        of_statistics = self._streams is not None and self._streams.end(name)
        if not of_statistics and (self._feed is None or not self._feed.remove(name)):
            raise refuse(Code.NOT_FOUND, f"id: this connection has no subscription {name!r}")
        self._send(with_id(self._message(ACKNOWLEDGED, "channel", "unsubscribe"), name))

    async def _stats(self, request: ChannelStatsRequest, header: Header, caller: Caller) -> None:
        if request.every is None:
            answer = await self.operations.stats(request, caller=caller, language=self.language, request_id=header.id)
            self._send(answer.payload if request.asynchronous else with_id(answer.payload, header.id))
            return
        if request.asynchronous:
            raise refuse(Code.VALUE_INVALID, "every: a stream is asynchronous by itself; leave out async")
        name = self._named(header)
        await self.operations.authorise_stats(request, caller)
        self._new_name(name)
        if self._streams is None:
            self._streams = StatsStreams(self.operations, self._connection, self.caller, self.language, self._send)
        self._streams.begin(name, request, request.every)

    # ---- sending

    def _reply(self, body: Body, header: Header) -> None:
        self._send(with_id(self._message(body, header.tag, header.op), header.id))

    def _message(self, body: Body, tag: str, op: str) -> bytes:
        return self.context.message(body, tag=tag, op=op, language=self.language)

    def _send(self, payload: bytes) -> None:
        self._connection.send(text_frame(payload))
