"""Which events a subscription or a query wants."""

from dataclasses import dataclass
from typing import NamedTuple

EVENT_TYPES = frozenset({"status", "metrics", "progress", "log", "error", "info"})
ON_REQUEST = frozenset({"log"})
"""Types that are delivered only to those who ask for them by name."""


class EventKey(NamedTuple):
    """The facts of an event that filters look at."""

    type: str
    tag: str
    user: str
    service_uuid: str
    service_name: str
    job_id: str


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Every condition that is set must hold; None lets everything through (but for log lines)."""

    user: str | None = None
    service_uuid: str | None = None
    service_name: str | None = None
    job_id: str | None = None
    tags: frozenset[str] | None = None
    types: frozenset[str] | None = None

    def matches(self, key: EventKey) -> bool:
        """Whether an event with this key passes."""
        return (
            (key.type in self.types if self.types is not None else key.type not in ON_REQUEST)
            and (self.job_id is None or self.job_id == key.job_id)
            and (self.user is None or self.user == key.user)
            and (self.service_uuid is None or self.service_uuid == key.service_uuid)
            and (self.service_name is None or self.service_name == key.service_name)
            and (self.tags is None or key.tag in self.tags)
        )
