"""The images, as they are built: the trainers train in them for real, and the server's finds the engine from within.

They are built where they are missing, on $K12AI_TEST_BASE (by default the local Debian image, where there is one).
"""

import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
LOCAL_BASE = "k12ai/base:bookworm"
SOCKET = Path("/var/run/docker.sock")
USER = 12345
"""Nobody in any image's /etc/passwd."""
SEALED = ("--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--init")


def docker(*words: object, check: bool = True, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["docker", *map(str, words)], capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0 or not check, f"docker {words}: {done.stdout}{done.stderr}"
    return done


def is_there(image: str) -> bool:
    return docker("image", "inspect", image, check=False).returncode == 0


@pytest.fixture(scope="session", params=["k12cv", "k12nlp"])
def plugin(request: pytest.FixtureRequest, built: Callable[[str, str], str]) -> str:
    built("images", f"k12ai/{request.param}:latest")
    return str(request.param)


@pytest.fixture(scope="session")
def server_image(built: Callable[[str, str], str]) -> str:
    return built("server-image", "k12ai/server:latest")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o777)  # the container's user is none of ours
    return folder


def train(plugin: str, output: Path, *words: str) -> str:
    command = ("python", "-m", f"{plugin}.trainer", *words, "--output", "/out")
    name = f"k12ai-test-{uuid.uuid4().hex[:12]}"
    done = docker(
        "run", "--rm", "--name", name, *SEALED, "--user", f"{USER}:{USER}", "-v", f"{output}:/out",
        f"k12ai/{plugin}:latest", *command,
    )  # fmt: skip
    return done.stdout


def test_it_trains_as_nobody_without_a_network_on_a_read_only_root(plugin: str, output: Path) -> None:
    said = train(plugin, output, "train")
    accuracy = float(re.findall(r"test_accuracy=([\d.]+)", said)[-1])
    assert accuracy > {"k12cv": 0.95, "k12nlp": 0.55}[plugin], said
    assert {"model.npz", "metrics.json"} <= {path.name for path in output.iterdir()}
    assert (output / "model.npz").stat().st_uid == USER
    again = float(re.findall(r"accuracy=([\d.]+)", train(plugin, output, "evaluate"))[0])
    assert again == pytest.approx(accuracy, abs=1e-4)


def test_it_holds_the_trainer_and_not_the_server(plugin: str) -> None:
    code = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    asked = ("python", "-c", code, plugin, "sklearn", "k12ai_ws", "tornado", "docker")
    said = docker("run", "--rm", *SEALED, f"k12ai/{plugin}:latest", *asked).stdout
    assert said.strip() == str([plugin, "sklearn"])


def test_it_is_nobody_s_even_where_no_user_is_named(plugin: str) -> None:
    (about,) = json.loads(docker("image", "inspect", f"k12ai/{plugin}:latest").stdout)
    assert about["Config"]["User"] == "65534:65534"
    assert "HOME=/tmp" in about["Config"]["Env"]


def within(image: str, data: Path, target: Path, *words: str) -> tuple[object, ...]:
    """What runs the server's image as config/compose.yaml does, with the data folder at `target`."""
    return (
        *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "host"),
        *("--user", f"{USER}:{USER}", "--group-add", SOCKET.stat().st_gid, "-v", f"{SOCKET}:{SOCKET}"),
        *("-v", f"{data}:{target}", "-e", f"K12AI_DATA_DIR={target}", image, *words),
    )


def diagnosed(image: str, data: Path, target: Path) -> dict[str, dict[str, Any]]:
    words = within(image, data, target, "doctor", "--launcher", "docker", "--port", "0", "--json")
    done = docker("run", "--rm", *words, check=False)
    return {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}


def test_the_server_s_doctor_sees_the_engine_and_the_same_paths(server_image: str, output: Path) -> None:
    found = diagnosed(server_image, output, output)
    for name in ("docker", "drivers", "data directory", "sqlite", "docker paths", "docker log driver"):
        assert found[name]["status"] == "ok", found[name]
    assert f"{output} " in f"{found['docker paths']['found']} ".replace(",", " ")


def test_the_server_s_doctor_finds_paths_that_differ(server_image: str, output: Path) -> None:
    wrong = diagnosed(server_image, output, Path("/srv/elsewhere"))["docker paths"]
    assert wrong["status"] == "fail"
    assert f"/srv/elsewhere is {output} on the host" in wrong["found"]


@contextmanager
def serving(image: str, data: Path) -> Iterator[str]:
    name = f"k12ai-test-{uuid.uuid4().hex[:12]}"
    settings = ("-e", "K12AI_SERVER__PORT=0", "-e", "K12AI_JOBS__LAUNCHER=process")
    docker("run", "-d", "--name", name, *settings, *within(image, data, data, "serve", "--json"))
    try:
        yield name
    finally:
        docker("rm", "-f", "-v", name)


def test_the_server_serves_and_says_that_it_is_well(server_image: str, output: Path) -> None:
    (about,) = json.loads(docker("image", "inspect", server_image).stdout)
    kind, *command = about["Config"]["Healthcheck"]["Test"]
    assert kind == "CMD"
    with serving(server_image, output) as name:
        with subprocess.Popen(["docker", "logs", "-f", name], stdout=subprocess.PIPE, text=True) as logs:
            assert logs.stdout is not None
            ready = json.loads(logs.stdout.readline())
            logs.kill()
        port = ready["address"].rpartition(":")[2]
        docker("exec", "-e", f"K12AI_SERVER__PORT={port}", name, *command)
        assert docker("exec", "-e", "K12AI_SERVER__PORT=1", name, *command, check=False).returncode == 1
        docker("stop", "-t", "20", name)
        (ended,) = json.loads(docker("inspect", name).stdout)
    assert ended["State"]["ExitCode"] == 0, "SIGTERM ends it in good order"
    assert (output / "k12ai.sqlite3").stat().st_uid == USER
