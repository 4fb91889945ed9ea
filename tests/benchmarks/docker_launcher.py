"""The docker launcher beside the `docker` command, on one engine in one run: launch, reading, statistics.

    python tests/benchmarks/docker_launcher.py [--image IMAGE] [--lines 500000] [--rounds 5]

Prints one JSON object. Times are medians, in milliseconds or lines per second; `cpu_s_per_million` is CPU seconds of
the reading process (for the launcher: reading, journal, parsing and all) per million lines.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from k12ai_ws.drivers.spec import LaunchSpec, Resources
from k12ai_ws.launchers.docker.engine import Engine
from k12ai_ws.launchers.docker.launcher import DockerLauncher
from k12ai_ws.launchers.docker.policy import Policy
from k12ai_ws.launchers.launcher import LaunchRequest
from k12ai_ws.logs.pipeline import Pipeline

FLOOD = (
    "import sys\n"
    "for i in range({n}):\n"
    "    sys.stdout.write('epoch=%d step=%d loss=%.4f\\n' % (i // 1000, i, 1 / (i + 1)) if i % 10 == 0 else\n"
    "        'a line of the log with some words in it, number %d\\n' % i)"
)
SLEEP = "import time; time.sleep(600)"


def request(image: str, folder: Path, source: str, **resources: Any) -> LaunchRequest:
    spec = LaunchSpec(command=["python3", "-c", source], image=image, resources=Resources(**resources))
    return LaunchRequest(uuid.uuid4().hex, "u", "s", "bench", "train.start", spec, {"output": folder / "output"})


async def end(launcher: DockerLauncher, handle: Any) -> None:
    await launcher.stop(handle, 0)
    await launcher.wait(handle)
    await launcher.release(handle)


async def launches(launcher: DockerLauncher, image: str, folder: Path, rounds: int) -> dict[str, float]:
    """From the call to a running container, ours and `docker run -d`, with the same hardening where it costs time."""
    ours, theirs = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        handle = await launcher.launch(request(image, folder, SLEEP))
        ours.append(time.perf_counter() - begun)
        await end(launcher, handle)
        begun = time.perf_counter()
        name = subprocess.run(
            ["docker", "run", "-d", "--init", "--network", "none", "--read-only", "--tmpfs", "/tmp",
             "--cap-drop", "ALL", "--log-driver", "local", image, "python3", "-c", SLEEP],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        theirs.append(time.perf_counter() - begun)
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=True)
    return {"ours_ms": 1000 * statistics.median(ours), "docker_run_ms": 1000 * statistics.median(theirs)}


async def reading(launcher: DockerLauncher, image: str, folder: Path, lines: int, rounds: int) -> dict[str, Any]:
    """A container that prints as fast as it can, from its start to the last event, beside `docker logs -f`."""
    found: dict[str, list[float]] = {"ours": [], "ours_cpu": [], "cli": [], "cli_cpu": []}
    events = 0
    for _ in range(rounds):
        cpu, begun = time.process_time(), time.perf_counter()
        handle = await launcher.launch(request(image, folder, FLOOD.format(n=lines)))
        pipeline, events, size = Pipeline(["auto"]), 0, 0
        async for batch in launcher.logs(handle, 0):
            for chunk in batch:
                events += len(pipeline.feed(chunk.data, stream=chunk.stream, at_ms=chunk.at_ms))
                size += chunk.data.count(b"\n")
        events += len(pipeline.close(at_ms=0))
        found["ours"].append(time.perf_counter() - begun)
        found["ours_cpu"].append(time.process_time() - cpu)
        assert size == lines, f"{lines - size} lines are missing"
        await launcher.wait(handle)
        await launcher.release(handle)

        begun = time.perf_counter()
        name = subprocess.run(
            ["docker", "run", "-d", "--network", "none", image, "python3", "-c", FLOOD.format(n=lines)],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with Path(os.devnull).open("wb") as null:
            subprocess.run(["docker", "logs", "-f", name], stdout=null, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found["cli"].append(time.perf_counter() - begun)
        found["cli_cpu"].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=True)
    middle = {name: statistics.median(values) for name, values in found.items()}
    return {
        "ours_lines_s": lines / middle["ours"],
        "ours_cpu_s_per_million": middle["ours_cpu"] * 1e6 / lines,
        "events": events,
        "docker_logs_lines_s": lines / middle["cli"],
        "docker_logs_cpu_s_per_million": middle["cli_cpu"] * 1e6 / lines,
    }


async def stats(launcher: DockerLauncher, image: str, folder: Path, count: int) -> dict[str, Any]:
    """What one call takes with so many running containers: the first, a cached one, a fresh one."""
    handles = {}
    for i in range(count):
        handles[str(i)] = await launcher.launch(request(image, folder, SLEEP, memory=64 << 20))
    await asyncio.sleep(1)

    async def once() -> float:
        begun = time.perf_counter()
        found = await launcher.stats(handles)
        assert len(found) == count
        return 1000 * (time.perf_counter() - begun)

    times = {"first_ms": await once(), "cached_ms": statistics.median([await once() for _ in range(20)])}
    fresh = []
    for _ in range(5):
        await asyncio.sleep(1.1)
        fresh.append(await once())
    begun = time.perf_counter()
    subprocess.run(["docker", "stats", "--no-stream"], capture_output=True, check=True)
    cli = 1000 * (time.perf_counter() - begun)
    for handle in handles.values():
        await end(launcher, handle)
    return times | {"containers": count, "fresh_ms": statistics.median(fresh), "docker_stats_ms": cli}


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--image", default="k12ai/base:bookworm", help="any image with python3")
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="k12ai-bench-") as name:
        folder = Path(name)
        launcher = DockerLauncher(
            folder / "containers", Engine(), Policy(images=["*"]), server_id=uuid.uuid4().hex, data_dir=folder
        )
        parts: dict[str, Callable[[], Any]] = {
            "launch": lambda: launches(launcher, args.image, folder, args.rounds),
            "reading": lambda: reading(launcher, args.image, folder, args.lines, args.rounds),
            "stats": lambda: stats(launcher, args.image, folder, 20),
        }
        found = {part: await run() for part, run in parts.items()}
        await launcher.close()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    asyncio.run(main())
