"""The container meter beside `docker stats`, on a real engine: one that burns, one that holds, one with children.

The meter sees the kernel's files here; the engine's own one-shot answers are measured beside them.
"""

import functools
import http.client
import json
import os
import re
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from k12ai_ws.launchers.docker.usage import ContainerMeter, ContainerRef

pytestmark = pytest.mark.docker

MIB = 1 << 20
ROLES = {
    "burn": "while True: pass",
    "hold": "import time; kept = b'x' * (50 << 20); time.sleep(600)",
    "children": """
import subprocess, sys, time
for _ in range(3): subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
time.sleep(600)""",
    "killed": """
import subprocess, sys, time
while True:
    subprocess.run([sys.executable, '-c', 'b"x" * (400 << 20)'])
    time.sleep(0.2)""",
}


class Engine(http.client.HTTPConnection):
    """The engine's socket."""

    def connect(self) -> None:
        host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(host.removeprefix("unix://"))


def one_shot(container_id: str) -> Mapping[str, Any] | None:
    with closing(Engine("engine", timeout=10)) as engine:
        engine.request("GET", f"/v1.41/containers/{container_id}/stats?stream=false&one-shot=true")
        answer = engine.getresponse()
        body = answer.read()
        return json.loads(body) if answer.status == 200 else None


def docker(*args: str) -> str:
    return subprocess.run(["docker", *args], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def start(image: str, name: str, program: str, *options: str) -> ContainerRef:
    limit = ("--memory", "200m", "--memory-swap", "200m", "--network", "none", "--init", *options)
    docker("run", "-d", "--name", name, *limit, image, "python3", "-c", program)
    (told,) = json.loads(docker("inspect", name))
    return ContainerRef(told["Id"], told["State"]["Pid"], name, told["HostConfig"]["Memory"])


def until(what: str, done: Any) -> Any:
    for _ in range(300):
        if found := done():
            return found
        time.sleep(0.1)  # a container's own pace: nothing tells when it has got there
    return pytest.fail(f"not within 30 s: {what}")


@pytest.fixture(scope="module")
def containers(base_image: str) -> Iterator[dict[str, ContainerRef]]:
    mark = f"k12ai-test-usage-{uuid.uuid4().hex[:8]}"
    try:
        yield {role: start(base_image, f"{mark}-{role}", program) for role, program in ROLES.items()}
    finally:
        docker("rm", "-f", *(f"{mark}-{role}" for role in ROLES))


@pytest.fixture(params=["kernel", "engine"])
def meter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ContainerMeter]:
    """By the kernel's files; and by the engine alone, as where these are not to be seen."""
    more = {} if request.param == "kernel" else {"engine_stats": one_shot, "proc": tmp_path}
    meter = ContainerMeter(interval_s=0.2, **more)
    yield meter
    meter.close()


def bytes_of(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(B|KiB|MiB|GiB)", text).groups()
    return float(number) * 1024 ** ("B", "KiB", "MiB", "GiB").index(unit)


def docker_stats(*names: str) -> dict[str, tuple[float, float, float]]:
    """What the command prints: (percent of a core, memory used, memory limit) by name."""
    rows = docker("stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.MemUsage}}", *names)
    told = [row.split() for row in rows.splitlines()]
    return {name: (float(cpu[:-1]), bytes_of(used), bytes_of(limit)) for name, cpu, used, _, limit in told}


def test_it_says_what_docker_stats_says(containers: dict[str, ContainerRef], meter: ContainerMeter) -> None:
    quiet = {role: containers[role] for role in ("burn", "hold", "children")}
    until("50 MB held", lambda: meter.measure(quiet)["hold"].memory_usage > 50 * MIB)
    before = meter.measure(quiet)
    told = docker_stats(*(each.name for each in quiet.values()))  # takes about two seconds itself
    found = meter.measure(quiet)
    assert found.keys() == before.keys() == quiet.keys()
    for role, each in quiet.items():
        cpu, used, limit = told[each.name]
        assert found[role].name == each.name
        assert found[role].memory_total == limit == 200 * MIB
        assert found[role].memory_usage == pytest.approx(used, rel=0.05, abs=MIB), role
        assert found[role].cpu_percent == pytest.approx(cpu, abs=35), role
    assert 40 < found["burn"].cpu_percent < 130, "two cores of a busy machine"
    assert found["hold"].cpu_percent < 10
    assert 50 * MIB < found["hold"].memory_usage < 75 * MIB


def test_every_process_of_a_container_is_named(containers: dict[str, ContainerRef]) -> None:
    meter, each = ContainerMeter(interval_s=0.0), containers["children"]
    pids = until("five processes", lambda: [p for p in [meter.measure({"j": each})["j"].pids] if len(p) == 5])[0]
    assert each.pid in pids
    assert set(pids) == {int(row.split()[1]) for row in docker("top", each.name).splitlines()[1:]}


def test_a_child_killed_for_memory_is_counted_while_the_first_process_lives(
    containers: dict[str, ContainerRef],
) -> None:
    meter, each = ContainerMeter(), containers["killed"]
    until("a kill", lambda: (meter.oom_kills(each) or 0) > 0)
    assert meter.peak(each) == pytest.approx(200 * MIB, rel=0.02)
    assert meter.oom_kills(containers["hold"]) == 0


def test_a_container_that_ended_is_left_out(meter: ContainerMeter, base_image: str) -> None:
    name = f"k12ai-test-usage-{uuid.uuid4().hex[:8]}"
    try:
        each = start(base_image, name, ROLES["hold"])
        until("50 MB held", lambda: meter.measure({"j": each})["j"].memory_usage > 50 * MIB)
        docker("kill", name)
        until("gone", lambda: meter.measure({"j": each}) == {})
        docker("rm", name)
        assert meter.measure({"j": each}) == {}
        assert (meter.peak(each) or 0) > 50 * MIB
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False, timeout=60)


def test_a_look_costs_little(containers: dict[str, ContainerRef]) -> None:
    meter, each = ContainerMeter(interval_s=0.0), containers["hold"]
    meter.measure({"j": each})
    measure = functools.partial(meter.measure, {"j": each})
    costs = []
    for _ in range(50):
        began = time.perf_counter()
        measure()
        costs.append(time.perf_counter() - began)
    # 20 of them within 20 ms, on a machine that does much else: as measured, a tenth of that.
    assert sorted(costs)[25] < 0.001
