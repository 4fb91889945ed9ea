"""One commit on its way to the live feeds: frames made once, joined once for all who get the same of them."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from k12ai_ws.store.store import Payload, StoredEvent

from .index import Framing, Group, Index

PIECE_BYTES = 64 << 10
"""Frames are joined into pieces of about so many bytes: one send for a whole commit, as a rule."""


class Piece(NamedTuple):
    """Joined frames, the seq of the last one's event, and how many they are."""

    data: bytes
    last: int
    frames: int


class Member(Hashable, Protocol):
    """What a delivery asks of a feed."""

    @property
    def several(self) -> bool:
        """Whether it has more than one subscription: then it may be in several groups."""
        ...


F = TypeVar("F", bound=Member)


def joined(payloads: Iterable[Payload], framing: Framing) -> Iterator[Piece]:
    """The events' frames in pieces, in order."""
    frames: list[bytes] = []
    size, last = 0, 0
    for last, payload in payloads:
        frame = framing(payload, last)
        frames.append(frame)
        size += len(frame)
        if size >= PIECE_BYTES:
            yield Piece(b"".join(frames), last, len(frames))
            frames.clear()
            size = 0
    if frames:
        yield Piece(b"".join(frames), last, len(frames))


def plan(events: Sequence[StoredEvent], index: "Index[F]", now: float) -> Iterator[tuple[list[F], list[Piece]]]:
    """Who gets what: members, and the pieces for each of them. Each member comes once, each event once to a member.

    The groups are marked as served at `now`.
    """
    groups_of: dict[object, list[Group[F]]] = {}
    due: dict[Group[F], list[StoredEvent]] = {}
    for event in events:
        groups = groups_of.get(event.key)
        if groups is None:
            groups = groups_of[event.key] = index.matching(event.key)
        for group in groups:
            due.setdefault(group, []).append(event)
    made: dict[tuple[Framing, tuple[int, ...]], list[Piece]] = {}

    def pieces(wanted: Sequence[StoredEvent], framing: Framing) -> list[Piece]:
        key = (framing, tuple([e.seq for e in wanted]))
        found = made.get(key)
        if found is None:
            found = made[key] = list(joined([(e.seq, e.payload) for e in wanted], framing))
        return found

    shared: dict[F, list[Group[F]]] = {}
    plain: list[tuple[list[F], list[Piece]]] = []
    for group, wanted in due.items():
        group.last_sent = now
        alone = [member for member in group.members if not member.several]
        if len(alone) < len(group.members):
            for member in group.members:
                if member.several:
                    shared.setdefault(member, []).append(group)
        plain.append((alone, pieces(wanted, group.framing)))
    yield from plain
    unions: dict[tuple[Group[F], ...], list[Piece]] = {}
    for member, groups in shared.items():
        key = tuple(groups)
        if key not in unions:
            merged = {e.seq: e for group in groups for e in due[group]}
            unions[key] = pieces([merged[seq] for seq in sorted(merged)], groups[0].framing)
        yield [member], unions[key]
