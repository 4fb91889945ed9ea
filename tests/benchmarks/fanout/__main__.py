"""Fan-out through the whole path (store, commit, hub, filter, socket), beside peers that store and filter nothing.

Run it with `make bench-fanout`, or `python tests/benchmarks/fanout [--short] [--rounds N] [--only ROWS]`. The server
has one core and the client another.

`LOADTOOLS=DIR` (or --tools) names a folder with `wsload.c`, a load client, and `peers/`, servers for comparison
(`PORT CONNECTIONS EVENTS RATE [MODE] [EVENTS_PER_TICK]`); `PEERPYTHON` (or --peer-python) the interpreter that has
what they import; NODE_PATH where Node finds `ws`. Without them a client of our own and the plain Tornado loop do, and
what is left out is said. Our own client is slower than our server: where its CPU is near 100 %, it is what is measured.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import processes
from processes import HERE, Load, Result, cpu_s, ours, peer, rss

OURS = "k12ai_ws"
WAITING = "k12ai_ws, waiting each time"
PLAIN = "Tornado write_message"
PEERS = {
    PLAIN: ("tor.py", "tornado", ("wm",)),
    "Starlette + uvicorn": ("star.py", "uvicorn", ()),
    "websockets broadcast": ("wslib.py", "websockets", ()),
    "aiohttp": ("aio.py", "aiohttp", ()),
    "Node ws": ("node.js", "", ()),
    "Tornado, detached, bare": ("tor.py", "tornado", ("det",)),
    "asyncio transports, bare": ("rawa.py", "orjson", ()),
    "C and epoll (the limit)": ("csrv.c", "", ()),
}
"""What it is: its file, the module that it needs, its mode."""
COALESCING = (PLAIN, "Tornado, detached, bare", "asyncio transports, bare", "C and epoll (the limit)")
SUBSCRIBE = {"tag": "channel", "op": "subscribe", "id": "s", "after": "now"}


def subscribe(**wanted: object) -> str:
    return json.dumps(SUBSCRIBE | {"filter": wanted})


class Bench:
    def __init__(self, options: argparse.Namespace, built: Path) -> None:
        self.options = options
        self.tools = Path(options.tools) if options.tools else None
        self.own_client = [sys.executable, str(HERE / "client.py")]
        self.client = self._compiled(self.tools / "wsload.c", built) if self.tools else self.own_client
        self.peers: dict[str, tuple[list[str], tuple[str, ...]]] = {}
        self.left_out: list[str] = []
        self._find_peers(built)

    def _compiled(self, source: Path, built: Path) -> list[str]:
        target = built / source.stem
        subprocess.run(["cc", "-O2", "-o", str(target), str(source)], check=True)
        return [str(target)]

    def _find_peers(self, built: Path) -> None:
        if self.tools is None:
            self.peers[PLAIN] = ([sys.executable, str(HERE / "plain_tornado.py")], ())
            self.left_out.append("wsload, and all peers but the plain Tornado loop: name their folder (LOADTOOLS=DIR)")
            self.left_out.append("so a client in Python counts, and its speed bounds what is measured")
            return
        for name, (file, module, mode) in PEERS.items():
            path = self.tools / "peers" / file
            if file.endswith(".c"):
                self.peers[name] = (self._compiled(path, built), mode)
                continue
            program = "node" if file.endswith(".js") else self.options.peer_python
            probe = ["-e", "require('ws')"] if program == "node" else ["-c", f"import orjson, {module}"]
            if shutil.which(program) and self._runs([program, *probe]):
                self.peers[name] = ([program, str(path)], mode)
            else:
                self.left_out.append(f"{name}: {program} lacks {'ws' if program == 'node' else module}")

    @staticmethod
    def _runs(command: list[str]) -> bool:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    # ---- one measurement

    def ours(self, connections: int, events: int, *, rate: float = 0, burst: int = 1, ahead: int = 2) -> Result:
        with ours(connections) as server:
            load = Load(self.client, server.port, server.path, [
                "-c", str(connections), "-m", str(events), "-M", subscribe(job_id="job-0"), "-s", "1", "-g", "seq",
                "-t", str(30 + 2 * events / (rate or events)),
            ])  # fmt: skip
            load.connected()
            time.sleep(1)
            before = cpu_s(server.process.pid)
            server.publish(events, rate=rate, burst=burst, ahead=ahead)
            commits = server.published()
            found = load.result()
            return found | {"server_cpu_s": cpu_s(server.process.pid) - before, "commits": commits}

    def theirs(self, name: str, connections: int, events: int, *, rate: float = 0, burst: int = 1) -> Result:
        command, mode = self.peers[name]
        more = (*(mode or ("-",)), burst) if burst > 1 else mode
        with peer(command, connections, events, rate, *more) as (port, pid):
            load = Load(self.client, port, "/ws", [
                "-c", str(connections), "-m", str(events), "-g", "seq", "-t", str(40 + 2 * events / (rate or events)),
            ])  # fmt: skip
            load.connected()
            before = cpu_s(pid)
            found = load.result()
            return found | {"server_cpu_s": cpu_s(pid) - before}

    def several(self, measures: dict[str, Callable[[], Result]]) -> dict[str, list[Result]]:
        """All of them once, then all again: what the machine does beside falls on all alike."""
        found: dict[str, list[Result]] = {name: [] for name in measures}
        for _ in range(self.options.rounds):
            for name, measure in measures.items():
                one = measure()
                if one["timeout"] or one["gaps"] or one["closed"]:
                    say(f"  NOT WHOLE: {name}: {one}")
                found[name].append(one)
        return found


def say(text: str) -> None:
    print(text, flush=True)


def median(found: list[Result], key: str) -> float:
    return float(statistics.median(one[key] for one in found))


def rates(bench: Bench, *, burst: int, events: int, names: tuple[str, ...]) -> None:
    """The server's own name first, then the peers', with what ours is of each."""
    connections = bench.options.connections
    measures = {OURS: partial(bench.ours, connections, events, burst=burst)}
    if burst == 1:
        measures[WAITING] = partial(bench.ours, connections, events, ahead=1)
    for name in names:
        if name in bench.peers:
            count = min(events, 300) if name == PLAIN else events  # it sends one by one in any case
            measures[name] = partial(bench.theirs, name, connections, count, burst=burst)
    found = bench.several(measures)
    mine = median(found[OURS], "frames_per_s")
    say(f"{'':28}{'frames/s':>12}{'CPU s per M':>13}{'ours is':>10}{'and by CPU':>12}{'client CPU':>12}")
    own = median(found[OURS], "server_cpu_s") / median(found[OURS], "frames") * 1e6
    for name, results in found.items():
        rate = median(results, "frames_per_s")
        cpu = median(results, "server_cpu_s") / (median(results, "frames") or 1) * 1e6
        busy = median(results, "cpu_s") / (median(results, "secs") or 1)
        say(f"{name:28}{rate:12,.0f}{cpu:13.2f}{mine / rate:9.2f}x{cpu / own:11.2f}x{busy:12.0%}")
    say(f"of ours a commit holds {events / median(found[OURS], 'commits'):.2f} events")


def one_at_a_time(bench: Bench) -> None:
    rates(bench, burst=1, events=60 if bench.options.short else 300, names=tuple(PEERS))


def bursts(bench: Bench) -> None:
    rates(bench, burst=bench.options.burst, events=20 * bench.options.burst, names=COALESCING)


def latency(bench: Bench) -> None:
    events, rate, connections = 60 if bench.options.short else 200, 20.0, bench.options.connections
    say(f"{'':28}{'p50 ms':>10}{'p99 ms':>10}{'server CPU':>12}")
    measures = {OURS: partial(bench.ours, connections, events, rate=rate)}
    for name in bench.peers:
        measures[name] = partial(bench.theirs, name, connections, events, rate=rate)
    for name, found in bench.several(measures).items():
        p50, p99 = (median(found, f"lat_{p}_us") / 1e3 for p in ("p50", "p99"))
        say(f"{name:28}{p50:10.2f}{p99:10.2f}{median(found, 'server_cpu_s') / (events / rate):11.0%}")


def idle(bench: Bench) -> None:
    connections = 2000 if bench.options.short else 10_000
    say(f"{connections:,} subscribers that get nothing")
    say(f"{'':28}{'KiB each':>10}")
    with ours(connections) as server:
        before = server.measure()["rss"]
        load = Load(bench.client, server.port, server.path, [
            "-c", str(connections), "-M", subscribe(job_id="job-0"), "-t", "90",
        ])  # fmt: skip
        load.connected()
        time.sleep(3)
        say(f"{OURS:28}{(server.measure()['rss'] - before) / connections / 1024:10.1f}")
        processes.end(load.process)
    for name in (PLAIN, "aiohttp", "Node ws"):
        if name in bench.peers:
            command, mode = bench.peers[name]
            with peer(command, connections + 1, 0, 0, *mode) as (port, pid):
                time.sleep(1)
                before = rss(pid)
                load = Load(bench.client, port, "/ws", ["-c", str(connections), "-t", "90"])
                load.connected()
                time.sleep(3)
                say(f"{name:28}{(rss(pid) - before) / connections / 1024:10.1f}")
                processes.end(load.process)


TYPES = ("status", "progress", "log", "error", "info")


def filters(bench: Bench) -> None:
    """Ten different filters for each job. An event matches ten, however many jobs are subscribed to."""
    events = 500 if bench.options.short else 2000
    say(f"{'':40}{'events/s':>10}{'server CPU ms per event':>26}")
    for jobs, publishing in ((1, 1), (10, 10), (100, 100)):
        connections = 10 * jobs
        with tempfile.NamedTemporaryFile("w") as each, ours(connections) as server:
            for number in range(connections):
                kinds = ["metrics", *(t for i, t in enumerate(TYPES) if number // jobs >> i & 1)]
                each.write(subscribe(job_id=f"job-{number % jobs}", type=kinds) + "\n")
            each.flush()
            load = Load(bench.own_client, server.port, server.path, [
                "-c", str(connections), "-M", f"@{each.name}", "-s", "1", "-n", str(events * 10), "-t", "120",
            ])  # fmt: skip
            load.connected()
            time.sleep(1)
            before, begun = server.measure()["cpu_s"], time.monotonic()
            server.publish(events, jobs=publishing)
            server.published()
            took = time.monotonic() - begun
            cpu = server.measure()["cpu_s"] - before
            found = load.result()
            if found["timeout"] or found["frames"] != events * 10:
                say(f"  NOT WHOLE: {found}")
            say(
                f"{connections:6,} filters over {jobs:3} jobs, 10 match{'':6}"
                f"{events / took:10,.0f}{cpu / events * 1e3:26.3f}"
            )


def slow(bench: Bench) -> None:
    """Some subscribers never read. The others must not notice, and the server must not grow with what is sent."""
    connections, events, padding = bench.options.connections, 500 if bench.options.short else 2000, 10_000
    say(f"{events:,} events of 10 KB at 50 a second ({events / 100:.0f} MB for each subscriber)")
    say(f"{'':28}{'p99 ms':>10}{'grown MiB':>12}{'KiB per stalled':>18}")
    reading = connections // 10
    for stalled in (0, reading, 5 * reading):
        with ours(connections) as server:
            load = Load(bench.client, server.port, server.path, [
                "-c", str(stalled + reading), "-m", str(events), "-M", subscribe(job_id="job-0"), "-s", "1",
                "-g", "seq", "-z", str(stalled), "-t", str(60 + events / 25),
            ])  # fmt: skip
            load.connected()
            time.sleep(1)
            before = server.measure()["rss"]
            server.publish(events, rate=50, padding=padding)
            server.published()
            grown = server.measure()["rss"] - before
            found = load.result()
            if found["timeout"] or found["gaps"] or found["closed"]:
                say(f"  NOT WHOLE: {found}")
            name = f"{reading} read, {stalled} do not"
            each = f"{grown / stalled / 1024:18.0f}" if stalled else ""
            say(f"{name:28}{found['lat_p99_us'] / 1e3:10.2f}{grown / (1 << 20):12.1f}{each}")


ROWS: dict[str, tuple[str, Callable[[Bench], None]]] = {
    "one": (
        "One event at a time: each an append of its own, the next one written while the last is delivered",
        one_at_a_time,
    ),
    "burst": ("Bursts: many events at a time, in one group commit", bursts),
    "latency": ("20 events a second: from append to received", latency),
    "idle": ("Memory of a subscriber that gets nothing", idle),
    "filters": ("Different filters: what an event costs that matches ten of them", filters),
    "slow": ("Slow readers: what they cost, and whether others notice", slow),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer events, one round")
    parser.add_argument("--rounds", type=int, help="the median of so many (3; 1 with --short)")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--burst", type=int, default=64, help="events appended at a time in the row `burst`")
    parser.add_argument("--only", default=",".join(ROWS), help=f"of {','.join(ROWS)}")
    parser.add_argument("--tools", default=os.environ.get("LOADTOOLS"))
    parser.add_argument("--peer-python", default=os.environ.get("PEERPYTHON", sys.executable))
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.short else 3)
    with tempfile.TemporaryDirectory(prefix="k12ai-bench-") as built:
        bench = Bench(options, Path(built))
        for absent in bench.left_out:
            say(f"left out: {absent}")
        for name in options.only.split(","):
            title, row = ROWS[name]
            say(f"\n{title}")
            row(bench)


main()
