"""The real pynvml on a stand-in for the driver's library (`nvml.c`): every symbol, structure and error goes through
ctypes as it would with a GPU; in a process of its own, and in a real server.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

GIB = 1 << 30
TWO = f"""\
count 2
0.name NVIDIA H200
0.uuid GPU-11111111-2222-3333-4444-555555555555
0.rates 37
0.memory {140 * GIB} {35 * GIB} {GIB}
0.processes 4711:{3 * GIB} 4712:N/A
0.samples 4711:100:90 4711:200:60 99:300:5
1.name Tesla K80
1.uuid GPU-99999999-8888-7777-6666-555555555555
"""
FIRST = {
    "name": "NVIDIA H200",
    "gpu_percent": 37.0,
    "gpu_memory_total": 140 * GIB,
    "gpu_memory_usage": 35 * GIB,
    "gpu_memory_percent": 25.0,
    "uuid": "GPU-11111111-2222-3333-4444-555555555555",
    "index": 0,
}
SECOND = {"name": "Tesla K80", "uuid": "GPU-99999999-8888-7777-6666-555555555555", "index": 1}
READER = """
import dataclasses, json, sys
from k12ai_ws.monitor.nvml import NvmlReader
reader = NvmlReader(retry_s=0.0)
for line in sys.stdin:
    reading = reader.close() if line.strip() == "close" else reader.read()
    told = reading and dataclasses.asdict(reading) | {"fields": [gpu.fields() for gpu in reading.gpus]}
    print(json.dumps(told), flush=True)
"""


class Standin:
    """A library to be found by the loader, and what it answers; changed while it is in use."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.answers = folder, folder / "answers"
        self.say(TWO)

    def build(self, *options: str) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            reason = "no C compiler: the stand-in for NVIDIA's library cannot be built (Debian: build-essential)"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", *options,
             "-o", self.folder / "libnvidia-ml.so.1", Path(__file__).parent / "nvml.c"], check=True,
        )  # fmt: skip

    def say(self, text: str) -> None:
        """Sets what the library answers, at one stroke."""
        fresh = self.answers.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.answers)

    @property
    def environ(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(self.folder), "NVML_STANDIN": str(self.answers)}

    @property
    def calls(self) -> list[str]:
        path = self.folder / "answers.calls"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def standin(tmp_path: Path) -> Standin:
    folder = tmp_path / "driver"
    folder.mkdir()
    standin = Standin(folder)
    standin.build()
    return standin


Read = Callable[..., Any]


@pytest.fixture
def read(standin: Standin) -> Iterator[Read]:
    """Reads the GPUs once more, in a process that has the library; `read("close")` gives the library back."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", READER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | standin.environ,
    ) as process:  # fmt: skip

        def once(order: str = "read") -> Any:
            process.stdin.write(f"{order}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline() or pytest.fail(process.stderr.read()))

        yield once
        process.stdin.close()
        assert process.stderr.read() == ""


def test_two_gpus_and_what_one_of_them_does_not_tell(standin: Standin, read: Read) -> None:
    reading = read()
    assert reading["fields"] == [FIRST, SECOND]
    assert (reading["absence"], reading["problems"]) == (None, [])
    assert reading["processes"] == [
        {"gpu": 0, "pid": 4711, "memory_usage": 3 * GIB, "percent": 60.0},
        {"gpu": 0, "pid": 4712, "memory_usage": None, "percent": None},
    ]


def test_the_library_is_started_once_and_given_back_once(standin: Standin, read: Read) -> None:
    for _ in range(5):
        read()
    assert standin.calls == ["init"]
    read("close")
    read("close")
    assert standin.calls == ["init", "shutdown"]


@pytest.mark.parametrize("what", ["name", "uuid", "rates", "memory", "processes", "samples"])
@pytest.mark.parametrize(("error", "says"), [("!3", None), ("!15", "GPU 0: GPU is lost"), ("!27", "GPU 0: ")])
def test_each_field_alone(standin: Standin, read: Read, what: str, error: str, says: str | None) -> None:
    standin.say(f"0.{what} {error}\n{TWO}")
    reading = read()
    missing = {"rates": ["gpu_percent"], "memory": [key for key in FIRST if "memory" in key]}.get(what, [what])
    assert reading["fields"] == [{key: FIRST[key] for key in FIRST if key not in missing}, SECOND]
    assert len(reading["problems"]) == (says is not None)
    assert all(problem.startswith(says) for problem in reading["problems"])
    assert [gpu["problem"] for gpu in reading["gpus"]] == [next(iter(reading["problems"]), None), None]


def test_a_device_that_fell_off_the_bus_does_not_hide_the_other(standin: Standin, read: Read) -> None:
    standin.say(f"0.handle !15\n{TWO}")
    reading = read()
    assert reading["fields"] == [SECOND]
    assert reading["problems"] == ["GPU 0: GPU is lost"]
    standin.say(TWO)
    assert read()["fields"] == [FIRST, SECOND]
    assert standin.calls == ["init"]


def test_a_name_that_is_no_text_is_left_out(standin: Standin, read: Read) -> None:
    standin.answers.write_bytes(b"1.name Tesla \xff\xfe\n" + TWO.encode())
    assert read()["fields"] == [FIRST, {key: SECOND[key] for key in ("uuid", "index")}]


def test_many_processes(standin: Standin, read: Read) -> None:
    listed = " ".join(f"{pid}:{pid}" for pid in range(1, 41))
    standin.say(f"0.processes {listed}\n0.samples \n{TWO}")
    reading = read()
    assert [each["pid"] for each in reading["processes"]] == list(range(1, 41))
    assert reading["problems"] == [], "no sample at all is what pynvml raises as an error called Success"


def test_an_old_driver_lacks_symbols(standin: Standin, read: Read) -> None:
    standin.build("-DOLD")
    reading = read()
    used = {"gpu_memory_usage": 36 * GIB, "gpu_memory_percent": 25.7}  # its one version counts the driver's own share
    assert reading["fields"] == [FIRST | used, SECOND]
    assert [(each["pid"], each["memory_usage"], each["percent"]) for each in reading["processes"]] == [
        (4711, 3 * GIB, None),
        (4712, None, None),
    ]
    assert reading["problems"] == []


@pytest.mark.parametrize(
    ("error", "absence", "is_fault"),
    [(9, "no NVIDIA driver (Driver Not Loaded)", False), (18, "the NVIDIA driver does not start", True)],
)
def test_a_driver_that_does_not_start(standin: Standin, read: Read, error: int, absence: str, is_fault: bool) -> None:
    standin.say(f"init !{error}\n{TWO}")
    reading = read()
    assert reading["gpus"] == []
    assert reading["absence"].startswith(absence)
    assert bool(reading["problems"]) == is_fault
    standin.say(TWO)
    assert read()["fields"] == [FIRST, SECOND]


@pytest.mark.parametrize("lost", ["count !9", "count !1", "0.handle !999\n1.handle !999"])
def test_a_driver_unloaded_later_comes_back(standin: Standin, read: Read, lost: str) -> None:
    assert read()["fields"] == [FIRST, SECOND]
    standin.say(f"{lost}\ninit !9\n{TWO}")
    for _ in range(2):
        reading = read()
        assert reading["gpus"] == []
        assert reading["absence"]
        assert reading["problems"]
    standin.say(TWO)
    assert read()["fields"] == [FIRST, SECOND]
    assert standin.calls == ["init", "shutdown", "init", "init"]


def test_no_gpu_and_no_library_are_states(standin: Standin, read: Read) -> None:
    (standin.folder / "libnvidia-ml.so.1").write_text("no library")
    reading = read()
    assert (reading["gpus"], reading["problems"]) == ([], [])
    assert "no NVIDIA driver" in reading["absence"]
    standin.build()
    standin.say("count 0\n")
    assert read()["absence"] == "the NVIDIA driver sees no GPU"


async def test_a_server_shows_them_and_what_each_job_uses_of_them(house, standin, monkeypatch) -> None:
    for name, value in standin.environ.items():
        monkeypatch.setenv(name, value)
    client = await house.start(stats={"interval_s": 0.1})
    assert (await client.post("/k12ai/platform/stats", {"query": {"gpus": True}})).body == {"gpus": [FIRST, SECOND]}
    job_id = await client.start("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)")
    await client.until_printed(job_id, 1)
    (pid,) = await client.lines(job_id)
    standin.say(f"0.processes {pid}:{3 * GIB}\n0.samples {pid}:100:42\n1.processes {pid}:{GIB}\n{TWO}")
    while "gpu_memory_usage" not in (entry := await only_container(client)):
        assert "gpu_percent" not in entry
    assert (entry["job_id"], entry["gpu_percent"], entry["gpu_memory_usage"]) == (job_id, 42.0, 4 * GIB)
    standin.say(f"0.handle !15\n{TWO}")
    while len((info := (await client.post("/k12ai/platform/stats", {"query": {"gpus": True}})).body)["gpus"]) == 2:
        pass
    assert info == {"gpus": [SECOND], "problems": [{"item": "gpus", "message": "GPU 0: GPU is lost"}]}
    await client.stop()
    await client.until(job_id)
    assert await house.end() == 0
    assert standin.calls == ["init", "shutdown"]


async def only_container(client) -> dict[str, Any]:
    (entry,) = (await client.post("/k12ai/platform/stats", {"query": {"containers": True}})).body["containers"]
    return entry
