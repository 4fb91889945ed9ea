"""Which metrics events of a job may go so that its plots look the same: pure, and bounded in memory.

A job's metrics events are cut into buckets of as many events each. Of every name, a bucket keeps the first event that
has it, the last, and those with its lowest and its highest value; also the first that has it without a value (null). An
event stays where it is any of these for any of its names: one event carries many.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MAX_NAMES = 1000
"""Names that a bucket looks at; an event with one beyond these stays."""
MAX_BUCKET = 20_000
"""Events of a bucket: bounds the memory of thinning."""


def bucket_size(events: int, points: int) -> int:
    """How many events a bucket holds, so that about `points` of each name are left of so many events."""
    return min(MAX_BUCKET, max(1, -(-events // max(1, points // 4))))


@dataclass(slots=True)
class _Name:
    """The seqs that a name keeps, and the values that made them."""

    first: int
    last: int
    null: int | None = None
    low: tuple[float, int] | None = None
    high: tuple[float, int] | None = None

    def seqs(self) -> Iterable[int]:
        yield self.first
        yield self.last
        if self.null is not None:
            yield self.null
        for extreme in (self.low, self.high):
            if extreme is not None:
                yield extreme[1]


class Bucket:
    """Metrics events that follow one another. `add` them in order of seq, then ask for the `doomed`."""

    def __init__(self) -> None:
        self._names: dict[str, _Name] = {}
        self._stay: set[int] = set()
        self._seqs: list[int] = []

    def __len__(self) -> int:
        return len(self._seqs)

    def add(self, seq: int, values: Mapping[str, object] | None) -> None:
        """An event and its metrics, name -> number or null; None where it could not be read: then it stays."""
        self._seqs.append(seq)
        if not values:
            self._stay.add(seq)
            return
        for name, value in values.items():
            self._note(seq, name, value)

    def _note(self, seq: int, name: str, value: object) -> None:
        known = self._names.get(name)
        if known is None:
            if len(self._names) >= MAX_NAMES:
                self._stay.add(seq)
                return
            known = self._names[name] = _Name(seq, seq)
        known.last = seq
        if value is None:
            known.null = seq if known.null is None else known.null
        elif isinstance(value, int | float):
            if known.low is None or value < known.low[0]:
                known.low = (value, seq)
            if known.high is None or value > known.high[0]:
                known.high = (value, seq)
        else:
            self._stay.add(seq)

    def doomed(self) -> Sequence[int]:
        """The seqs that may go, in order."""
        stay = self._stay.union(*(name.seqs() for name in self._names.values()))
        return [seq for seq in self._seqs if seq not in stay]
