"""The Docker engine, there or not."""

import errno
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from k12ai_ws.cli.doctor import Finding, engine


@contextmanager
def unix_engine(path: Path) -> Iterator[str]:
    """A socket that accepts and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield f"unix://{path}"


def test_no_engine(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
    (finding,) = engine.check_docker(environ)
    assert finding.status == "warn"
    assert finding.found == f"no engine at unix://{tmp_path}/docker.sock"
    assert "process launcher needs no engine" in str(finding.advice)
    assert engine.check_docker(environ, required=True)[0].status == "fail"


def test_an_engine_that_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with unix_engine(path) as where:
        pass  # closed: the file is still there, and nobody listens
    (finding,) = engine.check_docker({"DOCKER_HOST": where})
    assert finding.found == f"no engine at {where}"
    assert "systemctl start docker" in str(finding.advice)


def test_an_engine_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ENGINE_TIMEOUT_S", 0.05)
    with unix_engine(tmp_path / "docker.sock") as where:
        (finding,) = engine.check_docker({"DOCKER_HOST": where})
    assert "does not answer" in finding.found
    assert "restart" in str(finding.advice)


def test_an_engine_whose_socket_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # root may connect to any socket, so what the system tells another user is put in its place
    def connect(self: socket.socket, address: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(engine.socket.socket, "connect", connect)
    with unix_engine(tmp_path / "docker.sock") as where:
        (finding,) = engine.check_docker({"DOCKER_HOST": where})
    assert finding.found == f"an engine's socket is at {where}, but this user may not use it"
    assert "usermod -aG docker" in str(finding.advice)


def test_an_engine_elsewhere_that_is_not_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        where = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        assert engine.check_docker({"DOCKER_HOST": where})[0].found == f"no engine at {where}"


def test_a_docker_host_that_makes_no_sense() -> None:
    (finding,) = engine.check_docker({"DOCKER_HOST": "carrier-pigeon://x"})
    assert finding.status == "warn"
    assert "check DOCKER_HOST" in str(finding.advice)


def test_no_docker_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    (finding,) = engine.check_docker({})
    assert finding.found == "the Python package docker is not installed"
    assert str(finding.advice).startswith("pip install docker")


@pytest.mark.docker
def test_a_real_engine(tmp_path: Path) -> None:
    findings = engine.check_docker(os.environ, used=True, folders=[tmp_path], self_dir=tmp_path)
    assert [finding.name for finding in findings] == [
        "docker", "docker live-restore", "docker log driver", "docker limits", "docker paths",
    ]  # fmt: skip
    assert findings[0].status == "ok"
    assert re.match(r"engine \S+ \(API 1\.\d+\) at \S+, storage \S+, cgroup v[12]$", findings[0].found)
    assert all(finding.status == "ok" for finding in findings[2:])
    (alone,) = engine.check_docker(os.environ)
    assert alone == findings[0]


@pytest.mark.docker
def test_a_container_that_the_engine_does_not_know() -> None:
    with engine.engine_at(os.environ) as client:
        assert engine.mounts_of(client, "f" * 64) is None


INFO: Mapping[str, Any] = {
    "LiveRestoreEnabled": True,
    "Plugins": {"Log": ["json-file", "local"]},
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsQuota": True,
    "PidsLimit": True,
}
CHECKS = (engine.check_live_restore, engine.check_log_driver, engine.check_limits)


def test_an_engine_as_it_should_be() -> None:
    assert [check(INFO).status for check in CHECKS] == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("check", "change", "status", "said"),
    [
        (engine.check_live_restore, {"LiveRestoreEnabled": False}, "warn", "live-restore"),
        (engine.check_log_driver, {"Plugins": {"Log": ["json-file"]}}, "fail", "18.09"),
        (engine.check_log_driver, {"Plugins": None}, "fail", "18.09"),
        (engine.check_limits, {"SwapLimit": False}, "warn", "swapaccount=1"),
    ],
)
def test_what_an_engine_lacks(
    check: Callable[[Mapping[str, Any]], Finding], change: dict[str, Any], status: str, said: str
) -> None:
    finding = check({**INFO, **change})
    assert finding.status == status
    assert said in str(finding.advice)


def test_which_limits_are_missing() -> None:
    assert engine.check_limits({**INFO, "SwapLimit": False, "PidsLimit": False}).found.endswith(": swap, processes")
