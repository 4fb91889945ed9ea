"""`GET /metrics`: what the server measures, for Prometheus."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from k12ai_ws.access.scope import require_admin
from k12ai_ws.events.hub import Hub
from k12ai_ws.jobs.manager import JobManager
from k12ai_ws.monitor.monitor import Monitor
from k12ai_ws.store.store import Store
from k12ai_ws.telemetry.now import Now
from k12ai_ws.wire.status import JobStatus

from .connections import Connections
from .context import Answer
from .readiness import Readiness
from .rest import RestHandler
from .sse_streams import Streams

ACTIVE = [status.value for status in JobStatus if not status.terminal]


class Look:
    """One look at everything, on the event loop: nothing here waits, but for what `/ready` asks."""

    def __init__(
        self,
        *,
        version: str,
        readiness: Readiness,
        jobs: JobManager,
        store: Store,
        hub: Hub,
        connections: Connections,
        streams: Streams,
        monitor: Monitor,
        log_dropped: Callable[[], int],
        data_dir: Path,
        store_path: Path,
    ) -> None:
        self._version = version
        self._readiness = readiness
        self._jobs = jobs
        self._store = store
        self._hub = hub
        self._connections = connections
        self._streams = streams
        self._monitor = monitor
        self._log_dropped = log_dropped
        self._data_dir = data_dir
        self._store_path = store_path

    async def __call__(self) -> Now:
        """What there is now."""
        found = await self._readiness.check()
        jobs = Counter(job.status.value for job in self._jobs.active())
        census = self._hub.census()
        host = self._monitor.last()
        return Now(
            version=self._version,
            ready=found["ready"],
            checks={name: check["ok"] for name, check in found["checks"].items()},
            jobs={status: jobs[status] for status in ACTIVE},
            head=self._store.head,
            subscribers={"live": census.live, "catching_up": census.catching_up},
            lag=census.lag,
            connections={"websocket": len(self._connections), "sse": len(self._streams)},
            frames=census.frames,
            sent_bytes=census.sent_bytes,
            log_dropped=self._log_dropped(),
            data_dir=self._data_dir,
            store=self._store_path,
            cpus=host.cpus.value if host.cpus else None,
            gpus=tuple(host.gpu_reading.gpus),
        )


class MetricsHandler(RestHandler):
    """`GET /metrics`: Prometheus' text format, or OpenMetrics where the scraper asks for it."""

    tag = "platform"
    op = "metrics"
    counted = False

    def takes_strangers(self) -> bool:
        """Where the operator opened it (`access.open_metrics`): a scraper without a token."""
        return self.context.settings.access.open_metrics

    async def get(self) -> None:
        """200 with the metrics."""
        await self.guarded(self._get())

    async def _get(self) -> Answer:
        if not self.takes_strangers():
            require_admin(self.principal, self.request.path)
        accept = self.request.headers.get("Accept", "")
        payload, content_type = await self.context.metrics.scrape(accept, self.context.look)
        self.set_header("Content-Type", content_type)
        return Answer(payload)

    def reply(self, answer: Answer) -> None:
        """The metrics as they are; an error as everywhere."""
        if answer.status == 200:
            self.finish(answer.payload)
        else:
            super().reply(answer)
