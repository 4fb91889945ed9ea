"""A page of the log for several filters at once, bounded in number and bytes."""

from collections.abc import Collection, Sequence

from k12ai_ws.store.store import EventPage, Store, StoreDamaged, StoredEvent
from k12ai_ws.wire.filter import EventFilter

PAGE_EVENTS = 2000
PAGE_BYTES = 1 << 20
"""What a reader that catches up holds of the log at most, and beside it one page of the store."""


async def read_page(
    store: Store, filters: Collection[EventFilter], after: int
) -> tuple[Sequence[StoredEvent], int, int]:
    """What any of the filters lets through, in order of seq, the seq up to which it is whole, and the store's last
    pruning by then. Raises StoreError; StoreDamaged where the very next event cannot be read.
    """
    merged: Sequence[StoredEvent] | None = None
    scanned, prunings = after, 0
    for wanted in filters:
        page = await _page(store, wanted, after)
        prunings = max(prunings, page.prunings)
        if merged is None:  # the store's own page is bounded
            merged, scanned = page.events, page.scanned
        else:
            merged, scanned = _cut(_merge(merged, page.events), min(scanned, page.scanned))
    return merged or (), scanned, prunings


async def _page(store: Store, wanted: EventFilter, after: int) -> EventPage:
    """A page of one filter. Up to a damaged event that it lets through there is nothing of its own: the others'
    events come first.
    """
    try:
        return await store.replay(wanted, after, limit=PAGE_EVENTS)
    except StoreDamaged as e:
        if e.seq is None or e.seq <= after + 1:
            raise
        return EventPage((), e.seq - 1)


def _merge(one: Sequence[StoredEvent], other: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
    found = {e.seq: e for e in (*one, *other)}
    return [found[seq] for seq in sorted(found)]


def _cut(events: Sequence[StoredEvent], scanned: int) -> tuple[Sequence[StoredEvent], int]:
    size = 0
    for count, event in enumerate(events):
        if event.seq > scanned:
            return events[:count], scanned
        if size >= PAGE_BYTES or count >= PAGE_EVENTS:
            return events[:count], event.seq - 1
        size += len(event.payload)
    return events, scanned
