"""A browser: Chromium without a window, in a process of its own, and a test's connection to it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

PATIENCE_S = 90.0
LARGEST_ANSWER = 64 << 20
FOREIGN = "elsewhere.example"
"""A name that leads to this machine in the browser alone: its pages are of another site than the server's."""
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root has none, and all pages are the tests' own
    "--remote-debugging-port=0",
    "--disable-dev-shm-usage",  # small in containers
    "--disable-gpu",
    "--no-first-run",
    "--disable-component-update",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--ignore-certificate-errors",  # the server's is the test's own
    # A page that no address is known of (see page.py) would have to ask the person before it calls this machine; and
    # what keeps other pages out is to be the server.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
    "--no-proxy-server",
    f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # it calls nobody else
)


class Browser:
    """The process. It keeps what it writes in `folder`."""

    def __init__(self, program: str, folder: Path) -> None:
        self._folder = folder
        with (folder / "browser.log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, *OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=os.environ | {"HOME": str(folder)},
            )  # fmt: skip

    def address(self) -> str:
        """Where it takes commands: waits until it does, and gives the WebSocket's URL."""
        found, deadline = self._folder / "profile" / "DevToolsActivePort", time.monotonic() + PATIENCE_S
        while not found.exists() or len(lines := found.read_text().split("\n")) < 2:
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "browser.log").read_text(errors="replace")
                raise AssertionError(f"the browser does not start: {said}")
            time.sleep(0.02)
        return f"ws://127.0.0.1:{lines[0]}{lines[1]}"

    def close(self) -> None:
        """Ends it, and all processes that it started."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_S / 3)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class DevTools:
    """A connection to a browser over the DevTools protocol. Use `connected`."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, address: str) -> AsyncIterator["DevTools"]:
        """Closed at the end."""
        request = HTTPRequest(address, connect_timeout=PATIENCE_S)
        tools = cls(await websocket_connect(request, max_message_size=LARGEST_ANSWER))
        try:
            yield tools
        finally:
            tools._connection.close()
            await asyncio.wait_for(tools._reading, PATIENCE_S)

    def listen(self, session: str, listener: Callable[[str, dict[str, Any]], None]) -> None:
        """`listener(method, params)` gets the events of this session."""
        self._listeners[session] = listener

    async def ask(self, method: str, session: str | None = None, /, **params: Any) -> dict[str, Any]:
        """Sends a command; its result. Raises AssertionError where the browser refuses it, TimeoutError."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        await self._connection.write_message(json.dumps(message))
        async with asyncio.timeout(PATIENCE_S):
            return await answer

    async def _read(self) -> None:
        while (text := await self._connection.read_message()) is not None:
            message = json.loads(text)
            answer = self._asked.pop(message.get("id", 0), None)
            if answer is None:
                listener = self._listeners.get(message.get("sessionId", ""))
                if listener is not None and "method" in message:
                    listener(message["method"], message["params"])
            elif not answer.done():
                if "error" in message:
                    answer.set_exception(AssertionError(f"the browser refuses: {message['error']}"))
                else:
                    answer.set_result(message["result"])
        for answer in self._asked.values():
            answer.cancel()
