"""One event stream: a feed over a connection that was HTTP, until the client goes, the job ends or the server does."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from tornado.httputil import format_timestamp
from tornado.iostream import IOStream, StreamClosedError

from k12ai_ws.events.feed import Feed, Framing
from k12ai_ws.events.hub import Hub
from k12ai_ws.settings import Settings
from k12ai_ws.store.store import StoreDamaged, StoreError
from k12ai_ws.wire.bodies import Body, Fault, Info
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.filter import EventFilter

from .resume import damaged, missed
from .sse_sink import JobSink, SseSink
from .sse_streams import Streams
from .stream import Stream

NAME = "stream"
STRAY_BYTES = 64 << 10
"""What a client may send after its request, which nobody looks at; more ends the connection."""
HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
    "X-Accel-Buffering: no\r\nConnection: close\r\nDate: {}\r\nX-Request-ID: {}\r\n{}\r\n"
)
"""No length and no chunks: the body is all that comes until the connection ends, which a client of HTTP/1.0 knows too,
and each event's bytes are the same for all clients.
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asked for: which events, after which seq. `job` says that it is one job's stream. What the store's
    pruning of the number `prunings` removed, and those before it, the client knows to be gone; whether it has missed
    none of it, `recovered` says.
    """

    wanted: EventFilter
    after: int
    job: bool
    prunings: int
    recovered: bool


class EventStream:
    """Use `open`. `spell` makes the envelope of a message of the stream's own, by its body and op; `headers` are sent
    beside its own; `watch` is told what to call when the caller is welcome no more, and gives what ends that; `kept`
    says whether the job is there still.
    """

    def __init__(
        self, stream: IOStream, wish: Wish, *, hub: Hub, settings: Settings, frame: Framing,
        spell: Callable[[Body, str], bytes], request_id: str, headers: Mapping[str, str] = MappingProxyType({}),
        watch: Callable[[Callable[[], None]], Callable[[], None]] = lambda _: lambda: None,
        kept: Callable[[], Awaitable[bool]],
    ) -> None:  # fmt: skip
        self._stream = stream
        self._wish = wish
        self._hub = hub
        self._settings = settings
        self._frame = frame
        self._spell = spell
        self._request_id = request_id
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._watch = watch
        self._kept = kept
        self._looking: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] = lambda: None
        limit = settings.channel.buffer_bytes
        types = wish.wanted.types
        self._sink: SseSink = (
            JobSink(stream, limit, statuses=types is None or "status" in types, bookmark=self._bookmark)
            if wish.job
            else SseSink(stream, limit)
        )
        self._feed: Feed | None = None

    def open(self, streams: Streams, address: str) -> None:
        """Begins. Raises Refusal (100108) where there is no place for it."""
        streams.add(self, address)
        self._stream.set_nodelay(True)
        state = {"epoch": self._hub.epoch, "head": self._hub.head, "recovered": self._wish.recovered}
        welcome = self._spell(Info(state, code=Code.SUCCESS), "subscribe")
        head = HEAD.format(format_timestamp(time.time()), self._request_id, self._headers).encode()
        self._sink.send(head + self._frame(welcome, self._wish.after))
        self._feed = self._hub.attach(self._sink, self._frame, self._missed, self._damaged)
        wanted = self._wish.wanted
        if self._wish.job and wanted.types is not None:
            wanted = replace(wanted, types=wanted.types | {"status"})
        self._feed.add(NAME, wanted, self._wish.after, self._wish.prunings)
        self._unwatch = self._watch(self._no_longer_welcome)
        listening = asyncio.get_running_loop().create_task(self._listen(), name="an event stream's client")
        listening.add_done_callback(lambda _: self._closed(streams))

    async def _listen(self) -> None:
        """Returns once the client is gone. What it sends is thrown away."""
        left = STRAY_BYTES
        try:
            while left > 0:
                left -= len(await self._stream.read_bytes(min(left, 4096), partial=True))
        except StreamClosedError:
            pass

    def _closed(self, streams: Streams) -> None:
        self._stream.close()
        self._unwatch()
        streams.discard(self)
        if self._feed is not None:
            self._hub.detach(self._feed)
            self._feed = None

    def _no_longer_welcome(self) -> None:
        text = "the token or session has expired or was revoked: authenticate again"
        self.end(self._frame(self._spell(Fault(Code.NOT_AUTHENTICATED, text), "subscribe"), None))

    # ---- see sse_streams.Opened

    def tick(self, now: float) -> None:
        """Bookmarks in silence; a client that takes nothing is cut off, and resumes when it comes back."""
        patience = self._settings.limits.send_timeout_s
        if isinstance(self._stream, Stream) and self._stream.stalled(now) >= patience:
            log.info("an event stream's client has taken nothing for %g s; it is cut off", patience)
            self.abort()
        elif self._feed is not None and self._feed.silent_since(now - self._settings.channel.bookmark_s):
            self._sink.send(self._bookmark(self._hub.head))

    def end(self, last: bytes) -> None:
        """Sends `last`, and closes the connection once all is sent."""
        self._sink.send(last)
        self._sink.end()

    def abort(self) -> None:
        """Closes the connection now."""
        self._stream.close()

    def _missed(self, _: str, after: int) -> bytes:
        if self._wish.job:
            self._looking = asyncio.get_running_loop().create_task(self._end_if_gone())
        return self._spell(missed(self._hub, after), "subscribe")

    async def _end_if_gone(self) -> None:
        """The end of a job that was removed will never be told: the client comes back, and is told so."""
        try:
            if not await self._kept():
                self._sink.end()
        except StoreError as e:
            log.error("an event stream whose job cannot be looked for is ended: %s", e)
            self._sink.end()

    def _damaged(self, _: str, error: StoreDamaged) -> bytes:
        return self._spell(damaged(error), "subscribe")

    def _bookmark(self, seq: int) -> bytes:
        """Nothing up to `seq` is missing: the client's resume token moves there."""
        return self._frame(self._spell(Info({"epoch": self._hub.epoch, "head": seq}), "bookmark"), seq)
