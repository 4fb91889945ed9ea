"""A page of the log for one filter or several at once, bounded in number and bytes."""

from collections.abc import Collection, Sequence

from k12ai_ws.store.store import EventPage, PayloadPage, Store, StoreDamaged, StoredEvent
from k12ai_ws.wire.filter import EventFilter

PAGE_EVENTS = 2000
PAGE_BYTES = 1 << 20
"""What a reader that catches up holds of the log at most, and beside it one page of the store."""


async def read_page(
    store: Store, filters: Collection[EventFilter], after: int, *, alone: bool
) -> PayloadPage | EventPage:
    """What any of the filters lets through. `alone`: there is one, and nobody looks at whose the events are. Raises
    StoreError; StoreDamaged where the very next event cannot be read.
    """
    return await (_payloads(store, next(iter(filters)), after) if alone else _events(store, filters, after))


async def _payloads(store: Store, wanted: EventFilter, after: int) -> PayloadPage:
    try:
        return await store.payloads(wanted, after, limit=PAGE_EVENTS)
    except StoreDamaged as e:
        return PayloadPage((), _before(e, after), store.prunings)


async def _events(store: Store, filters: Collection[EventFilter], after: int) -> EventPage:
    merged: Sequence[StoredEvent] | None = None
    scanned, prunings = after, 0
    for wanted in filters:
        page = await _page(store, wanted, after)
        prunings = max(prunings, page.prunings)
        if merged is None:  # the store's own page is bounded
            merged, scanned = page.events, page.scanned
        else:
            merged, scanned = _cut(_merge(merged, page.events), min(scanned, page.scanned))
    return EventPage(merged or (), scanned, prunings)


async def _page(store: Store, wanted: EventFilter, after: int) -> EventPage:
    try:
        return await store.replay(wanted, after, limit=PAGE_EVENTS)
    except StoreDamaged as e:
        return EventPage((), _before(e, after), store.prunings)


def _before(damage: StoreDamaged, after: int) -> int:
    """The seq before a damaged event: up to there the filter lets nothing through, and what others want comes first.
    Raises the damage where it is the very next event, or nobody knows where it is.
    """
    if damage.seq is None or damage.seq <= after + 1:
        raise damage
    return damage.seq - 1


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
