"""A cursor over the store with a filter: one subscription of a feed."""

from typing import Generic

from k12ai_ws.store.store import StoredEvent
from k12ai_ws.wire.filter import EventFilter

from .index import Group, M


class Subscription(Generic[M]):
    """A filter and how far it was served: everything in (start, cursor] that matches was delivered.

    While the feed is live, the subscription is in a `group`, and the cursor is where it was when that began: everything
    up to the head was delivered. What the store's pruning of the number `prunings` removed, and those before it, the
    reader knows to be gone.
    """

    __slots__ = ("cursor", "group", "last_sent", "prunings", "start", "wanted")

    def __init__(self, wanted: EventFilter, start: int, prunings: int, now: float) -> None:
        self.wanted = wanted
        self.start = start
        self.cursor = start
        self.prunings = prunings
        self.last_sent = now
        self.group: Group[M] | None = None

    def wants(self, event: StoredEvent) -> bool:
        """Whether the event is after the cursor, and passes the filter."""
        return event.seq > self.cursor and self.wanted.matches(event.key)

    def had(self, event: StoredEvent) -> bool:
        """Whether the event was delivered for this subscription."""
        return self.start < event.seq <= self.cursor and self.wanted.matches(event.key)

    @property
    def served(self) -> float:
        """When it last got something."""
        return self.last_sent if self.group is None else max(self.last_sent, self.group.last_sent)
