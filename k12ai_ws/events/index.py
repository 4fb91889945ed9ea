"""Who is live: groups of equal subscriptions, found by the facts of an event.

A commit costs what matches it, not what is subscribed: an event is looked up by its own job, user, service and so on,
and a filter is asked once for all who have it.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from k12ai_ws.wire.filter import EventFilter, EventKey

M = TypeVar("M", bound=Hashable)

Framing = Callable[[bytes, int | None], bytes]
"""How a connection spells a message: its payload, and the seq of a stored event (None: a passing message), become the
bytes that are sent. Feeds with the same framing share them.
"""


class Group(Generic[M]):
    """The live members with one filter and one framing. `last_sent`: when all of them last got an event."""

    __slots__ = ("framing", "last_sent", "members", "wanted")

    def __init__(self, wanted: EventFilter, framing: Framing) -> None:
        self.wanted = wanted
        self.framing = framing
        self.members: dict[M, int] = {}  # a member with several subscriptions of the kind is counted
        self.last_sent = float("-inf")


class Index(Generic[M]):
    """The groups, each in the bucket of its most selective condition."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str | None, ...], dict[tuple[EventFilter, Framing], Group[M]]] = {}

    def add(self, member: M, wanted: EventFilter, framing: Framing) -> Group[M]:
        """Puts the member into the group of its like."""
        bucket = self._buckets.setdefault(_bucket_of(wanted), {})
        group = bucket.get((wanted, framing))
        if group is None:
            group = bucket[wanted, framing] = Group(wanted, framing)
        group.members[member] = group.members.get(member, 0) + 1
        return group

    def remove(self, member: M, group: Group[M]) -> None:
        """Takes back one `add`."""
        left = group.members.pop(member) - 1
        if left:
            group.members[member] = left
        elif not group.members:
            place = _bucket_of(group.wanted)
            bucket = self._buckets[place]
            del bucket[group.wanted, group.framing]
            if not bucket:
                del self._buckets[place]

    def members(self) -> set[M]:
        """All of them."""
        return {m for bucket in self._buckets.values() for group in bucket.values() for m in group.members}

    def matching(self, key: EventKey) -> list[Group[M]]:
        """The groups that want an event with this key."""
        return [group for group in self._candidates(key) if group.wanted.matches(key)]

    def _candidates(self, key: EventKey) -> Iterator[Group[M]]:
        for place in (
            ("job_id", key.job_id),
            ("user and service_uuid", key.user, key.service_uuid),
            ("user", key.user),
            ("service_uuid", key.service_uuid),
            ("service_name", key.service_name),
            ("all",),
        ):
            yield from self._buckets.get(place, {}).values()


def _bucket_of(wanted: EventFilter) -> tuple[str | None, ...]:
    if wanted.job_id is not None:
        return ("job_id", wanted.job_id)
    if wanted.user is not None:
        if wanted.service_uuid is not None:
            return ("user and service_uuid", wanted.user, wanted.service_uuid)
        return ("user", wanted.user)
    if wanted.service_uuid is not None:
        return ("service_uuid", wanted.service_uuid)
    if wanted.service_name is not None:
        return ("service_name", wanted.service_name)
    return ("all",)
