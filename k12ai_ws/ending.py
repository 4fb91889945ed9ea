"""A server's end in good order: who waits is answered, who listens gets what is committed, then it says goodbye."""

import asyncio
import logging
from collections.abc import Iterable
from socket import socket

from k12ai_ws.api.connections import Connections
from k12ai_ws.api.door import Door
from k12ai_ws.api.sse_streams import Streams
from k12ai_ws.api.underway import Underway
from k12ai_ws.events.hub import Hub
from k12ai_ws.settings import ShutdownSettings
from k12ai_ws.store.store import Store, StoreError

GOODBYE_S = 2.0

log = logging.getLogger(__name__)


async def leave(door: Door, sockets: Iterable[socket], underway: Underway, settings: ShutdownSettings) -> None:
    """Says no at `/ready`, then accepts no more connections, and waits for the requests under way."""
    underway.leaving = True
    await asyncio.sleep(settings.notice_s)
    door.stop()
    for listening in sockets:  # else the kernel would go on taking connections that nobody answers
        listening.close()
    await underway.ended(settings.requests_s)


async def flush(store: Store, hub: Hub, timeout_s: float) -> None:
    """Waits until subscribers have what is committed, for `timeout_s` seconds at most: who does not take it resumes."""
    try:
        async with asyncio.timeout(timeout_s):
            await store.probe()  # the changes of jobs that nobody follows any more are stored, and published
            await hub.flushed()
    except TimeoutError:
        log.info("some subscribers have not taken everything; they resume from where they are")
    except StoreError as e:
        log.error("what the jobs said last is not stored now, and is read again by the next server: %s", e)


async def say_goodbye(connections: Connections, streams: Streams) -> None:
    """Closes the WebSockets with 1001, and ends the event streams."""
    await asyncio.gather(connections.close(GOODBYE_S), streams.close(GOODBYE_S))
