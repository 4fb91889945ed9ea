"""Following events: a subscription that remembers how far it came, and goes on from there on the next connection."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.filter import EventFilter

from .channel import Channel
from .errors import refusal
from .message import Message
from .reconnect import Reconnecting

NAME = "follow"
"""The subscription's id: there is one per connection."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a server's log: strictly after `after` in the log `epoch` (None: whichever is there)."""

    after: int | Literal["start", "now"]
    epoch: str | None = None


def wire_filter(wanted: EventFilter) -> dict[str, Any]:
    """The filter as the channel spells it."""
    plain = {name: getattr(wanted, name) for name in ("user", "service_uuid", "service_name", "job_id")}
    lists = {"tag": wanted.tags, "type": wanted.types}
    return {k: v for k, v in plain.items() if v is not None} | {k: sorted(v) for k, v in lists.items() if v is not None}


class Following:
    """One subscription over many connections. `position` is the resume token after each message given.

    With `is_over` it follows one job: the stream ends with the job's last event. `is_over(position)` tells whether
    that event lies before the position already; it raises NotFound where the job is unknown.
    """

    def __init__(
        self,
        wanted: EventFilter,
        position: Position,
        reconnecting: Reconnecting,
        is_over: Callable[[Position], Awaitable[bool]] | None = None,
    ) -> None:
        self._types = wanted.types
        asked = wire_filter(wanted)
        if is_over is not None and wanted.types is not None:
            asked["type"] = sorted(wanted.types | {"status"})  # the job's end is a status
        self._filter = asked
        self._is_over = is_over
        self._reconnecting = reconnecting
        self.position = position

    def messages(self) -> AsyncGenerator[Message, None]:
        """Events in order of seq, none lost, none twice.

        Where the server no longer has what was asked for, its error 100107 is given and the stream goes on from the
        earliest event that it has. Raises ClientError.
        """
        return self._reconnecting.messages(self._session)

    async def _session(self, channel: Channel) -> AsyncGenerator[Message, None]:
        request = {"tag": "channel", "op": "subscribe", "id": NAME, "filter": self._filter}
        epoch = {} if self.position.epoch is None else {"epoch": self.position.epoch}
        await channel.send({**request, "after": self.position.after, **epoch})
        while True:
            message = await channel.receive()
            if message.seq is not None and message.id is not None:  # an answer, and no event of the subscription
                continue
            if message.seq is None:
                if message.tag == "channel":
                    if self._answered(message):
                        self._reconnecting.progress()
                        yield message
                    if message.op == "subscribe" and self._is_over and await self._is_over(self.position):
                        return
                elif self._types is None or message.type in self._types:
                    yield message  # pushed statistics: unstored, they move no position
                continue
            if isinstance(self.position.after, int) and message.seq <= self.position.after:
                continue
            self._reconnecting.progress()
            self.position = Position(message.seq, self.position.epoch)
            if self._types is None or message.type in self._types:
                yield message
            if self._is_over is not None and message.ends_job:
                return

    def _answered(self, message: Message) -> bool:
        """Takes the position from an acknowledgement, a bookmark or a 100107; whether it is one to give on."""
        body = message.body
        if message.type == "error":
            refused = refusal(message)
            if refused.code != Code.EVENTS_PRUNED:
                raise refused
            self.position = Position(max(0, int(refused.detail["earliest"]) - 1), str(refused.detail["epoch"]))
            return True
        if message.op == "bookmark":
            self._reconnecting.progress()
            self.position = Position(int(body["head"]), str(body["epoch"]))
        elif message.op == "subscribe":
            after = self.position.after
            if after == "now":
                after = int(body["head"])
            self.position = Position(0 if after == "start" else after, str(body["epoch"]))
        return False
