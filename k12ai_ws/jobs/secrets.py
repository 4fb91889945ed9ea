"""A job's record that knows what no event of the job may tell."""

import asyncio
from dataclasses import replace

from k12ai_ws.access.redaction import Redaction
from k12ai_ws.wire.job import JobRecord


async def guarded(record: JobRecord, redaction: Redaction) -> JobRecord:
    """The record with its secrets; looked for in a thread, for there may be many parameters."""
    return replace(record, secrets=await asyncio.to_thread(redaction.secrets, record.params))
