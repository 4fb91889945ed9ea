"""Which launcher a server takes, and what it says of it."""

import http.server
import json
import threading

import pytest

from k12ai_ws import launching
from k12ai_ws.launching import choose_launcher
from k12ai_ws.settings import Settings, SettingsError, load_settings


class Answers(http.server.BaseHTTPRequestHandler):
    """An engine that says who it is, and nothing else."""

    def do_GET(self):
        body = json.dumps({"ApiVersion": "1.41", "MinAPIVersion": "1.12", "ServerVersion": "99.1"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing of it is of interest."""


@pytest.fixture
def engine():
    """The address of an engine that answers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def choose(tmp_path, monkeypatch):
    """Chooses by `jobs.launcher` and settings of `[docker]`; gives the launcher's name and the sentence."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")

    async def choose(asked="auto", **docker):
        launcher, note = await choose_launcher(
            Settings(data_dir=tmp_path, jobs={"launcher": asked}, docker=docker)  # type: ignore[arg-type]
        )
        await launcher.close()
        return launcher.name, note

    return choose


def left(tmp_path, folder, mark, *names, ended=()):
    """Runs that an earlier server left."""
    for name in (*names, *ended):
        (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / name / mark).write_text("{}")
    for name in ended:
        (tmp_path / folder / name / "exit.json").write_text("{}")


async def test_auto_takes_docker_where_an_engine_answers(choose, engine, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", engine)
    name, note = await choose(images=["k12ai/*", "lab/*"])
    assert name == "docker"
    assert "auto: an engine answers, version 99.1" in note
    assert "k12ai/*, lab/*" in note


async def test_auto_takes_processes_where_none_does_and_says_why(choose, tmp_path):
    name, note = await choose()
    assert name == "process"
    assert f"{tmp_path}/no.sock does not answer" in note
    assert "does not isolate" in note


@pytest.mark.parametrize("asked", ["docker", "process"])
async def test_the_setting_is_obeyed_without_asking_an_engine(choose, asked):
    name, note = await choose(asked)
    assert name == asked
    assert "the setting says so" in note


@pytest.mark.parametrize(
    ("folder", "mark", "name"), [("runs", "state.json", "process"), ("containers", "run.json", "docker")]
)
async def test_auto_stays_with_the_jobs_that_still_run(choose, tmp_path, engine, folder, mark, name):
    """Engine or not: nobody else would see their end."""
    left(tmp_path, folder, mark, "j1", "j2", ended=["j3"])
    for docker in ({}, {"host": engine}):
        taken, note = await choose(**docker)
        assert (taken, "auto: 2 of its jobs are still to be ended" in note) == (name, True)
    assert (await choose(name))[0] == name


@pytest.mark.parametrize(
    ("folder", "mark", "asked", "other"),
    [("runs", "state.json", "docker", "process"), ("containers", "run.json", "process", "docker")],
)
async def test_jobs_of_the_other_launcher_are_not_left_alone(choose, tmp_path, folder, mark, asked, other):
    left(tmp_path, folder, mark, *(f"j{i}" for i in range(7)))
    with pytest.raises(SettingsError) as caught:
        await choose(asked)
    said = str(caught.value)
    assert f"jobs.launcher: {asked} cannot take up the jobs that {other} has started" in said
    assert "(j0, j1, j2, j3, j4)" in said
    assert f"--launcher {other}" in said


async def test_jobs_that_have_ended_bind_nobody(choose, tmp_path):
    left(tmp_path, "runs", "state.json", ended=["j1"])
    left(tmp_path, "containers", "run.json", ended=["j2"])
    (tmp_path / "runs" / "never-started").mkdir()
    for asked in ("docker", "process"):
        assert (await choose(asked))[0] == asked


@pytest.mark.parametrize(
    "host",
    ["nonsense://x", "h:2375", "tcp://h", "tcp://h:x", "ssh://user@h", "npipe:////./pipe/docker", "fd://3"],
)
@pytest.mark.parametrize("asked", ["auto", "docker"])
async def test_an_address_that_is_none_is_said(choose, monkeypatch, asked, host):
    with pytest.raises(SettingsError, match=r"docker\.host: .*right would be unix:///var/run/docker\.sock or tcp:"):
        await choose(asked, host=host)
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(SettingsError, match=r"docker\.host is not set, and the environment's DOCKER_HOST: "):
        await choose(asked)


async def test_only_root_gives_folders_to_another_user(choose, monkeypatch):
    monkeypatch.setattr(launching.os, "getuid", lambda: 1000)
    with pytest.raises(SettingsError, match=r"docker\.user: only root .* 1234:1234; this server is uid 1000"):
        await choose("docker", user="1234:1234")
    assert (await choose("docker", user="1000:1234"))[0] == "docker"
    assert (await choose("process", user="1234:1234"))[0] == "process"
    monkeypatch.setattr(launching.os, "getuid", lambda: 0)
    assert (await choose("docker", user="1234:1234"))[0] == "docker"


async def test_an_engine_that_is_named_is_wanted(tmp_path):
    """Whoever names an engine does not want jobs to run unguarded where it does not answer."""
    settings = load_settings(None, {"data_dir": str(tmp_path), "docker": {"host": f"unix://{tmp_path}/none"}})
    launcher, note = await choose_launcher(settings)
    assert launcher.name == "docker"
    assert "docker.host names an engine" in note
    await launcher.close()


@pytest.mark.parametrize("role", ["datasets", "pretrained"])
@pytest.mark.parametrize("folder", ["/", "/var/run", "{data}", "{data}/.."])
async def test_what_jobs_read_may_not_hold_what_no_job_may_see(tmp_path, role, folder):
    data = tmp_path / "data"
    data.mkdir()
    chosen = {"data_dir": str(data), "jobs": {"launcher": "docker"}, "folders": {role: folder.format(data=data)}}
    with pytest.raises(SettingsError, match=rf"folders\.{role}: .* which no job may see"):
        await choose_launcher(load_settings(None, chosen))
