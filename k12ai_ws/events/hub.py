"""The hub: tells every feed of every commit, each event's frame made once for all of them."""

import logging
from collections.abc import Callable, Sequence

from k12ai_ws.store.store import Store, StoredEvent
from k12ai_ws.wire.filter import EventKey

from .feed import Feed, Sink

log = logging.getLogger(__name__)


class Hub:
    """Knows all feeds. Lives on the event loop; `frame` turns an event's bytes into what a sink sends."""

    def __init__(self, store: Store, *, frame: Callable[[bytes], bytes], now: Callable[[], float]) -> None:
        self._store = store
        self._frame = frame
        self._now = now
        self._feeds: set[Feed] = set()
        self.head = store.head
        store.on_commit(self._publish)

    @property
    def epoch(self) -> str:
        """The log's random id: with a seq, the resume token."""
        return self._store.epoch

    @property
    def earliest(self) -> int:
        """The first seq that is kept; nothing is pruned yet."""
        return 1

    def attach(self, sink: Sink) -> Feed:
        """A feed without subscriptions; give it back with `detach`."""
        feed = Feed(sink, self._store, lambda: self.head, self._frame, self._now)
        self._feeds.add(feed)
        return feed

    def detach(self, feed: Feed) -> None:
        """The connection is gone."""
        feed.close()
        self._feeds.discard(feed)

    def push(self, key: EventKey, payload: bytes) -> None:
        """Sends an unstored message to the connections that asked for it by tag and user."""
        frame = self._frame(payload)
        for feed in tuple(self._feeds):
            feed.push(key, frame)

    def _publish(self, events: Sequence[StoredEvent]) -> None:
        frames: dict[int, bytes] = {}

        def framed(event: StoredEvent) -> bytes:
            frame = frames.get(event.seq)
            if frame is None:
                frame = frames[event.seq] = self._frame(event.payload)
            return frame

        for feed in tuple(self._feeds):
            try:
                feed.publish(events, framed)
            except Exception:  # one broken connection must not keep the others from their events
                log.exception("a connection's feed broke; the connection is closed")
                feed.fail()
        self.head = events[-1].seq
