"""What the store's commits say of jobs: a listener as any other, so neither the store nor the jobs count anything."""

from collections import Counter
from collections.abc import Sequence

import orjson

from k12ai_ws.store.store import StoredEvent
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.status import JobStatus

from .counted import Counted


class Commits:
    """Counts events, launches, ends, and how long jobs wait and run. Remembers one moment of each active job."""

    def __init__(self, counted: Counted, active: Sequence[JobRecord] = ()) -> None:
        """`active` are the jobs that an earlier server left."""
        self._counted = counted
        self._since = {job.job_id: job.started_ms or job.created_ms for job in active}

    def committed(self, events: Sequence[StoredEvent]) -> None:
        """See `store.store.CommitListener`."""
        for kind, count in Counter(event.key.type for event in events).items():
            self._counted.events.labels(kind).inc(count)
            if kind == "status":
                for event in events:
                    if event.key.type == kind:
                        self._status(event)

    def _status(self, event: StoredEvent) -> None:
        message = orjson.loads(event.payload)
        job_id, service, now = event.key.job_id, event.key.service_name, message["timestamp"]
        status = JobStatus(message["status"]["value"])
        if status.terminal:
            reason = message["status"].get("reason", "unknown")
            self._counted.ends.labels(service, status.value, reason).inc()
            since = self._since.pop(job_id, None)
            if since is not None:
                self._counted.runs.observe(max(0, now - since) / 1000)
        elif status is JobStatus.QUEUED:
            self._since[job_id] = now
        elif status is JobStatus.STARTING:
            self._counted.waits.observe(max(0, now - self._since.get(job_id, now)) / 1000)
            self._since[job_id] = now
        elif status is JobStatus.RUNNING:
            self._counted.launches.labels(service).inc()
