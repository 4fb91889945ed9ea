"""What a statistics request may ask for, and which of it a query selects."""

from collections.abc import Mapping
from typing import Literal, get_args

Item = Literal["cpus", "gpus", "disks", "containers"]
"""A key of the request's `query`."""

ITEMS: tuple[Item, ...] = get_args(Item)
HOST_ITEMS: frozenset[Item] = frozenset({"cpus", "gpus", "disks"})
"""What the host's own sampler reads; `containers` come from the launchers."""


def select(query: Mapping[str, bool | None] | None) -> frozenset[Item]:
    """The items that a `query` asks for.

    With no query, all; where any key is true, exactly those; otherwise all but those named false. None as a value
    reads as not named. Raises ValueError for a key that is no item.

    >>> sorted(select({"cpus": True, "disks": False}))
    ['cpus']
    >>> sorted(select({"disks": False}))
    ['containers', 'cpus', 'gpus']
    """
    named = {key: value for key, value in (query or {}).items() if value is not None}
    unknown = named.keys() - set(ITEMS)
    if unknown:
        raise ValueError(f"unknown query key {sorted(unknown)}: the keys are {', '.join(ITEMS)}")
    wanted: frozenset[Item] = frozenset(item for item in ITEMS if named.get(item))
    return wanted or frozenset(item for item in ITEMS if item not in named)
