"""The Python client: start and stop jobs, look at them, and follow their events through lost connections.

    async with Client("http://127.0.0.1:8170") as client:
        job = await client.start("k12cv", "train", user="ann", service_uuid="digits-1", params={"epochs": 5})
        async for event in client.follow_job(job.job_id):
            print(event.type, event.body)

It needs a running asyncio loop and imports nothing of the server but the contract's types (`k12ai_ws.wire`).
"""

from .backoff import Backoff
from .client import Client, JobsPage
from .errors import (
    ClientError,
    Conflict,
    Invalid,
    JobOver,
    NotAllowed,
    NotFound,
    ProtocolError,
    Pruned,
    Refused,
    ServerFailed,
    TooMany,
    Unreachable,
)
from .message import Message
from .reconnect import Lost
from .rest import AddressError, TokenError

__all__ = [
    "AddressError",
    "Backoff",
    "Client",
    "ClientError",
    "Conflict",
    "Invalid",
    "JobOver",
    "JobsPage",
    "Lost",
    "Message",
    "NotAllowed",
    "NotFound",
    "ProtocolError",
    "Pruned",
    "Refused",
    "ServerFailed",
    "TokenError",
    "TooMany",
    "Unreachable",
]
