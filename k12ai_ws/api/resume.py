"""Whether a resume token is still good: the one place where the WebSocket, event streams and REST pages ask."""

from collections.abc import Mapping

from k12ai_ws.events.hub import Hub
from k12ai_ws.store.store import Store, StoreDamaged
from k12ai_ws.wire.bodies import Fault, Json
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.filter import EventFilter


async def not_kept(
    hub: Hub, store: Store, wanted: EventFilter, after: int, epoch: str | None, *, paging: bool = False
) -> Mapping[str, Json] | None:
    """None where what `wanted` lets through can be read on strictly after the seq `after`, with nothing missing; else
    the detail of the error 100107: `{epoch, head, earliest, recovered}`, where `earliest` is the first seq to be had.

    `epoch` is the log that the reader thinks of, where it says so. An `after` of 0 is a beginning, and never refused.
    With `paging` it need not be the reader's own place, but may be a page's `next`: then it is refused only where it
    lies before everything that is kept of what is asked for. Raises StoreError.
    """
    of_another_log = epoch is not None and epoch != hub.epoch
    if of_another_log or after > max(hub.head, store.head):
        return await lost(hub, store, wanted)
    if after == 0 or store.prunings == 0 or not await store.pruned(wanted, after=after):
        return None
    if paging and after >= await store.earliest(wanted) - 1:
        return None
    return await lost(hub, store, wanted)


def begins_again(hub: Hub, gone: Mapping[str, Json], after: int, epoch: str | None) -> bool:
    """Whether one who is refused with `gone` asks for no more than `gone` itself offers: all from `earliest` on."""
    return epoch in (None, hub.epoch) and after == gone["earliest"] - 1


async def lost(hub: Hub, store: Store, wanted: EventFilter) -> Mapping[str, Json]:
    """The detail of the error 100107 for one who must begin again with the earliest that is kept. Raises StoreError."""
    return {"epoch": hub.epoch, "head": hub.head, "earliest": await store.earliest(wanted), "recovered": False}


def missed(hub: Hub, after: int) -> Fault:
    """What one is told who was catching up, served up to the seq `after`, when events behind it were removed."""
    return Fault(
        Code.EVENTS_PRUNED,
        "events were removed before they were read here; the stream goes on with what is kept",
        detail={"epoch": hub.epoch, "head": hub.head, "earliest": after + 1, "recovered": False},
    )


def damaged(error: StoreDamaged) -> Fault:
    """What one is told who comes to what cannot be read: where that is, what is to be done, and how to go on."""
    if error.seq is None:
        return Fault(Code.UNKNOWN, str(error))
    text = f"{error}. What comes behind it can be had with `after` {error.seq}"
    return Fault(Code.UNKNOWN, text, detail={"seq": error.seq})
