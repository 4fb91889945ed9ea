"""Events that were removed from the store before a subscription had seen them: how a feed that reads forward from the
store notices.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from k12ai_ws.store.store import Store, StoreDamaged
from k12ai_ws.wire.filter import EventFilter

Missed = Callable[[str, int], bytes]
"""What a subscription is told when events that it had not seen yet were removed: its name, and the seq after which it
goes on, become a payload.
"""

Damaged = Callable[[str, StoreDamaged], bytes]
"""What a subscription is told whose next event cannot be read: its name, and the error, become a payload."""


class Cursor(Protocol):
    """What a subscription wants. What the store's pruning of the number `prunings` removed, and those before it, its
    reader knows to be gone, or had.
    """

    wanted: EventFilter
    prunings: int


C = TypeVar("C", bound=Cursor)


async def missing_of(store: Store, group: Iterable[C], after: int, prunings: int) -> Sequence[C]:
    """Those that must be told, of subscriptions that were served up to `after` and for which a page was read on from
    there at the store's pruning of the number `prunings`. The others are taken to that number. Raises StoreError.
    """
    missing = []
    for cursor in group:
        if cursor.prunings >= prunings:
            continue
        if await store.pruned(cursor.wanted, after=after, since=cursor.prunings):
            missing.append(cursor)
        else:
            cursor.prunings = prunings
    return missing
