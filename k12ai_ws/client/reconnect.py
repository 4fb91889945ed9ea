"""One stream of messages over as many connections as it takes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from .backoff import Backoff
from .channel import Channel, ChannelClosed
from .errors import ClientError, NotAllowed, ProtocolError, ServerFailed, TooMany, Unreachable
from .message import Message

FORBIDDEN = frozenset({4401, 4403})
"""Close codes after which coming back is of no use."""

Session = Callable[[Channel], AsyncGenerator[Message, None]]
"""What is said on one connection: it asks for the stream, and gives its messages. Its return ends the stream."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection was lost, or attempt number `attempt` - 1 to renew it failed; the next one is in `delay_s`."""

    attempt: int
    delay_s: float
    why: str


class Reconnecting:
    """Opens connections, one after the other, until a session says that it is done.

    A server that was never reached is reported at once; one that was reached before is waited for.
    """

    def __init__(
        self,
        open_channel: Callable[[], Awaitable[Channel]],
        backoff: Backoff,
        on_lost: Callable[[Lost], None] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._open = open_channel
        self._backoff = backoff
        self._on_lost = on_lost
        self._sleep = sleep
        self._attempt = 0

    def progress(self) -> None:
        """A session calls it when something came through: the next loss starts from the shortest delay."""
        self._attempt = 0

    async def messages(self, session: Session) -> AsyncGenerator[Message, None]:
        """The session's messages, begun anew on each connection. Raises ClientError."""
        reached = False
        while True:
            try:
                channel = await self._open()
                reached = True
                try:
                    async with aclosing(session(channel)) as said:
                        async for message in said:
                            yield message
                    return
                finally:
                    await channel.close()
            except ChannelClosed as e:
                if e.code in FORBIDDEN:
                    raise
                await self._pause(e)
            except NotAllowed:
                raise
            except (Unreachable, ProtocolError, ServerFailed, TooMany) as e:
                # A proxy in front of a restarting server answers with pages of its own.
                if not reached:
                    raise
                await self._pause(e)

    async def _pause(self, error: ClientError) -> None:
        self._attempt += 1
        if self._backoff.exhausted(self._attempt):
            raise error
        delay = self._backoff.delay(self._attempt)
        if self._on_lost is not None:
            self._on_lost(Lost(self._attempt, delay, getattr(error, "why", None) or str(error)))
        await self._sleep(delay)
