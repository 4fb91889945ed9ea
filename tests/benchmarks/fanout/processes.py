"""The processes of a run: ours and the peers' servers on one core, the load client on another."""

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0))
PATIENCE_S = 60.0

Result = dict[str, Any]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(command: list[str], core: int, **pipes: int) -> "subprocess.Popen[str]":
    """A process on that core; it may open as many files as the system allows."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # a child begins where its parent is
    try:
        return subprocess.Popen(command, text=True, **pipes)
    finally:
        os.sched_setaffinity(0, before)


def rss(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()


class Load:
    """A load client that runs: CONNECTED comes first, the result when it is through."""

    def __init__(self, command: list[str], port: int, path: str, options: list[str]) -> None:
        arguments = [*command, "-p", str(port), "-u", path, *options]
        self.process = start(arguments, CORES[-1], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def connected(self) -> None:
        assert self.process.stderr
        line = self.process.stderr.readline()
        if not line.startswith("CONNECTED"):
            raise RuntimeError(f"the load client: {line}{self.process.stderr.read()}")

    def result(self) -> Result:
        assert self.process.stdout
        raw = self.process.stdout.read()
        end(self.process)
        return dict(json.loads(raw))


class Ours:
    """Our server, with its publisher."""

    path = "/k12ai/ws"

    def __init__(self, connections: int) -> None:
        self._folder = tempfile.mkdtemp(prefix="k12ai-bench-")
        self.port = free_port()
        arguments = [sys.executable, str(HERE / "server.py"), self._folder, str(self.port), str(connections)]
        self.process = start(arguments, CORES[0], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._expect("ready")

    def order(self, *words: object) -> None:
        assert self.process.stdin
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def publish(
        self, events: int, *, rate: float = 0, burst: int = 1, jobs: int = 1, padding: int = 0, ahead: int = 2
    ) -> None:
        """Begins; `published` waits for the end."""
        self.order("publish", events, rate, burst, jobs, padding, ahead)

    def published(self) -> int:
        """Waits for the end; in how many commits the events were stored."""
        word, commits = self._line().split()
        if word != "published":
            raise SystemExit(f"the server said {word!r}, not 'published'")
        return int(commits)

    def measure(self) -> Result:
        self.order("measure")
        return dict(json.loads(self._line()))

    def close(self) -> None:
        end(self.process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def _expect(self, word: str) -> None:
        line = self._line().strip()
        if line != word:
            raise RuntimeError(f"the server said {line!r} instead of {word!r}")


@contextmanager
def ours(connections: int) -> Iterator[Ours]:
    server = Ours(connections)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def peer(command: list[str], connections: int, events: int, rate: float, *more: object) -> Iterator[tuple[int, int]]:
    """A peer's server that listens: its port and its process id."""
    port = free_port()
    arguments = [*command, *map(str, (port, connections, events, rate, *more))]
    process = start(arguments, CORES[0], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until_listening(port, process)
        yield port, process.pid
    finally:
        end(process)


def until_listening(port: int, process: "subprocess.Popen[str]") -> None:
    """Looks from outside: a peer would count a connection as a subscriber."""
    wanted, deadline = f":{port:04X} ", time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in Path(table).read_text().splitlines():
                if wanted in line and line.split()[3] == "0A" and line.split()[1].endswith(wanted.strip()):
                    return
        if process.poll() is not None:
            raise RuntimeError(process.stderr.read() if process.stderr else "the peer ended")
        time.sleep(0.02)
    raise RuntimeError("the peer does not listen")
