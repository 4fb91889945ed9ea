"""`/metrics`: all that is measured, in Prometheus' text format or OpenMetrics, as the scraper asks."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .counted import Counted
from .now import Now, families


class Metrics:
    """The server's metrics: a registry of their own, and `look`, which sees what there is now."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self.counted = Counted(self._registry)
        self._one_at_a_time = asyncio.Lock()

    async def scrape(self, accept: str, look: Callable[[], Awaitable[Now]]) -> tuple[bytes, str]:
        """The metrics, and their Content-Type; `accept` is the request's header Accept. One scrape at a time: files
        of the kernel and of the store are read in a thread.
        """
        encode, content_type = choose_encoder(accept)
        async with self._one_at_a_time:
            now = await look()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, lambda: encode(_All(self._registry, now))), content_type


class _All(Collector):
    """What was counted, and what there is."""

    def __init__(self, registry: CollectorRegistry, now: Now) -> None:
        self._registry = registry
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        yield from families(self._now)
        yield from _without_births(self._registry.collect())


def _without_births(found: Iterable[Metric]) -> Iterator[Metric]:
    """Without the series `…_created` that the library adds to every other one: they double their number, and nobody
    here asks when a counter began, which is when the process did.
    """
    for metric in found:
        metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
        yield metric
