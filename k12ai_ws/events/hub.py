"""The hub: tells the live feeds of every commit."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from k12ai_ws.store.store import Store, StoredEvent
from k12ai_ws.wire.filter import EventKey

from .delivery import plan
from .edge import Edge
from .feed import Feed, Framing
from .missed import Damaged, Missed
from .sink import Sink

log = logging.getLogger(__name__)


class Census(NamedTuple):
    """How the subscribers do. `lag` is how many events the slowest is behind; frames and bytes are all ever sent."""

    live: int
    catching_up: int
    lag: int
    frames: int
    sent_bytes: int


class Hub:
    """Where feeds are had. Lives on the event loop."""

    def __init__(self, store: Store, *, now: Callable[[], float]) -> None:
        self._store = store
        self._edge: Edge[Feed] = Edge(store, now)
        store.on_commit(self._publish)

    @property
    def epoch(self) -> str:
        """The log's random id: with a seq, the resume token."""
        return self._store.epoch

    @property
    def head(self) -> int:
        """The seq of the last event that was published."""
        return self._edge.head

    def attach(self, sink: Sink, frame: Framing, missed: Missed | None = None, damaged: Damaged | None = None) -> Feed:
        """A feed without subscriptions, whose messages `frame` spells; give it back with `detach`."""
        return Feed(sink, self._edge, frame, missed, damaged)

    def detach(self, feed: Feed) -> None:
        """The connection is gone."""
        feed.close()

    def census(self) -> Census:
        """The connections that have subscriptions now, and what was sent to all there ever were."""
        edge = self._edge
        behind = [edge.head - feed.cursor for feed in edge.behind if len(feed)]
        return Census(edge.subscribed - len(behind), len(behind), max(behind, default=0), edge.frames, edge.sent_bytes)

    async def flushed(self) -> None:
        """Returns once every connection was sent what is committed; whoever does not read keeps it waiting."""
        await self._edge.even()

    def push(self, key: EventKey, payload: bytes) -> None:
        """Sends an unstored message to the connections that asked for it by tag and user."""
        for feed in tuple(self._edge.asking.get(key.user, ())):
            feed.push(key, payload)

    def _publish(self, events: Sequence[StoredEvent]) -> None:
        try:
            deliveries = list(plan(events, self._edge.live, self._edge.now()))
        except Exception:  # nobody was sent anything yet: all read it from the store, and no one has a gap
            log.exception("events up to %d cannot be sent at once; they are read from the store", events[-1].seq)
            deliveries = []
            for feed in self._edge.live.members():
                feed.fall_behind()
        for feeds, pieces in deliveries:
            self._edge.sent(pieces, len(feeds))
            for feed in feeds:
                try:
                    feed.deliver(pieces)
                except Exception:  # one broken connection must not keep the others from their events
                    log.exception("a connection's feed broke; the connection is closed")
                    feed.fail()
        self._edge.advance(events[-1].seq)
