"""Whether a resume token is still good: the one place where the WebSocket, event streams and REST pages ask."""

from collections.abc import Mapping

from k12ai_ws.events.hub import Hub
from k12ai_ws.store.store import Store
from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.filter import EventFilter


async def not_kept(
    hub: Hub,
    store: Store,
    wanted: EventFilter,  # noqa: ARG001 - nothing is removed yet, for nobody
    after: int,
    epoch: str | None,
    *,
    paging: bool = False,  # noqa: ARG001
) -> Mapping[str, Json] | None:
    """None where what `wanted` lets through can be read on strictly after the seq `after`; else the detail of the error
    100107: `{epoch, head, earliest, recovered}`, where `earliest` is the first seq to be had.

    `epoch` is the log that the reader thinks of, where it says so. With `paging`, `after` may be a page's `next`, and
    not the reader's own place.
    """
    of_another_log = epoch is not None and epoch != hub.epoch
    if not of_another_log and after <= max(hub.head, store.head):
        return None
    return {"epoch": hub.epoch, "head": hub.head, "earliest": hub.earliest, "recovered": False}
