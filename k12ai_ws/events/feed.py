"""One connection's subscriptions: each a cursor over the store, live while the reader keeps up.

The whole feed is either live (each event goes out as it is committed) or catching up (the pump reads it forward from
the store, the subscription that is farthest behind first, those at the same place together). So what goes out is in
order of seq for every subscription, also where several match, and a new one that starts in the past holds up the
others until it has caught up. The change to live happens with no `await` between looking at the head and setting the
flag, so no event can fall between. A reader that does not keep up is put back to catching up: it costs no memory and
loses nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from k12ai_ws.store.store import Store, StoredEvent, StoreError
from k12ai_ws.wire.filter import EventFilter, EventKey

from .missed import Missed, missing_of

RETRY_S = 1.0
PAGE_EVENTS = 500
PAGE_BYTES = 1 << 20
"""What one round of the pump holds at most, and beside it one page of the store."""

log = logging.getLogger(__name__)


Framing = Callable[[bytes, int | None], bytes]
"""How a connection spells a message: its payload, and the seq of a stored event (None: a passing message), become the
bytes that are sent. Feeds with the same framing share them.
"""


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
    """A filter and how far it was served: everything in (start, cursor] that matches was delivered.

    While the feed is live, the cursor is where it was when that began: everything up to the head was delivered.
    What the store's pruning of the number `prunings` removed, and those before it, the reader knows to be gone.
    """

    wanted: EventFilter
    start: int
    cursor: int
    prunings: int = 0
    last_sent: float = field(default=0.0)


class Feed:
    """The subscriptions of one connection. An event reaches the connection once, however many of them match."""

    def __init__(
        self,
        sink: Sink,
        store: Store,
        head: Callable[[], int],
        frame: Framing,
        now: Callable[[], float],
        *,
        missed: Missed | None = None,
    ) -> None:
        """Without `missed`, a reader that misses events is ended: it comes back, and hears of it when it resumes."""
        self._sink = sink
        self._missed = missed
        self._store = store
        self._head = head
        self.frame = frame
        self._now = now
        self._subscriptions: dict[str, Subscription] = {}
        self._live = True
        self._full = False  # the sink took the last frame, and wants no more for now
        self.frames = self.sent_bytes = 0
        self._wake = asyncio.Event()
        self._pump = asyncio.get_running_loop().create_task(self._run())

    @property
    def is_live(self) -> bool:
        """Whether it takes events as they are committed; otherwise it catches up from the store."""
        return self._live

    @property
    def cursor(self) -> int:
        """Everything up to this seq was delivered."""
        return self._head() if self._live else min((s.cursor for s in self._all()), default=self._head())

    def __len__(self) -> int:
        return len(self._subscriptions)

    def __contains__(self, name: str) -> bool:
        return name in self._subscriptions

    def add(self, name: str, wanted: EventFilter, after: int, prunings: int | None = None) -> None:
        """Serves everything that matches `wanted`, strictly after the seq `after`. What is removed after the store's
        pruning of the number `prunings` (None: the last one until now), and before it was served, the reader is told.
        """
        if after < self._head():
            self._fall_behind(self._head())
        known = self._store.prunings if prunings is None else prunings
        self._subscriptions[name] = Subscription(wanted, after, after, known, self._now())

    def remove(self, name: str) -> bool:
        """Ends a subscription; whether there was one."""
        return self._subscriptions.pop(name, None) is not None

    def fail(self) -> None:
        """Something unexpected: ends the connection, whose reader comes back and resumes."""
        self._sink.fail()

    def close(self) -> None:
        """Ends all of them."""
        self._pump.cancel()
        self._subscriptions.clear()

    def publish(self, events: Sequence[StoredEvent], framed: Callable[[StoredEvent, Framing], bytes]) -> None:
        """Offers newly committed events, in order of seq; called before the head moves to the last of them."""
        for event in events if self._live else ():
            if self._asks(self._subscriptions.values(), event) and not self._send(framed(event, self.frame)):
                self._fall_behind(event.seq)
                return

    def push(self, key: EventKey, payload: bytes) -> None:
        """Sends an unstored message to the connection if it asked for this user's messages of this tag by name.

        Where the reader does not keep up, the message is not sent: it is a passing one.
        """
        wanted = (s.wanted for s in self._subscriptions.values())
        if not self._full and any(w.tags is not None and w.user == key.user and w.matches(key) for w in wanted):
            self._send(self.frame(payload, None))

    def silent_since(self, moment: float) -> Sequence[str]:
        """The live subscriptions that got nothing since `moment`; they are counted as served now."""
        names = [n for n, s in self._subscriptions.items() if self._live and s.last_sent <= moment]
        for name in names:
            self._subscriptions[name].last_sent = self._now()
        return names

    def _send(self, frame: bytes) -> bool:
        self._full = not self._sink.send(frame)
        self.frames += 1
        self.sent_bytes += len(frame)
        if self._full:
            self._wake.set()
        return not self._full

    def _asks(self, group: Iterable[Subscription], event: StoredEvent) -> bool:
        """Whether the event is due to one of the group, and none of the connection's has delivered it already."""
        due = [s for s in group if event.seq > s.cursor and s.wanted.matches(event.key)]
        if not due or any(s.start < event.seq <= s.cursor and s.wanted.matches(event.key) for s in self._all()):
            return False
        for subscription in due:
            subscription.last_sent = self._now()
        return True

    def _all(self) -> Iterable[Subscription]:
        return self._subscriptions.values()

    def _fall_behind(self, seq: int) -> None:
        """From here on the pump serves; everything up to `seq` was, where the feed was live."""
        if self._live:
            self._live = False
            for subscription in self._all():
                subscription.cursor = max(subscription.cursor, seq)
        self._wake.set()

    async def _run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._sink.drained()
                self._full = False
                while not self._live:
                    await self._advance()
        except Exception:
            log.exception("a connection's feed broke; the connection is closed")
            self._sink.fail()

    async def _advance(self) -> None:
        """Serves those who are farthest behind, up to the next one's place, one page at most."""
        low = min((s.cursor for s in self._all()), default=self._head())
        group = [s for s in self._all() if s.cursor == low]
        try:
            events, scanned, prunings = await self._read({s.wanted for s in group}, low)
            missing = await missing_of(self._store, group, low, prunings)
        except StoreError as e:
            log.error("replay failed: %s; trying again in %g s", e, RETRY_S)
            await asyncio.sleep(RETRY_S)
            return
        # Subscriptions may have come and gone meanwhile. One that came so far back was not read for, and goes first.
        current = [s for s in self._all() if s.cursor <= low]
        if any(all(s is not known for known in group) for s in current):
            return
        group = current
        self._tell(missing, low, prunings)
        scanned = min(scanned, min((s.cursor for s in self._all() if s.cursor > low), default=scanned))
        for event in events:
            if event.seq > scanned:
                break
            asked = self._asks(group, event)
            sent = not asked or self._send(self.frame(event.payload, event.seq))
            for subscription in group:
                subscription.cursor = event.seq
            if not sent:
                await self._sink.drained()
                self._full = False
                return
        for subscription in group:
            subscription.cursor = max(subscription.cursor, scanned)
        self._live = all(s.cursor >= self._head() for s in self._all())

    def _tell(self, missing: Sequence[Subscription], low: int, prunings: int) -> None:
        """Events after `low` are gone that these had not seen: each is told, and goes on with what is kept."""
        for name, subscription in tuple(self._subscriptions.items()):
            if all(subscription is not one for one in missing):
                continue
            subscription.prunings = prunings
            if self._missed is None:
                self._sink.fail()
            else:
                self._send(self.frame(self._missed(name, low), None))

    async def _read(self, filters: Iterable[EventFilter], after: int) -> tuple[Sequence[StoredEvent], int, int]:
        """One page of what any of the filters lets through, in order of seq, the seq up to which it is whole, and the
        store's last pruning by then.
        """
        merged: dict[int, StoredEvent] = {}
        scanned: int | None = None
        prunings = 0
        for wanted in filters:
            page = await self._store.replay(wanted, after, limit=PAGE_EVENTS)
            scanned = page.scanned if scanned is None else min(scanned, page.scanned)
            prunings = max(prunings, page.prunings)
            merged |= {e.seq: e for e in page.events}
            size = 0
            kept: dict[int, StoredEvent] = {}
            for seq in sorted(merged):
                if seq > scanned:
                    break
                if size >= PAGE_BYTES or len(kept) >= PAGE_EVENTS:
                    scanned = seq - 1
                    break
                kept[seq] = merged[seq]
                size += len(merged[seq].payload)
            merged = kept
        return list(merged.values()), after if scanned is None else scanned, prunings
