"""Statistics that a channel sends again and again, each stream by the name that its request gave it."""

import asyncio
from collections.abc import Callable

from k12ai_ws.access.principal import Caller
from k12ai_ws.wire.codes import Language
from k12ai_ws.wire.envelope import with_id
from k12ai_ws.wire.requests import ChannelStatsRequest

from .operations import Operations
from .websocket.connection import Connection


class StatsStreams:
    """Those of one connection, which waits with the next message until the client has taken the last one."""

    __slots__ = ("_caller", "_connection", "_language", "_operations", "_send", "_tasks")

    def __init__(
        self,
        operations: Operations,
        connection: Connection,
        caller: Caller,
        language: Language,
        send: Callable[[bytes], None],
    ) -> None:
        self._operations = operations
        self._connection = connection
        self._caller = caller
        self._language = language
        self._send = send
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, name: str) -> bool:
        return name in self._tasks

    def begin(self, name: str, request: ChannelStatsRequest, every: float) -> None:
        """Sends what is asked for now, and then once in so many seconds."""
        self._tasks[name] = asyncio.get_running_loop().create_task(self._run(name, request, every))

    def end(self, name: str) -> bool:
        """Ends one; whether there was such a one."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
        return task is not None

    def close(self) -> None:
        """Ends all of them."""
        for name in tuple(self._tasks):
            self.end(name)

    async def _run(self, name: str, request: ChannelStatsRequest, every: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._connection.closing:
            await self._connection.drained()
            self._send(await self._message(name, request))
            due = max(due + every, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _message(self, name: str, request: ChannelStatsRequest) -> bytes:
        operations, language = self._operations, self._language
        try:
            caller = operations.known(self._caller)
            return await operations.stats_message(request, caller, language=language, extra={"id": name})
        except Exception as e:  # noqa: BLE001 - Operations.fault reports what nobody expected
            user = request.username or ""
            return with_id(operations.fault(e, tag="platform", op="stats", language=language, user=user).payload, name)
