"""The requests under way, from their heads to the last bytes of their answers: a server that ends waits for them."""

import asyncio
import logging

log = logging.getLogger(__name__)


class Underway:
    """Lives on the event loop. `leaving` says that the server ends: answers close their connections from then on."""

    def __init__(self) -> None:
        self._requests: set[object] = set()
        self._none = asyncio.Event()
        self._none.set()
        self.leaving = False

    def __len__(self) -> int:
        return len(self._requests)

    def begin(self, request: object) -> None:
        """Its head was read."""
        self._requests.add(request)
        self._none.clear()

    def end(self, request: object) -> None:
        """Its answer was sent whole, or nobody is there to take it."""
        self._requests.discard(request)
        if not self._requests:
            self._none.set()

    async def ended(self, timeout_s: float) -> None:
        """Waits until there is none, for `timeout_s` seconds at most."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._none.wait()
        except TimeoutError:
            log.warning("%d requests have no answer after %g s and are cut off", len(self._requests), timeout_s)
