"""One connection's subscriptions: each a cursor over the store, live while the reader keeps up.

A subscription is either live (it gets each event as it is committed) or catching up (the pump reads it forward from
the store). The change to live happens with no `await` between looking at the head and setting the flag, so no event
can fall between. A reader that does not keep up is put back to catching up: it costs no memory and loses nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from k12ai_ws.store.store import Store, StoredEvent, StoreError
from k12ai_ws.wire.filter import EventFilter, EventKey

RETRY_S = 1.0

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where a feed's frames go."""

    def send(self, frame: bytes) -> bool:
        """Takes the frame; False: more is unsent than the reader may have outstanding, so stop pushing for now."""
        ...

    async def drained(self) -> None:
        """Returns once little enough is unsent. Raises nothing: a closed sink is drained."""
        ...

    def fail(self) -> None:
        """The feed is broken: ends the connection, so that the reader comes back and resumes."""
        ...


@dataclass(slots=True)
class Subscription:
    """A filter and how far it was served: everything in (start, cursor] that matches was delivered."""

    wanted: EventFilter
    start: int
    cursor: int
    live: bool = False
    last_sent: float = field(default=0.0)


class Feed:
    """The subscriptions of one connection. An event reaches the connection once, however many of them match."""

    def __init__(
        self,
        sink: Sink,
        store: Store,
        head: Callable[[], int],
        frame: Callable[[bytes], bytes],
        now: Callable[[], float],
    ) -> None:
        self._sink = sink
        self._store = store
        self._head = head
        self._frame = frame
        self._now = now
        self._subscriptions: dict[str, Subscription] = {}
        self._wake = asyncio.Event()
        self._pump = asyncio.get_running_loop().create_task(self._run())

    def __len__(self) -> int:
        return len(self._subscriptions)

    def __contains__(self, name: str) -> bool:
        return name in self._subscriptions

    def add(self, name: str, wanted: EventFilter, after: int) -> None:
        """Serves everything that matches `wanted`, strictly after the seq `after`."""
        live = after >= self._head()
        self._subscriptions[name] = Subscription(wanted, after, after, live, self._now())
        self._wake.set()

    def remove(self, name: str) -> bool:
        """Ends a subscription; whether there was one."""
        return self._subscriptions.pop(name, None) is not None

    def close(self) -> None:
        """Ends all of them."""
        self._pump.cancel()
        self._subscriptions.clear()

    def publish(self, events: Sequence[StoredEvent], frames: Callable[[StoredEvent], bytes]) -> None:
        """Offers newly committed events, in order of seq, to the live subscriptions."""
        live = [s for s in self._subscriptions.values() if s.live]
        for event in events if live else ():
            matching = [s for s in live if event.seq > s.cursor and s.wanted.matches(event.key)]
            if not matching or self._delivered(event, matching[0]):
                continue
            for subscription in matching:
                subscription.last_sent = self._now()
            if not self._sink.send(frames(event)):
                self._fall_behind(live, event.seq)
                return

    def push(self, key: EventKey, frame: bytes) -> None:
        """Sends an unstored message to the connection if it asked for this user's messages of this tag by name.

        Where the reader is behind, the message is not sent: it is a passing one.
        """
        for s in self._subscriptions.values():
            named = s.wanted.tags is not None and s.wanted.user == key.user
            if s.live and named and s.wanted.matches(key):
                self._sink.send(frame)
                return

    def silent_since(self, moment: float) -> Sequence[str]:
        """The live subscriptions that got nothing since `moment`; they are counted as served now."""
        names = [n for n, s in self._subscriptions.items() if s.live and s.last_sent <= moment]
        for name in names:
            self._subscriptions[name].last_sent = self._now()
        return names

    def _fall_behind(self, live: Sequence[Subscription], seq: int) -> None:
        for subscription in live:
            subscription.live = False
            subscription.cursor = max(subscription.cursor, seq)
        self._wake.set()

    def _delivered(self, event: StoredEvent, asking: Subscription) -> bool:
        """Whether another subscription of this connection has delivered the event already."""
        return any(
            s is not asking
            and s.start < event.seq <= (self._head() if s.live else s.cursor)
            and s.wanted.matches(event.key)
            for s in self._subscriptions.values()
        )

    async def _run(self) -> None:
        try:
            await self._catch_up()
        except Exception:
            log.exception("a connection's feed broke; the connection is closed")
            self._sink.fail()

    async def _catch_up(self) -> None:
        while True:
            behind = [(n, s) for n, s in self._subscriptions.items() if not s.live]
            if not behind:
                self._wake.clear()
                await self._wake.wait()
                continue
            for name, subscription in behind:
                await self._sink.drained()
                try:
                    page = await self._store.replay(subscription.wanted, subscription.cursor)
                except StoreError as e:
                    log.error("replay failed: %s; trying again in %g s", e, RETRY_S)
                    await asyncio.sleep(RETRY_S)
                    continue
                if self._subscriptions.get(name) is subscription:
                    self._serve(subscription, page.events, page.scanned)

    def _serve(self, subscription: Subscription, events: Sequence[StoredEvent], scanned: int) -> None:
        for event in events:
            seen = self._delivered(event, subscription)
            subscription.cursor = event.seq
            subscription.last_sent = self._now()
            if not seen and not self._sink.send(self._frame(event.payload)):
                return
        subscription.cursor = max(subscription.cursor, scanned)
        subscription.live = subscription.cursor >= self._head()
