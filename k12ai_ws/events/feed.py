"""One connection's subscriptions: each a cursor over the store, live while the reader keeps up.

The whole feed is either live (the hub tells it of each commit) or catching up (a task reads it forward from the store,
the subscription that is farthest behind first, those at the same place together). So what goes out is in order of seq
for every subscription, also where several match, and a new one that starts in the past holds up the others until it
has caught up. The change to live happens with no `await` between looking at the head and joining the live ones, so no
event can fall between. A reader that does not keep up is put back to catching up: it costs no memory, loses nothing.

A feed that is live has no task; one that catches up costs the live ones nothing.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence

from k12ai_ws.store.store import EventPage, Payload, PayloadPage, StoreDamaged, StoredEvent, StoreError
from k12ai_ws.wire.filter import EventFilter, EventKey

from .delivery import Piece, joined
from .edge import Edge
from .index import Framing
from .missed import Damaged, Missed, missing_of
from .pages import read_page
from .sink import Sink
from .subscription import Subscription

__all__ = ["Feed", "Framing", "Sink"]

RETRY_S = 1.0

log = logging.getLogger(__name__)


class Feed:
    """The subscriptions of one connection. An event reaches the connection once, however many of them match."""

    __slots__ = (
        "_damaged", "_edge", "_ended", "_full", "_live", "_missed", "_pump", "_sink", "_subscriptions", "frame",
        "several",
    )  # fmt: skip

    def __init__(
        self,
        sink: Sink,
        edge: "Edge[Feed]",
        frame: Framing,
        missed: Missed | None = None,
        damaged: Damaged | None = None,
    ) -> None:
        """Without `missed`, a reader that misses events is ended: it comes back, and hears of it when it resumes. One
        that comes to an event that cannot be read is ended, after what `damaged` says.
        """
        self._sink = sink
        self._missed = missed
        self._damaged = damaged
        self._ended = False  # it came to an event that cannot be read
        self._edge = edge
        self.frame = frame
        self._subscriptions: dict[str, Subscription[Feed]] = {}
        self.several = False  # it has more than one subscription
        self._live = True
        self._full = False  # the sink took the last frame, and wants no more for now
        self._pump: asyncio.Task[None] | None = None  # while it catches up

    def __len__(self) -> int:
        return len(self._subscriptions)

    def __contains__(self, name: str) -> bool:
        return name in self._subscriptions

    @property
    def cursor(self) -> int:
        """Everything up to this seq was delivered."""
        head = self._edge.head
        return head if self._live else min((s.cursor for s in self._all()), default=head)

    def add(self, name: str, wanted: EventFilter, after: int, prunings: int | None = None) -> None:
        """Serves everything that matches `wanted`, strictly after the seq `after`. What is removed after the store's
        pruning of the number `prunings` (None: the last one until now), and before it was served, the reader is told.
        """
        self.remove(name)
        known = self._edge.store.prunings if prunings is None else prunings
        subscription = self._subscriptions[name] = Subscription(wanted, after, known, self._edge.now())
        self.several = len(self._subscriptions) > 1
        self._edge.subscribed += len(self._subscriptions) == 1
        if wanted.user is not None and wanted.tags is not None:
            asking = self._edge.asking.setdefault(wanted.user, {})
            asking[self] = asking.get(self, 0) + 1
        if after != self._edge.head:
            self._fall_behind(self._edge.head)
        elif self._live:
            self._join(subscription)

    def remove(self, name: str) -> bool:
        """Ends a subscription; whether there was one."""
        subscription = self._subscriptions.pop(name, None)
        if subscription is None:
            return False
        self.several = len(self._subscriptions) > 1
        self._edge.subscribed -= not self._subscriptions
        self._leave(subscription)
        wanted = subscription.wanted
        if wanted.user is not None and wanted.tags is not None:
            asking = self._edge.asking[wanted.user]
            asking[self] -= 1
            if not asking[self]:
                del asking[self]
            if not asking:
                del self._edge.asking[wanted.user]
        return True

    def fail(self) -> None:
        """Something unexpected: ends the connection, whose reader comes back and resumes."""
        self._sink.fail()

    def close(self) -> None:
        """Ends all of them."""
        for name in tuple(self._subscriptions):
            self.remove(name)
        if self._pump is not None:
            self._pump.cancel()
        self._edge.caught_up(self)

    def deliver(self, pieces: Sequence[Piece]) -> None:
        """Sends what was committed, and is counted as sent; called by the hub while the feed is live, before the head
        moves.
        """
        for piece in pieces:
            if not self._sink.send(piece.data):
                self._full = True
                self._edge.sent(pieces[pieces.index(piece) + 1 :], -1)
                self._fall_behind(piece.last)
                return

    def fall_behind(self) -> None:
        """What comes next is read from the store; called by the hub before the head moves."""
        self._fall_behind(self._edge.head)

    def push(self, key: EventKey, payload: bytes) -> None:
        """Sends an unstored message to the connection if it asked for this user's messages of this tag by name.

        Where the reader does not keep up, the message is not sent: it is a passing one.
        """
        wanted = (s.wanted for s in self._all())
        asked = any(w.tags is not None and w.user == key.user and w.matches(key) for w in wanted)
        if asked and not self._full and not self._send(Piece(self.frame(payload, None), 0, 1)):
            self._fall_behind(self._edge.head)

    def silent_since(self, moment: float) -> Sequence[str]:
        """The live subscriptions that got nothing since `moment`; they are counted as served now."""
        if not self._live:
            return []
        found = [n for n, s in self._subscriptions.items() if s.served <= moment]
        for name in found:
            self._subscriptions[name].last_sent = self._edge.now()
        return found

    # ---- live or not

    def _all(self) -> Collection["Subscription[Feed]"]:
        return self._subscriptions.values()

    def _join(self, subscription: "Subscription[Feed]") -> None:
        group = subscription.group = self._edge.live.add(self, subscription.wanted, self.frame)
        subscription.wanted = group.wanted  # one of the equal filters is enough

    def _leave(self, subscription: "Subscription[Feed]") -> None:
        if subscription.group is not None:
            subscription.last_sent = subscription.served
            self._edge.live.remove(self, subscription.group)
            subscription.group = None

    def _fall_behind(self, seq: int) -> None:
        """From here on the pump serves; everything up to `seq` was, where the feed was live."""
        if self._live:
            self._live = False
            self._edge.behind.add(self)
            for subscription in self._all():
                if subscription.group is not None:
                    self._leave(subscription)
                    subscription.cursor = max(subscription.cursor, seq)
        if self._pump is None and not self._ended:
            self._pump = asyncio.get_running_loop().create_task(self._catch_up())

    def _send(self, piece: Piece) -> bool:
        self._edge.sent((piece,))
        self._full = not self._sink.send(piece.data)
        return not self._full

    # ---- catching up

    async def _catch_up(self) -> None:
        try:
            while not self._live and not self._ended:
                await self._sink.drained()
                self._full = False
                await self._advance()
        except Exception:
            log.exception("a connection's feed broke; the connection is closed")
            self._sink.fail()
        finally:
            self._pump = None

    async def _advance(self) -> None:
        """Serves those who are farthest behind, up to the next one's place, one page at most."""
        low = min((s.cursor for s in self._all()), default=self._edge.head)
        if low >= self._edge.head:
            if all(s.cursor <= self._edge.head for s in self._all()):
                self._live = True
                for subscription in self._all():
                    self._join(subscription)
                self._edge.caught_up(self)
            else:  # a subscription begins after an event that is not published yet
                await self._edge.moved()
            return
        group = [s for s in self._all() if s.cursor == low]
        wanted = {s.wanted for s in group}
        try:
            page = await read_page(self._edge.store, wanted, low, alone=len(self._all()) == 1)
            missing = await missing_of(self._edge.store, group, low, page.prunings)
        except StoreDamaged as e:  # that does not heal: whoever waits for it is told, not kept waiting
            self._break_off(group, e)
            return
        except StoreError as e:
            log.error("replay failed: %s; trying again in %g s", e, RETRY_S)
            await asyncio.sleep(RETRY_S)
            return
        # Subscriptions may have come and gone meanwhile. One that came so far back was not read for, and goes first.
        current = [s for s in self._all() if s.cursor <= low]
        if any(all(s is not known for known in group) for s in current):
            return
        self._tell(missing, low, page.prunings)
        # The store may be ahead of the hub: what is not published yet comes live, or with the next page.
        scanned = min(page.scanned, self._edge.head, *(s.cursor for s in self._all() if s.cursor > low))
        chosen = len(current) == len(self._all()) and wanted == {s.wanted for s in current}
        for piece in joined(self._due(current, page, scanned, chosen=chosen), self.frame):
            if not self._send(piece):
                scanned = piece.last
                break
        for subscription in current:
            subscription.cursor = scanned

    def _tell(self, missing: Sequence["Subscription[Feed]"], low: int, prunings: int) -> None:
        """Events after `low` are gone that these had not seen: each is told, and goes on with what is kept."""
        for name, subscription in tuple(self._subscriptions.items()):
            if all(subscription is not one for one in missing):
                continue
            subscription.prunings = prunings
            if self._missed is None:
                self._sink.fail()
            else:
                self._send(Piece(self.frame(self._missed(name, low), None), low, 1))

    def _break_off(self, group: Sequence["Subscription[Feed]"], error: StoreDamaged) -> None:
        """These were served up to an event that cannot be read: they are told, and the connection ends."""
        names = [n for n, s in self._subscriptions.items() if any(s is one for one in group)]
        if not names:  # whoever wanted it has gone meanwhile
            return
        if self._damaged is not None:
            for name in names:
                self._send(Piece(self.frame(self._damaged(name, error), None), 0, 1))
        self._ended = True
        self._sink.end()
        self._edge.caught_up(self)  # nobody waits for it any more

    def _due(
        self, group: Sequence["Subscription[Feed]"], page: PayloadPage | EventPage, upto: int, *, chosen: bool
    ) -> Sequence[Payload]:
        """Those of the events up to that seq that one of the group wants, and that came for none of the others.
        `chosen`: there are no others, and the store has read what these want.
        """
        now = self._edge.now()
        if isinstance(page, PayloadPage):  # others, if there are any, began meanwhile, and had nothing yet
            due = list(page.payloads) if group else []
        elif chosen:
            due = [(e.seq, e.payload) for e in page.events]
        else:
            return self._sorted_out(group, page.events, upto)
        while due and due[-1][0] > upto:
            due.pop()
        for subscription in group if due else ():
            subscription.last_sent = now
        return due

    def _sorted_out(
        self, group: Sequence["Subscription[Feed]"], events: Sequence[StoredEvent], upto: int
    ) -> Sequence[Payload]:
        now = self._edge.now()
        others = [s for s in self._all() if s not in group]
        due = []
        for event in events:
            if event.seq > upto:
                break
            wanting = [s for s in group if s.wants(event)]
            if wanting and not any(s.had(event) for s in others):
                due.append((event.seq, event.payload))
                for subscription in wanting:
                    subscription.last_sent = now
        return due
