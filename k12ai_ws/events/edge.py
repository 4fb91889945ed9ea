"""The live edge: what all feeds of a hub share."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Generic

from k12ai_ws.store.store import Store

from .delivery import Piece
from .index import Index, M


class Edge(Generic[M]):
    """`head`: the seq of the last event that was published. `live`: who is told of the next ones. `behind`: who catches
    up. `asking`: for each user, who asked for passing messages about it, live or not.

    `subscribed` counts the members that have a subscription now, `frames` and `sent_bytes` what all were sent ever.
    """

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self.store = store
        self.now = now
        self.head = store.head
        self.live: Index[M] = Index()
        self.asking: dict[str, dict[M, int]] = {}
        self.behind: set[M] = set()
        self.subscribed = 0
        self.frames = 0
        self.sent_bytes = 0
        self._moved: asyncio.Event | None = None
        self._even: asyncio.Event | None = None

    def advance(self, head: int) -> None:
        """Everything up to `head` was published."""
        self.head = head
        if self._moved is not None:
            self._moved.set()
            self._moved = None

    def sent(self, pieces: Iterable[Piece], times: int = 1) -> None:
        """These were sent to so many (-1: they were not, after all)."""
        for piece in pieces:
            self.frames += piece.frames * times
            self.sent_bytes += len(piece.data) * times

    def caught_up(self, member: M) -> None:
        """The member is live again, or gone."""
        self.behind.discard(member)
        if not self.behind and self._even is not None:
            self._even.set()
            self._even = None

    async def even(self) -> None:
        """Returns once nobody is behind."""
        while self.behind:
            if self._even is None:
                self._even = asyncio.Event()
            await self._even.wait()

    async def moved(self) -> None:
        """Returns after the next commit was published."""
        if self._moved is None:
            self._moved = asyncio.Event()
        await self._moved.wait()
