"""`GET /k12ai/ws`: the channel. Subscriptions, and every REST request, over one WebSocket."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from k12ai_ws.access.scope import narrow
from k12ai_ws.events.feed import Feed
from k12ai_ws.serverlog import note
from k12ai_ws.wire.bodies import ACKNOWLEDGED, Body, Fault, Info
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.envelope import with_id
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.requests import (
    ChannelStatsRequest,
    Empty,
    FilterRequest,
    Header,
    Refusal,
    SubscribeRequest,
    parse_object,
    refuse,
    validate,
)

from .connections import Connections
from .context import Context
from .frames import text_frame
from .handshake import HandshakeHandler
from .operations import Operations, named_in
from .places import require_few
from .pulse import Beat, Pulse
from .resume import missed, not_kept
from .sink import StreamSink

MAX_REASON = 123
"""Bytes of a Close frame's reason (RFC 6455, section 5.5)."""

log = logging.getLogger(__name__)


class ChannelHandler(HandshakeHandler):
    """One connection. Its frames are handled one after the other, so a client cannot pile up work."""

    def initialize(self, context: Context, operations: Operations, connections: Connections) -> None:
        """Tornado's own way of handing a handler what it works with."""
        self.context = context
        self.operations = operations
        self._connections = connections
        self._feed: Feed | None = None
        self._sink: StreamSink | None = None
        self._streams: dict[str, asyncio.Task[None]] = {}
        self._pulse: Pulse | None = None
        self._busy = False  # a request is being handled
        self.identify(context.new_id)
        self._unwatch: Callable[[], None] = lambda: None

    def open(self, *args: str, **kwargs: str) -> None:
        """Takes a place among the connections, or closes with 1013."""
        try:
            self._connections.add(self, self.context.bounds.addresses.of(self.request))
        except Refusal as e:
            self.close(1013, (e.fault.message or "")[:MAX_REASON])
            return
        connection = self.ws_connection
        stream = getattr(connection, "stream", None)
        if connection is None or stream is None:  # the client is gone before it was welcomed
            return
        self.set_nodelay(True)
        settings = self.context.settings.channel
        self._sink = StreamSink(stream, settings.buffer_bytes, connection.is_closing)
        self._pulse = Pulse(settings, self._sink, self._connections.now())
        self._feed = self.context.hub.attach(self._sink, text_frame, self._missed)
        self._unwatch = self.context.gate.watch(self.operations.known(self.caller), self._no_longer_welcome)

    def _no_longer_welcome(self) -> None:
        self.close(4401, "the token or session has expired or was revoked: authenticate again")

    def on_close(self) -> None:
        """Leaves the place to another one."""
        self._connections.discard(self)
        self._unwatch()
        for task in self._streams.values():
            task.cancel()
        if self._feed is not None:
            self.context.hub.detach(self._feed)
            self._feed = None

    # ---- the timer's part

    def on_pong(self, data: bytes) -> None:
        """The client lives."""
        if self._pulse is not None:
            self._pulse.pong()

    def tick(self, now: float) -> None:
        """See `connections.Channel`."""
        settings = self.context.settings.channel
        if self._feed is None or self._pulse is None or self._closing:
            return
        match self._pulse.tick(now, busy=self._busy):
            case Beat.PING:
                self.ping(b"")
            case Beat.DEAD:
                log.info("a client sent no pong for %g s; its connection is closed", settings.pong_timeout_s)
                self.close(4408, "no pong")
                return
            case Beat.NOTHING:
                pass
        for name in self._feed.silent_since(now - settings.bookmark_s):
            bookmark = Info({"epoch": self.context.hub.epoch, "head": self.context.hub.head})
            self._send(with_id(self._message(bookmark, "channel", "bookmark"), name))

    @property
    def _closing(self) -> bool:
        return self.ws_connection is None or self.ws_connection.is_closing()

    # ---- frames

    async def on_message(self, message: str | bytes) -> None:
        """Answers one frame. Whatever is wrong with it, the connection stays."""
        if self._sink is None or self._pulse is None:
            return
        self._pulse.heard(self._connections.now())
        await self._sink.drained()  # a client that does not read its answers gets no further ones
        if self._closing:  # nobody would hear what came of it
            return
        self._busy = True
        tag, op, request_id, data = "channel", "", None, {}  # type: tuple[str, str, str | None, dict[str, Any]]
        try:
            self.context.gate.spend(self.operations.known(self.caller))
            if isinstance(message, bytes):
                raise refuse(Code.NOT_JSON, "send JSON in text frames, not binary ones")
            data = parse_object(message.encode())
            header = validate(Header, {k: data.pop(k) for k in ("tag", "op", "id") if k in data})
            tag, op, request_id = header.tag, header.op, header.id
            note(request_id=f"{self.request_id}/{request_id or ''}", job_id="", user="")
            log.debug("a frame asks for %s %s", tag, op)
            await self._handle(header, data)
        except Exception as e:  # noqa: BLE001 - Operations.fault reports what nobody expected
            if isinstance(e, Refusal) and e.fault.code == Code.NOT_ALLOWED:
                self.context.gate.denied(self.caller, f"{tag}.{op}", e.fault.code)
            user, service_uuid = named_in(data, "user"), named_in(data, "service_uuid")
            answer = self.operations.fault(
                e, tag=tag, op=op, language=self.language, user=user, service_uuid=service_uuid
            )
            self._send(with_id(answer.payload, request_id))
        finally:
            self._busy = False
            self._pulse.heard(self._connections.now())

    async def _handle(self, header: Header, data: dict[str, Any]) -> None:
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
                await self._stats(validate(ChannelStatsRequest, data), header)
            case "platform", _:
                raise refuse(Code.VALUE_INVALID, f"op: platform knows stats, not {header.op!r}")
            case _:
                answer = await self.operations.framework(
                    {**data, "op": header.op}, caller=self.caller, task=None, language=self.language
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
        if name in feed or name in self._streams:
            raise refuse(
                Code.VALUE_INVALID, f"id: {name!r} is a subscription of this connection already; unsubscribe it first"
            )
        if len(feed) + len(self._streams) >= limit:
            raise refuse(Code.TOO_MANY, f"this connection has {limit} subscriptions (channel.max_subscriptions)")

    async def _subscribe(self, request: SubscribeRequest, name: str) -> None:
        self._new_name(name)
        require_few(request.filter.values, self.context.settings.limits.max_filter_values)
        wanted = narrow(self.operations.known(self.caller), event_filter(request.filter))
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
        """What a subscription is told from which events were taken away before it had them."""
        return with_id(self._message(missed(self.context.hub, after), "channel", "subscribe"), name)

    def _unsubscribe(self, name: str) -> None:
        stream = self._streams.pop(name, None)
        if stream is not None:
            stream.cancel()
        elif self._feed is None or not self._feed.remove(name):
            raise refuse(Code.NOT_FOUND, f"id: this connection has no subscription {name!r}")
        self._send(with_id(self._message(ACKNOWLEDGED, "channel", "unsubscribe"), name))

    async def _stats(self, request: ChannelStatsRequest, header: Header) -> None:
        if request.every is None:
            answer = await self.operations.stats(
                request, caller=self.caller, language=self.language, request_id=header.id
            )
            self._send(answer.payload if request.asynchronous else with_id(answer.payload, header.id))
            return
        if request.asynchronous:
            raise refuse(Code.VALUE_INVALID, "every: a stream is asynchronous by itself; leave out async")
        name = self._named(header)
        await self.operations.authorise_stats(request, self.caller)
        self._new_name(name)
        task = asyncio.get_running_loop().create_task(self._stream_stats(request, request.every, name))
        self._streams[name] = task

    async def _stream_stats(self, request: ChannelStatsRequest, every: float, name: str) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self._sink is not None:
            await self._sink.drained()
            try:
                payload = await self.operations.stats_message(
                    request, self.operations.known(self.caller), language=self.language, extra={"id": name}
                )
            except Exception as e:  # noqa: BLE001 - Operations.fault reports what nobody expected
                user = request.username or ""
                answer = self.operations.fault(e, tag="platform", op="stats", language=self.language, user=user)
                payload = with_id(answer.payload, name)
            self._send(payload)
            due = max(due + every, loop.time())
            await asyncio.sleep(due - loop.time())

    # ---- sending

    def _reply(self, body: Body, header: Header) -> None:
        self._send(with_id(self._message(body, header.tag, header.op), header.id))

    def _send(self, payload: bytes) -> None:
        if self._sink is not None:
            self._sink.send(text_frame(payload))


def event_filter(request: FilterRequest) -> EventFilter:
    """The wire's filter as the hub's."""
    return EventFilter(
        user=request.user,
        service_uuid=request.service_uuid,
        service_name=request.service_name,
        job_id=request.job_id,
        tags=frozenset(request.tag) if request.tag is not None else None,
        types=frozenset(request.type) if request.type is not None else None,
    )
