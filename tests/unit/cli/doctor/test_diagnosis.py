"""All checks together."""

import json
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from k12ai_ws.cli.doctor import Finding, diagnose
from k12ai_ws.drivers.registry import Registry
from k12ai_ws.monitor.gpus import GpuReading


class Gpus:
    """A reader that gives what it was given."""

    def __init__(self, reading: GpuReading = GpuReading()) -> None:  # noqa: B008 - frozen
        self.reading = reading
        self.closed = False

    def read(self) -> GpuReading:
        return self.reading

    def close(self) -> None:
        self.closed = True


def registry() -> Registry:
    service = SimpleNamespace(
        driver=SimpleNamespace(tasks=["train", "predict"]), distribution="k12ai-k12cv", version="1.2"
    )
    return Registry({"k12cv": service})  # type: ignore[dict-item]


def test_this_machine(tmp_path: Path) -> None:
    no_engine = {"DOCKER_HOST": f"unix://{tmp_path}/none"}
    findings = diagnose(data_dir=tmp_path, host="127.0.0.1", port=0, drivers=registry, environ=no_engine)
    names = [finding.name for finding in findings]
    assert names == [
        "python", "package tornado", "package orjson", "package pluggy", "package psutil", "package pydantic",
        "package docker", "package pynvml", "drivers", "data directory", "sqlite", "event log", "access file", "docker",
        "gpus", "pytorch", "port", "clock", "open files",
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
    assert len(findings) == 19
