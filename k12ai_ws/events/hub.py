"""The hub: tells every feed of every commit, each event's frame made once for all of them."""

import logging
from collections.abc import Callable, Sequence

from k12ai_ws.store.store import Store, StoredEvent
from k12ai_ws.wire.filter import EventKey

from .feed import Feed, Framing, Sink
from .missed import Missed

log = logging.getLogger(__name__)


class Hub:
    """Knows all feeds. Lives on the event loop."""

    def __init__(self, store: Store, *, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._feeds: set[Feed] = set()
        self.head = store.head
        store.on_commit(self._publish)

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
        self._feeds.discard(feed)

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
