"""What stands in config/ and the Dockerfiles for operators: read as text, so that it is checked without an engine."""

import json
import os
import re
import subprocess
import sys
from configparser import RawConfigParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socket import AF_INET, AF_INET6
from threading import Thread

import pytest

from k12ai_ws.ending import GOODBYE_S
from k12ai_ws.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = {
    "plugins/k12cv/image/Dockerfile": "plugins/k12cv",
    "plugins/k12nlp/image/Dockerfile": "plugins/k12nlp",
    "Dockerfile": ".",
}
"""Each with its build context."""


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def instructions(name: str) -> list[str]:
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text(name), flags=re.MULTILINE))
    return [line for line in joined.splitlines() if line.strip()]


def mounts() -> list[dict[str, str]]:
    """The long-form mounts of the compose file: `key: value` lines of each list entry."""
    section = re.search(r"^    volumes:\n((?:      .*\n)+)", text("config/compose.yaml"), re.MULTILINE)
    assert section
    entries = re.split(r"^      - ", section[1], flags=re.MULTILINE)
    found = [dict(re.findall(r"^\s*(\w+): (\S.*)$", entry, re.MULTILINE)) for entry in entries]
    return [entry for entry in found if entry]


def test_compose_mounts_each_folder_at_its_own_path() -> None:
    """The engine resolves a job's folders on the host: a source that differs from its target cannot work."""
    assert len(mounts()) == 4
    for mount in mounts():
        assert mount["type"] == "bind"
        assert mount["source"] == mount["target"]
    data = mounts()[0]
    assert data["source"].startswith("${K12AI_DATA:?")
    assert data["create_host_path"] == "false", "a folder that the engine makes is root's"
    assert f"K12AI_DATA_DIR: {data['source']}" in text("config/compose.yaml")


def test_compose_keeps_the_server_on_loopback_and_without_rights() -> None:
    compose = text("config/compose.yaml")
    assert "\n    network_mode: host\n" in compose
    assert not re.search(r"SERVER__HOST|privileged: true|cap_add|^ *ports:", compose, re.MULTILINE)
    for line in ("read_only: true", "no-new-privileges:true", "cap_drop:", "${DOCKER_GID:?"):
        assert line in compose


def test_compose_has_no_init_among_the_hosts_processes() -> None:
    """It would not be process 1 there, warn of that at each start, and reap nothing."""
    compose = text("config/compose.yaml")
    assert "\n    pid: host\n" in compose
    assert not re.search(r"^ *init:", compose, re.MULTILINE)


class Ready(BaseHTTPRequestHandler):
    """`GET /ready` with the status that the server has."""

    def do_GET(self) -> None:
        self.send_response(self.server.status if self.path == "/ready" else 404)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *said: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
@pytest.mark.parametrize("status", [200, 503, None])
def test_the_health_check_asks_where_the_server_listens(host: str, status: int | None) -> None:
    check = re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", "\n".join(instructions("Dockerfile")), re.MULTILINE)
    assert check
    command = [sys.executable, *json.loads(check[1])[1:]]

    class Server(HTTPServer):
        address_family = AF_INET6 if ":" in host else AF_INET

    with Server((host, 0), Ready) as server:
        server.status = status  # type: ignore[attr-defined]
        if status is None:
            server.socket.close()  # nobody is there
        else:
            Thread(target=server.handle_request, daemon=True).start()
        where = {"K12AI_SERVER__PORT": str(server.server_port)}
        if host != "127.0.0.1":
            where["K12AI_SERVER__HOST"] = host
        done = subprocess.run(command, env=os.environ | where, capture_output=True, timeout=30, check=False)
    assert (done.returncode == 0) == (status == 200)
    if status == 503:
        assert done.stderr == b""


def unit() -> RawConfigParser:
    parser = RawConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text("config/k12ai.service"))
    return parser


def test_the_unit_leaves_jobs_running() -> None:
    service = unit()["Service"]
    assert service["KillMode"] == "process"
    assert service["Restart"] == "always"
    assert "PrivateTmp" not in service, "a restart would empty the /tmp of jobs that go on"
    assert "OOMScoreAdjust" not in service, "jobs would inherit it"
    assert "Requires" not in unit()["Unit"], "the server outlives a restart of the engine"
    assert "docker.service" in unit()["Unit"]["After"]


def test_there_is_time_to_end_before_it_is_killed() -> None:
    """The unit's and the compose file's patience is longer than all that the server waits for at its end."""
    shutdown = load_settings().shutdown
    needed = shutdown.notice_s + shutdown.requests_s + shutdown.flush_s + GOODBYE_S + 5  # and to store the rest
    grace = re.search(r"stop_grace_period: (\d+)s", text("config/compose.yaml"))
    assert grace
    assert int(grace[1]) >= needed
    assert int(unit()["Service"]["TimeoutStopSec"]) >= needed


def test_the_unit_waits_to_be_told_that_the_server_is_ready() -> None:
    assert (unit()["Service"]["Type"], unit()["Service"]["NotifyAccess"]) == ("notify", "main")


def test_the_unit_may_write_its_data_folder() -> None:
    service = unit()["Service"]
    assert service["ProtectSystem"] == "strict"
    folder = re.search(r"--data-dir (\S+)", service["ExecStart"])
    assert folder
    assert folder[1] == f"/var/lib/{service['StateDirectory']}"
    assert service["User"] != "root"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_a_dockerfile_needs_no_buildkit_and_names_no_registry(name: str) -> None:
    lines = instructions(name)
    assert lines[0] == "ARG BASE=python:3.11-slim-bookworm"
    assert lines[1] == "FROM ${BASE}"
    assert not [line for line in lines if "--mount" in line or "<<" in line]
    assert not re.search(r"https?://(?!127\.0\.0\.1)|^# *syntax", text(name), re.MULTILINE)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["65534:65534"]


@pytest.mark.parametrize(("name", "context"), DOCKERFILES.items())
def test_what_is_copied_is_in_the_context(name: str, context: str) -> None:
    """.dockerignore names what is let in: everything that COPY names must be."""
    ignore = (ROOT / context / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignore
    let_in = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {word for line in instructions(name) if line.startswith("COPY ") for word in line.split()[1:-1]}
    assert copied
    for path in copied:
        assert (ROOT / context / path).exists()
        assert path.partition("/")[0] in let_in


def test_the_documents_name_every_target_and_file() -> None:
    document = text("docs/operations.md")
    for name in ("make images", "make server-image", "config/compose.yaml", "config/k12ai.service", "k12ai doctor"):
        assert name in document
    targets = set(re.findall(r"\bmake ([a-z][\w-]*)", document))
    assert not {t for t in targets if not re.search(rf"^{t}\s*:", text("Makefile"), re.MULTILINE)}
