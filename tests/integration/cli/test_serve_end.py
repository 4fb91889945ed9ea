"""`k12ai serve` at its end: a second signal, systemd, and a log that nobody reads."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

from ..test_shutdown import TRAIN, head_of
from .conftest import K12ai, Running


async def test_a_second_signal_ends_it_at_once(k12ai: K12ai, tmp_path: Path) -> None:
    server = await k12ai.begin(
        "serve", "--port", 0, "--data-dir", tmp_path / "data", "--json", K12AI_SHUTDOWN__REQUESTS_S="600"
    )
    address = json.loads(await server.line())["address"]
    port = int(address.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {TRAIN} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n".encode())
    writer.write(b"Expect: 100-continue\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.stderr is not None
    while b"the server ends; its jobs go on" not in await asyncio.wait_for(server.process.stderr.readline(), 30):
        pass
    done = await server.interrupt(signal.SIGTERM)
    assert done.code == 128 + signal.SIGTERM
    assert "a second SIGTERM" in done.err
    writer.close()


async def test_systemd_is_told(k12ai: K12ai, tmp_path: Path) -> None:
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.setblocking(False)
    loop = asyncio.get_running_loop()
    server = await k12ai.begin(
        "serve", "--port", 0, "--data-dir", tmp_path / "data", NOTIFY_SOCKET=str(tmp_path / "notify")
    )
    assert await asyncio.wait_for(loop.sock_recv(heard, 99), 30) == b"READY=1"
    server.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(loop.sock_recv(heard, 99), 30) == b"STOPPING=1"
    assert (await server.end()).code == 0
    heard.close()


async def test_a_log_that_nobody_reads_holds_up_nothing(k12ai: K12ai, tmp_path: Path) -> None:
    unread, stderr = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "k12ai_ws.cli", "serve", "--port", "0", "--data-dir", str(tmp_path / "data"), "--json",
        "--log-level", "debug", env=k12ai.environ, stdout=asyncio.subprocess.PIPE, stderr=stderr,
    )  # fmt: skip
    os.close(stderr)
    k12ai.running.append(Running(process))
    assert process.stdout is not None
    port = int(json.loads(await process.stdout.readline())["address"].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(600):  # some 300 bytes of log each, more than a pipe holds
        writer.write(f"GET /k12ai/framework/jobs/{'x' * 60} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert (await head_of(reader))[0] == 404
    writer.close()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0
    os.set_blocking(unread, False)
    written = os.read(unread, 1 << 20).count(b" 404 in ")
    assert 0 < written < 600, "the pipe was not full: the test proves nothing"
    os.close(unread)
