"""A load client for where there is no faster one, and for different messages on each connection.

It takes the options of `wsload` that the benchmark uses and prints the same line of JSON: -p PORT, -u PATH,
-c CONNECTIONS, -M MESSAGE (`@FILE`: a line for each connection), -s SKIP, -m FRAMES (none: hold the connections),
-n FRAMES_IN_ALL, -t SECONDS, -z STALLED, -g KEY (a number that rises by one from frame to frame; breaks are counted).
"""

import argparse
import asyncio
import json
import re
import resource
import sys
import time
from pathlib import Path

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SENT = re.compile(rb'"sent_ns": ?([0-9]+)')


class Run:
    """What all connections count together."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.opened = self.closed = self.frames = self.bytes = self.gaps = self.done = 0
        self.first = self.last = 0.0
        self.latencies: list[int] = []
        self.all_open, self.over = asyncio.Event(), asyncio.Event()
        self.seq = re.compile(rb'"%b": ?([0-9]+)' % options.g.encode()) if options.g else None


class Subscriber(asyncio.Protocol):
    def __init__(self, run: Run, number: int, message: str | None) -> None:
        self.run, self.message = run, message
        self.stalled = number < run.options.z
        self.buffer = bytearray()
        self.open = False
        self.seen, self.last_seq = 0, -1

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(HANDSHAKE.format(path=self.run.options.u, port=self.run.options.p).encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self.buffer += data
        if not self.open:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self.buffer[:end]:
                sys.exit(f"upgrade refused: {bytes(self.buffer[:end])!r}")
            del self.buffer[: end + 4]
            self.begin()
        at = 0
        while len(self.buffer) >= at + 2:
            size, start = self.buffer[at + 1], at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                size = int.from_bytes(self.buffer[at + 2 : start], "big")
            if len(self.buffer) < start + size:
                break
            if self.buffer[at] & 15 <= 2:
                self.count(self.buffer[start : start + size], now)
            at = start + size
        del self.buffer[:at]

    def begin(self) -> None:
        self.open = True
        if self.message is not None:
            raw = self.message.encode()
            head = bytes([0x81, 0x80 | len(raw)]) if len(raw) < 126 else b"\x81\xfe" + len(raw).to_bytes(2, "big")
            self.transport.write(head + b"\0\0\0\0" + raw)
        if self.stalled:
            self.transport.pause_reading()
        self.run.opened += 1
        if self.run.opened == self.run.options.c:
            self.run.all_open.set()

    def count(self, payload: bytes, now: int) -> None:
        run, options = self.run, self.run.options
        self.seen += 1
        if self.seen <= options.s:
            return
        run.first = run.first or now
        run.last = now
        run.frames += 1
        run.bytes += len(payload)
        if (sent := SENT.search(payload)) is not None:
            run.latencies.append(now - int(sent[1]))
        if run.seq is not None and (found := run.seq.search(payload)) is not None:
            run.gaps += self.seen - options.s > 1 and int(found[1]) != self.last_seq + 1
            self.last_seq = int(found[1])
        if options.m and self.seen - options.s == options.m:
            run.done += 1
        if (options.m and run.done == options.c - options.z) or (options.n and run.frames >= options.n):
            run.over.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.run.closed += 1


def report(run: Run, started: float, opened: float, timeout: bool) -> dict[str, float]:
    secs = (run.last - run.first) / 1e9
    found = {
        "conns": run.opened, "frames": run.frames, "bytes": run.bytes, "secs": secs,
        "frames_per_s": run.frames / secs if secs else 0.0, "gaps": run.gaps, "closed": run.closed,
        "connect_s": opened - started, "timeout": int(timeout), "cpu_s": time.process_time(),
    }  # fmt: skip
    if run.latencies:
        ordered = sorted(run.latencies)
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            found[f"lat_{name}_us"] = ordered[int(share * (len(ordered) - 1))] / 1e3
    return found


async def main(options: argparse.Namespace) -> None:
    run, started = Run(options), time.monotonic()
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(128)
    each = Path(options.M[1:]).read_text().splitlines() if (options.M or "").startswith("@") else None

    async def one(number: int) -> None:
        message = each[number] if each else options.M
        async with gate:
            await loop.create_connection(lambda: Subscriber(run, number, message), "127.0.0.1", options.p)

    await asyncio.gather(*(one(number) for number in range(options.c)))
    await run.all_open.wait()
    opened, timeout = time.monotonic(), False
    print(f"CONNECTED {run.opened}", file=sys.stderr, flush=True)
    try:
        await asyncio.wait_for(run.over.wait(), max(0.0, started + options.t - opened))
    except TimeoutError:
        timeout = bool(options.m or options.n)
    print(json.dumps(report(run, started, opened, timeout)), flush=True)


parser = argparse.ArgumentParser()
for letter, kind, default in (
    ("p", int, 8888), ("u", str, "/"), ("c", int, 1), ("M", str, None), ("s", int, 0), ("m", int, 0), ("n", int, 0),
    ("t", float, 60.0), ("z", int, 0), ("g", str, None),
):  # fmt: skip
    parser.add_argument(f"-{letter}", type=kind, default=default)
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
asyncio.run(main(parser.parse_args()))
