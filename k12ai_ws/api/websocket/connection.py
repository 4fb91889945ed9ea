"""One open WebSocket on the socket itself: messages in, frames out (`outgoing.py`), the closing handshake.

Why below Tornado: `write_message` makes a frame, a future, a coroutine and a task for each receiver, `IOStream.write` a
future; both cost more than the kernel's own send. Here a frame that the socket takes at once costs one call of `send`.
An idle connection has no task, no future and no buffer.

What is used of Tornado is public: the stream that `RequestHandler.detach` gave, its `socket`, `read_bytes` and `close`,
and `IOLoop.remove_handler`. The stream stays, to own the socket; it is never read or written again. `add_reader` and
`add_writer` of the event loop do the rest. It is the same through TLS: the socket then is an `ssl.SSLSocket`, which
says in words of its own that it would block.
"""

import asyncio
import socket
from enum import IntEnum
from typing import Protocol

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError

from .frames import CLOSE, PING, PONG, TEXT, close_frame, control_frame
from .outgoing import BLOCKED, Outgoing
from .reader import FRAGMENT, Message, MessageReader, Violation

READ_BYTES = 64 << 10
TURN = 32
"""Messages of one client that are handled before others have their turn."""
GOODBYE_S = 5.0
"""A closing handshake takes so long at most."""


class Listener(Protocol):
    """Whoever the messages are for."""

    def on_message(self, payload: bytes, *, text: bool) -> bool:
        """A message; False: no further one before `Connection.resume`."""
        ...

    def on_pong(self) -> None:
        """The client lives."""
        ...

    def on_close(self) -> None:
        """The connection is gone. Called once, never from within a call of the listener's own."""
        ...


class State(IntEnum):
    """From the opening to the end, in this order."""

    OPEN = 0
    CLOSING = 1
    """Our Close is sent: the client's is awaited, and nothing else that it sends is looked at."""
    LEAVING = 2
    """Nothing is looked at; ends once all is sent and read."""
    CLOSED = 3


class Connection(Outgoing):
    """Lives on the event loop. A message of the client's has `max_message` bytes at most.

    Nothing is read while the listener is busy, or while the client does not take what it is sent.
    """

    __slots__ = ("_busy", "_lingers", "_listener", "_reader", "_reading", "_state", "_stream", "_timer")

    def __init__(self, stream: IOStream, *, limit: int, max_message: int) -> None:
        super().__init__(stream.socket, limit)
        self._stream = stream
        self._reader = MessageReader(max_message)
        self._listener: Listener | None = None
        self._state = State.OPEN
        self._busy = False  # the listener is
        self._lingers = False  # the client broke the protocol, and may be in the middle of sending
        self._reading = False
        self._timer: asyncio.TimerHandle | None = None

    def open(self, listener: Listener) -> None:
        """Takes the socket from the stream, which has nothing left to write, and begins to read."""
        self._listener = listener
        try:
            pending = asyncio.ensure_future(self._stream.read_bytes(self._stream.max_buffer_size, partial=True))
            early = pending.result() if pending.done() else b""  # came with the handshake, ahead of its answer
        except StreamClosedError:
            self._end()
            return
        IOLoop.current().remove_handler(self._socket)
        self._reader.feed(early)
        self._loop.call_soon(self._deliver)

    # ---- out

    @property
    def closing(self) -> bool:
        """Whether a Close was sent or came, or the connection is gone: nothing may follow (RFC 6455, section 5.5.1)."""
        return self._state is not State.OPEN

    def ping(self) -> None:
        """Asks for a pong."""
        self.send(control_frame(PING))

    def close(self, code: int, reason: str) -> None:
        """Begins the closing handshake; a client that takes no part in it is cut off."""
        if self._state is State.OPEN:
            self._say_close(State.CLOSING, code, reason)
            self._loop.call_soon(self._deliver)

    def fail(self) -> None:
        """Hangs up, with no handshake."""
        self._end()

    def end(self) -> None:
        """See `events.feed.Sink`."""
        self.close(1011, "the event log is damaged: the error before this says where")

    def _say_close(self, then: State, code: int | None, reason: str) -> None:
        self.send(close_frame(code, reason))
        if self._state is State.OPEN:
            self._state, self._sealed = then, True
            self._timer = self._loop.call_later(GOODBYE_S, self._end)

    def _drained(self) -> None:
        self._loop.call_soon(self._deliver)

    def _flushed(self) -> None:
        if self._state is State.LEAVING:
            self._leave()

    # ---- in

    def resume(self) -> None:
        """The listener is free for the next message."""
        self._busy = False
        self._deliver()

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BLOCKED:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
        elif self._state is not State.LEAVING:
            self._reader.feed(data)
            self._deliver()

    def _deliver(self) -> None:
        """Hands on what was read, until there is no more or the listener, the backlog or the others' turn says stop."""
        for _ in range(TURN):
            if self._state >= State.LEAVING:
                return
            if self._state is State.OPEN and (self._busy or self._room is not None):
                self._read(on=False)
                return
            try:
                message = self._reader.next()
            except Violation as e:
                self._violated(e)
                return
            if message is None:
                self._read(on=True)
                return
            self._take(message)
        self._read(on=False)
        self._loop.call_soon(self._deliver)

    def _read(self, *, on: bool) -> None:
        if on != self._reading and self._state is not State.CLOSED:
            self._reading = on
            if on:
                self._loop.add_reader(self._socket, self._on_readable)
            else:
                self._loop.remove_reader(self._socket)

    def _take(self, message: Message) -> None:
        if message.opcode == CLOSE:
            self._answer_close(message.payload)
        elif self._state is State.OPEN and self._listener is not None and message is not FRAGMENT:
            if message.opcode == PING:
                self.send(control_frame(PONG, message.payload))
            elif message.opcode == PONG:
                self._listener.on_pong()
            else:
                self._busy = not self._listener.on_message(message.payload, text=message.opcode == TEXT)

    # ---- the end

    def _answer_close(self, payload: bytes) -> None:
        if self._state is State.OPEN:
            self._say_close(State.LEAVING, int.from_bytes(payload[:2], "big") if payload else None, "")
        if self._state is not State.CLOSED:
            self._state = State.LEAVING
            self._read(on=False)
            self._leave()

    def _violated(self, violation: Violation) -> None:
        self._lingers = True
        self._say_close(State.LEAVING, violation.code, violation.reason)
        if self._state is not State.CLOSED:
            self._state = State.LEAVING
            self._read(on=True)
            self._leave()

    def _leave(self) -> None:
        """Nothing more will be sent or looked at. What the client still sends is read and thrown away until it hangs up
        too: closing a socket with bytes unread would take the Close back from it.
        """
        if self._waiting is not None:  # it is flushed first
            return
        if not self._lingers and not self._unread():
            self._end()
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._end()
        self._read(on=True)

    def _unread(self) -> bool:
        try:
            return bool(self._socket.recv(READ_BYTES))
        except OSError:
            return False

    def _end(self) -> None:
        """Closes the socket. Everything that anyone waits for is over."""
        if self._state is State.CLOSED:
            return
        self._read(on=False)
        self._state = State.CLOSED
        self._stop_sending()
        self._stream.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._listener is not None:
            self._loop.call_soon(self._listener.on_close)
            self._listener = None
