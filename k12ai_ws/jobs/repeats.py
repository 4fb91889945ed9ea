"""Starts that are sent again under the same Idempotency-Key."""

import asyncio
from weakref import WeakValueDictionary

from k12ai_ws.store.store import Store, StoredEvent
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.requests import refuse

STATUS_PAGES = 5
"""Pages of a job's events that are looked through for its last status."""


class Repeats:
    """Finds the job that an earlier start with the same key made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def lock(self, user: str, key: str) -> asyncio.Lock:
        """To be held from looking for the job of (user, key) to having made it."""
        return self._locks.setdefault((user, key), asyncio.Lock())

    async def job(self, user: str, key: str, digest: str | None) -> JobRecord | None:
        """The job that the key made. Raises Refusal where it was another request (its digest differs), StoreError."""
        made = await self._store.job_by_idempotency_key(user, key)
        if made is not None and made.request_digest != digest:
            raise refuse(
                Code.VALUE_INVALID,
                f"Idempotency-Key {key!r} was used for another request (job {made.job_id}): "
                "take a new key for a new request",
                fields=[{"loc": "Idempotency-Key", "msg": "used for another request", "type": "reused"}],
            )
        return made

    async def last_status(self, job_id: str) -> StoredEvent | None:
        """The job's last stored status; None where it has too many events to look for it. Raises StoreError."""
        wanted, head, after = EventFilter(job_id=job_id, types=frozenset({"status"})), self._store.head, 0
        last: StoredEvent | None = None
        for _ in range(STATUS_PAGES):
            page = await self._store.replay(wanted, after)
            last, after = (page.events[-1] if page.events else last), page.scanned
            if after >= head:
                return last
        return None
