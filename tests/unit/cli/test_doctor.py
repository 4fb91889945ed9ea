"""What the doctor finds on this machine, and on machines that lack something."""

import errno
import http.server
import json
import os
import resource
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from k12ai_ws.cli import doctor
from k12ai_ws.cli.doctor import Finding, diagnose
from k12ai_ws.drivers.registry import BrokenPlugin, Registry
from k12ai_ws.monitor.gpus import GpuReading, GpuStats
from k12ai_ws.wire.bodies import Info
from k12ai_ws.wire.envelope import encode, envelope

GIB = 1 << 30


class Gpus:
    """A reader that gives what it was given."""

    def __init__(self, reading: GpuReading = GpuReading()) -> None:  # noqa: B008 - frozen
        self.reading = reading
        self.closed = False

    def read(self) -> GpuReading:
        return self.reading

    def close(self) -> None:
        self.closed = True


def registry(broken: tuple[BrokenPlugin, ...] = ()) -> Registry:
    service = SimpleNamespace(
        driver=SimpleNamespace(tasks=["train", "predict"]), distribution="k12ai-k12cv", version="1.2"
    )
    return Registry({"k12cv": service}, broken)  # type: ignore[dict-item]


@contextmanager
def unix_engine(path: Path) -> Iterator[str]:
    """A socket that accepts and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield f"unix://{path}"


@contextmanager
def serving(body: bytes) -> Iterator[int]:
    """An HTTP server that answers everything with `body`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_this_machine(tmp_path: Path) -> None:
    findings = diagnose(data_dir=tmp_path, host="127.0.0.1", port=0, drivers=registry)
    names = [finding.name for finding in findings]
    assert names == [
        "python", "package tornado", "package orjson", "package pluggy", "package psutil", "package pydantic",
        "package docker", "package pynvml", "drivers", "data directory", "sqlite", "docker", "gpus", "pytorch", "port",
        "clock", "open files",
    ]  # fmt: skip
    assert json.loads(json.dumps([finding.to_json() for finding in findings]))[0].keys() == {
        "name", "status", "found", "advice",
    }  # fmt: skip
    by_name = {finding.name: finding for finding in findings}
    for name in ("python", "package tornado", "drivers", "data directory", "sqlite", "port", "clock"):
        assert by_name[name].status == "ok", by_name[name]
    assert all(finding.advice for finding in findings if finding.status != "ok")
    assert list(tmp_path.iterdir()) == []


def test_a_finding_that_is_not_ok_must_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="no advice"):
        Finding("x", "warn", "y")


def test_a_check_that_hangs_or_raises_hides_no_other(tmp_path: Path) -> None:
    gate = threading.Event()

    class Hanging(Gpus):
        def read(self) -> GpuReading:
            gate.wait()
            return GpuReading()

    def broken() -> Registry:
        raise RuntimeError("no entry points today")

    findings = diagnose(
        data_dir=tmp_path, host="127.0.0.1", port=0, drivers=broken, gpus=Hanging(), timeout_s=1.0,
        environ={"DOCKER_HOST": f"unix://{tmp_path}/none"},
    )  # fmt: skip
    gate.set()
    by_name = {finding.name: finding for finding in findings}
    assert by_name["gpus"].status == "fail"
    assert by_name["gpus"].found == "no answer in 1 s"
    assert by_name["drivers"].found == "RuntimeError: no entry points today"
    assert by_name["clock"].status == "ok"
    assert len(findings) == 17


@pytest.mark.parametrize(("version", "status"), [((3, 10, 14), "fail"), ((3, 11, 0), "ok"), ((3, 14, 1), "ok")])
def test_python(version: tuple[int, int, int], status: str) -> None:
    assert doctor.check_python(version).status == status


def test_a_package_that_is_missing_or_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "k12ai_broken_binary.py").write_text("raise SystemError('bad magic')")
    broken = doctor.check_package("k12ai_broken_binary")
    assert (broken.status, broken.found) == ("fail", "not importable: SystemError: bad magic")
    assert "k12ai_broken_binary" not in sys.modules
    missing = doctor.check_package("k12ai_no_such_package")
    assert missing.advice == "pip install --force-reinstall k12ai_no_such_package"


def test_a_package_that_the_server_can_do_without_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    finding = doctor.check_package("pynvml")
    assert finding.status == "warn"
    assert finding.advice == "pip install --force-reinstall nvidia-ml-py"


def test_drivers_and_broken_plugins() -> None:
    ok, broken = doctor.check_drivers(registry((BrokenPlugin("k12nlp", "k12ai-k12nlp", "ImportError: x"),)))
    assert (ok.status, ok.found) == ("ok", "k12cv (train, predict; k12ai-k12cv 1.2)")
    assert (broken.name, broken.status, broken.found) == ("driver plugin k12nlp", "warn", "ImportError: x")
    (none,) = doctor.check_drivers(Registry())
    assert none.status == "fail"
    assert "pip install" in str(none.advice)


def test_a_data_folder_that_is_yet_to_be_made(tmp_path: Path) -> None:
    finding = doctor.check_data_dir(tmp_path / "a" / "b")
    assert finding.status == "ok"
    assert "can be made" in finding.found
    assert not (tmp_path / "a").exists()


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", Path("/proc/k12ai")):
        finding = doctor.check_data_dir(place)
        assert finding.status == "fail"
        assert "--data-dir" in str(finding.advice)
        assert doctor.check_sqlite(place).status == "fail"


@pytest.mark.parametrize(("free", "status"), [(3 * GIB, "ok"), (GIB, "warn"), (50 << 20, "fail")])
def test_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert doctor.check_data_dir(tmp_path).status == status


def test_an_old_sqlite_and_a_filesystem_without_write_ahead_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_try_wal", lambda path: "delete")
    finding = doctor.check_sqlite(tmp_path)
    assert finding.status == "fail"
    assert "journal mode delete" in finding.found
    monkeypatch.setattr(doctor, "MIN_SQLITE", (99, 0, 0))
    assert "99.0.0" in str(doctor.check_sqlite(tmp_path).advice)


def test_no_engine(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
    finding = doctor.check_docker(environ)
    assert finding.status == "warn"
    assert finding.found == f"no engine at unix://{tmp_path}/docker.sock"
    assert "process launcher needs no engine" in str(finding.advice)
    assert doctor.check_docker(environ, required=True).status == "fail"


def test_an_engine_that_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with unix_engine(path) as where:
        pass  # closed: the file is still there, and nobody listens
    finding = doctor.check_docker({"DOCKER_HOST": where})
    assert finding.found == f"no engine at {where}"
    assert "systemctl start docker" in str(finding.advice)


def test_an_engine_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ENGINE_TIMEOUT_S", 0.05)
    with unix_engine(tmp_path / "docker.sock") as where:
        finding = doctor.check_docker({"DOCKER_HOST": where})
    assert "does not answer" in finding.found
    assert "restart" in str(finding.advice)


def test_an_engine_whose_socket_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # root may connect to any socket, so what the system tells another user is put in its place
    def connect(self: socket.socket, address: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(doctor.socket.socket, "connect", connect)
    with unix_engine(tmp_path / "docker.sock") as where:
        finding = doctor.check_docker({"DOCKER_HOST": where})
    assert finding.found == f"an engine's socket is at {where}, but this user may not use it"
    assert "usermod -aG docker" in str(finding.advice)


def test_an_engine_elsewhere_that_is_not_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        where = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        assert doctor.check_docker({"DOCKER_HOST": where}).found == f"no engine at {where}"


def test_a_docker_host_that_makes_no_sense() -> None:
    finding = doctor.check_docker({"DOCKER_HOST": "carrier-pigeon://x"})
    assert finding.status == "warn"
    assert "check DOCKER_HOST" in str(finding.advice)


def test_no_docker_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    finding = doctor.check_docker({})
    assert finding.found == "the Python package docker is not installed"
    assert str(finding.advice).startswith("pip install docker")


@pytest.mark.docker
@pytest.mark.skipif(not Path("/var/run/docker.sock").exists(), reason="no Docker engine here")
def test_a_real_engine() -> None:
    finding = doctor.check_docker(os.environ)
    assert finding.status == "ok"
    assert finding.found.startswith("engine ")


def card(folder: Path, vendor: str, kind: str) -> None:
    (folder / "0000:01:00.0").mkdir(parents=True)
    (folder / "0000:01:00.0" / "vendor").write_text(f"{vendor}\n")
    (folder / "0000:01:00.0" / "class").write_text(f"{kind}\n")


def test_gpus_that_work(tmp_path: Path) -> None:
    reader = Gpus(GpuReading(gpus=(GpuStats("H200", 0.0, 140 * GIB, 0), GpuStats())))
    finding = doctor.check_gpus(reader, tmp_path)
    assert (finding.status, finding.found) == ("ok", "H200 (140.0 GiB), GPU (size not told)")
    assert reader.closed


def test_a_gpu_that_fails_beside_others(tmp_path: Path) -> None:
    finding = doctor.check_gpus(Gpus(GpuReading(gpus=(GpuStats("A"),), problems=("GPU 1: GPU is lost",))), tmp_path)
    assert finding.status == "warn"
    assert "GPU 1: GPU is lost" in finding.found


@pytest.mark.parametrize(
    ("vendor", "kind", "status"),
    [
        ("0x10de", "0x030200", "warn"),
        ("0x10de", "0x120000", "warn"),
        ("0x10de", "0x040300", "ok"),  # the sound part of a card alone
        ("0x8086", "0x030000", "ok"),
    ],
)
def test_a_card_without_its_driver_is_told_from_no_card(tmp_path: Path, vendor: str, kind: str, status: str) -> None:
    card(tmp_path, vendor, kind)
    finding = doctor.check_gpus(Gpus(GpuReading(absence="no NVIDIA driver")), tmp_path)
    assert finding.status == status
    assert "no NVIDIA driver" in finding.found


def test_a_driver_that_does_not_start_is_a_warning(tmp_path: Path) -> None:
    reading = GpuReading(absence="does not start (version mismatch)", problems=("version mismatch",))
    finding = doctor.check_gpus(Gpus(reading), tmp_path / "none")
    assert finding.status == "warn"
    assert "reboot" in str(finding.advice)


def test_pytorch_is_not_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert doctor.check_torch().status == "warn"
    (tmp_path / "torch.py").write_text("raise AssertionError('imported')")
    info = tmp_path / "torch-2.9.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.9.1\n")
    for finder in sys.meta_path:
        getattr(finder, "invalidate_caches", lambda: None)()
    assert doctor.check_torch() == Finding("pytorch", "ok", "2.9.1")


def test_a_free_port() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert doctor.check_port("127.0.0.1", port).found == f"127.0.0.1:{port} is free"
    assert doctor.check_port("localhost", port).status == "ok"
    assert doctor.check_port("", 0).found == "any free port"


@pytest.mark.parametrize("body", [b"hello", b"[]", b'{"status": "ok"}'])
def test_a_port_taken_by_another_program(body: bytes) -> None:
    with serving(body) as port:
        finding = doctor.check_port("127.0.0.1", port)
    assert finding.status == "fail"
    assert "--port" in str(finding.advice)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])
def test_a_port_taken_by_a_server_of_ours(host: str) -> None:
    body = encode(envelope(Info({"status": "ok"}), tag="platform", op="health", at_ms=0))
    with serving(body) as port:
        finding = doctor.check_port(host, port)
    assert finding.status == "ok"
    assert "a server of k12ai" in finding.found


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("no such host", 80), ("127.0.0.1", 70000)])
def test_an_address_that_is_not_here(host: str, port: int) -> None:
    assert doctor.check_port(host, port).status == "fail"


@pytest.mark.parametrize(
    ("now", "status"), [(0.0, "fail"), (1_767_225_600.0, "ok"), (1e11, "fail"), (1e20, "fail"), (float("nan"), "fail")]
)
def test_clock(now: float, status: str) -> None:
    assert doctor.check_clock(now).status == status


@pytest.mark.parametrize(("limit", "status"), [(1024, "warn"), (65536, "ok"), (resource.RLIM_INFINITY, "ok")])
def test_open_files(limit: int, status: str) -> None:
    assert doctor.check_open_files(limit).status == status
