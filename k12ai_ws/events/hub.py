"""The hub: tells every feed of every commit, each event's frame made once for all of them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from k12ai_ws.store.store import Store, StoredEvent
from k12ai_ws.wire.filter import EventKey

from .feed import Feed, Framing, Sink
from .missed import Missed

LOOK_S = 0.01

log = logging.getLogger(__name__)


class Census(NamedTuple):
    """How the subscribers do. `lag` is how many events the slowest is behind; frames and bytes are all ever sent."""

    live: int
    catching_up: int
    lag: int
    frames: int
    sent_bytes: int


class Hub:
    """Knows all feeds. Lives on the event loop."""

    def __init__(self, store: Store, *, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._feeds: set[Feed] = set()
        self.head = store.head
        self._gone_frames = self._gone_bytes = 0
        store.on_commit(self._publish)

    def census(self) -> Census:
        """The connections that have subscriptions now, and what was sent to all there ever were."""
        live = [feed.is_live for feed in self._feeds if len(feed)]
        lag = max((self.head - feed.cursor for feed in self._feeds if len(feed)), default=0)
        frames = self._gone_frames + sum(feed.frames for feed in self._feeds)
        sent = self._gone_bytes + sum(feed.sent_bytes for feed in self._feeds)
        return Census(sum(live), len(live) - sum(live), lag, frames, sent)

    @property
    def epoch(self) -> str:
        """The log's random id: with a seq, the resume token."""
        return self._store.epoch

    def attach(self, sink: Sink, frame: Framing, missed: Missed | None = None) -> Feed:
        """A feed without subscriptions, whose messages `frame` spells; give it back with `detach`."""
        feed = Feed(sink, self._store, lambda: self.head, frame, self._now, missed=missed)
        self._feeds.add(feed)
        return feed

    def detach(self, feed: Feed) -> None:
        """The connection is gone."""
        feed.close()
        if feed in self._feeds:
            self._feeds.discard(feed)
            self._gone_frames += feed.frames
            self._gone_bytes += feed.sent_bytes

    async def flushed(self) -> None:
        """Returns once every connection was sent what is committed; whoever does not read keeps it waiting. Looks again
        and again: it is asked once, at the end, and a signal for each feed would cost all of them memory.
        """
        while not all(feed.is_live for feed in self._feeds):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)

    def push(self, key: EventKey, payload: bytes) -> None:
        """Sends an unstored message to the connections that asked for it by tag and user."""
        for feed in tuple(self._feeds):
            feed.push(key, payload)

    def _publish(self, events: Sequence[StoredEvent]) -> None:
        frames: dict[tuple[Framing, int], bytes] = {}

        def framed(event: StoredEvent, frame: Framing) -> bytes:
            made = frames.get((frame, event.seq))
            if made is None:
                made = frames[frame, event.seq] = frame(event.payload, event.seq)
            return made

        for feed in tuple(self._feeds):
            try:
                feed.publish(events, framed)
            except Exception:  # one broken connection must not keep the others from their events
                log.exception("a connection's feed broke; the connection is closed")
                feed.fail()
        self.head = events[-1].seq
