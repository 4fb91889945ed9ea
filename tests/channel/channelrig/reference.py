"""The reference that the server is judged by: a list of events, and what a connection's filters are owed of it."""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from k12ai_ws.store.store import StoredEvent

SUCCESS, WRONG, GONE, MANY, NOT_FOUND = 100000, 100102, 100107, 100108, 100205
Wanted = dict[str, Any]
"""A filter as the wire spells it."""


@dataclass(frozen=True)
class Event:
    """A stored event. What filters look at is read from its own bytes."""

    seq: int
    payload: bytes
    message: dict[str, Any]

    def passes(self, wanted: Wanted) -> bool:
        """The contract's filter: all that is given must hold; log lines only where `type` names them."""
        for name, value in wanted.items():
            if isinstance(value, list):
                if self.message[name] not in value:
                    return False
            elif self.message[name] != value:
                return False
        return self.message["type"] != "log" or "type" in wanted


class Log:
    """All events ever stored. `kept` are the seqs that a replay still gives; whoever prunes takes them out of it and
    moves `earliest`.
    """

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.earliest = 1
        self.head = 0
        self.kept: list[int] = []
        self._ever: dict[int, Event] = {}

    def committed(self, events: Sequence[StoredEvent]) -> None:
        """The store's listener."""
        for stored in events:
            assert stored.seq == self.head + 1, f"seq {stored.seq} follows {self.head}"
            event = Event(stored.seq, stored.payload, json.loads(stored.payload))
            assert event.message["seq"] == stored.seq
            self.head = stored.seq
            self._ever[stored.seq] = event
            self.kept.append(stored.seq)

    def get(self, seq: int) -> Event:
        """The event, also if it was pruned since."""
        assert seq in self._ever, f"event {seq} was never stored; the head is {self.head}"
        return self._ever[seq]

    def between(self, after: int, upto: int) -> Iterator[Event]:
        """What is kept of (after, upto], the last one first."""
        for at in range(bisect_right(self.kept, upto) - 1, bisect_right(self.kept, after) - 1, -1):
            yield self._ever[self.kept[at]]

    def start(self, after: int | str, epoch: str | None, head: int) -> tuple[int, bool]:
        """Where a subscription begins that was acknowledged at this head, and whether it has all that it asked for."""
        if epoch is not None and epoch != self.epoch:
            return self.earliest - 1, False
        if isinstance(after, str):
            return (head if after == "now" else self.earliest - 1), True
        if after > head or after < self.earliest - 1:
            return self.earliest - 1, False
        return after, True


@dataclass
class Subscription:
    """`given`: the seqs that came while it asked for them. `passed`: all that it is owed up to there has come."""

    wanted: Wanted
    start: int
    passed: int
    given: set[int] = field(default_factory=set)


class View:
    """What one connection is owed, frame by frame in the order in which they come."""

    def __init__(self, log: Log, max_subscriptions: int) -> None:
        self._log = log
        self._most = max_subscriptions
        self.subscriptions: dict[str, Subscription] = {}
        self._last = 0  # no seq up to this one may come
        self._again: set[int] = set()  # given for a subscription that has ended: another one may give them once more

    def event(self, payload: bytes) -> None:
        """An event came."""
        seq = json.loads(payload)["seq"]
        event = self._log.get(seq)
        assert payload == event.payload, f"event {seq} came as {payload[:300]!r}, and is {event.payload[:300]!r}"
        asking = [s for s in self.subscriptions.values() if seq > s.start and event.passes(s.wanted)]
        assert asking, f"nobody asked for {seq}; the subscriptions are {self.subscriptions}"
        assert seq in self._again or not self._given(seq), f"event {seq} came twice"
        assert seq > self._last, f"event {seq} came after {self._last}"
        gap = next(self.missing(seq - 1), None)
        assert gap is None, f"event {seq} came, and {gap} before it did not"
        self._last = seq
        self._again.discard(seq)
        for subscription in asking:
            subscription.given.add(seq)
        for subscription in self.subscriptions.values():
            subscription.passed = max(subscription.passed, seq)

    def missing(self, upto: int, name: str | None = None) -> Iterator[int]:
        """What is owed up to this seq and has not come, to all subscriptions or to one."""
        for subscription in [self.subscriptions[name]] if name else self.subscriptions.values():
            for event in self._log.between(subscription.passed, upto):
                if event.passes(subscription.wanted) and event.seq not in self._again and not self._given(event.seq):
                    yield event.seq

    def subscribed(
        self, name: str, wanted: Wanted, after: int | str, epoch: str | None, answer: Any, least: int
    ) -> None:
        """The answer to a subscribe that was sent when the head was `least`."""
        if name in self.subscriptions:
            assert answer["error"]["code"] == WRONG, answer
            return
        if len(self.subscriptions) >= self._most:
            assert answer["error"]["code"] == MANY, answer
            return
        log, told = self._log, answer.get("info") or answer["error"]["detail"]
        head = told["head"]
        assert least <= head <= log.head, (least, answer, log.head)
        start, recovered = log.start(after, epoch, head)
        if recovered:
            told_is = {"epoch": log.epoch, "head": head, "recovered": True}
            assert {k: v for k, v in answer["info"].items() if k != "descr"} == {"code": SUCCESS} | told_is, answer
        else:
            assert answer["error"]["code"] == GONE, answer
            earliest = self._earliest(wanted, told["earliest"])
            assert told == {"epoch": log.epoch, "earliest": earliest, "head": head, "recovered": False}, answer
            start = earliest - 1
        self.subscriptions[name] = Subscription(wanted, start, start)
        self._last = min(self._last, start)

    def _earliest(self, wanted: Wanted, told: int) -> int:
        """The seq that a new beginning has: the log's, or, for one job, any with nothing of it before."""
        if "job_id" not in wanted or not self._log.earliest <= told <= self._log.head + 1:
            return self._log.earliest
        missed = any(event.passes(wanted) for event in self._log.between(0, told - 1))
        return self._log.earliest if missed else told

    def unsubscribed(self, name: str, answer: Any) -> None:
        """The answer to an unsubscribe."""
        ended = self.subscriptions.pop(name, None)
        if ended is None:
            assert answer["error"]["code"] == NOT_FOUND, answer
            return
        assert answer["info"]["code"] == SUCCESS, answer
        # A subscription from the past that has not got so far yet may have relied on the one that ends, or not.
        for subscription in self.subscriptions.values():
            for seq in ended.given:
                if seq > subscription.passed and self._log.get(seq).passes(subscription.wanted):
                    self._again.add(seq)

    def bookmarked(self, name: str, told: Any) -> None:
        """A bookmark: whoever resumes from it must lose nothing."""
        assert name in self.subscriptions
        assert told["epoch"] == self._log.epoch
        assert told["head"] <= self._log.head
        missing = next(self.missing(told["head"], name), None)
        assert missing is None, f"a bookmark at {told['head']}, and {missing} has not come"

    def _given(self, seq: int) -> bool:
        return any(seq in s.given for s in self.subscriptions.values())
