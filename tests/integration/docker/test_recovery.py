"""A server, an engine or a container that dies under ten printing jobs: nothing lost, nothing twice, the true ends."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import docker
import pytest

from k12ai_ws.launchers.docker.container import JOB, PLACE, SERVER, name_of
from k12ai_ws.launchers.docker.place import place_of

JOBS = 10
# Waits for a file before each part, so that the test decides what is printed in which life of the server.
GATED = """
import os, sys, time
def gate(name):
    while not os.path.exists(name): time.sleep(0.005)
for part in range(3):
    gate(f"gate{part}")
    print(f"part {part}", file=sys.stderr, flush=True)
    time.sleep(0.1)  # two streams have no order, but for what lies apart in time
    for i in range(200):
        n = part * 200 + i
        print(f"epoch={n} loss={1 / (n + 1):.4f}", flush=n % 7 == 0)
    sys.stdout.flush()
LAST
"""
LASTS = ["", "raise ValueError('no data')", "sys.exit(7)", "os.kill(os.getpid(), 9)"]


def last(i):
    return LASTS[i % len(LASTS)]


def open_gate(house, part, uuid, user="u"):
    (house.data_dir / "workspaces" / user / uuid / "toy" / f"gate{part}").touch()


def flat(events):
    """What two runs of one script have in common: lines per stream; of other events type and body."""
    lines = {"stdout": [], "stderr": []}
    rest = []
    for event in events:
        if event["type"] == "log":
            lines[event["log"]["stream"]] += event["log"]["lines"]
        else:
            rest.append((event["type"], json.dumps(event[event["type"]], sort_keys=True)))
    return lines, rest


def sound(events):
    """seq strictly increasing, one terminal status, and it is the last event."""
    numbers = [e["seq"] for e in events]
    assert numbers == sorted(set(numbers))
    ends = [e for e in events if e["type"] == "status" and "reason" in e["status"]]
    assert ends == events[-1:]


async def start_ten(client, house, user="u"):
    ids = {}
    for i in range(JOBS):
        uuid = f"p{i}"
        ids[uuid] = await client.start(GATED.replace("LAST", last(i)), uuid, user, image=house.image)
    for job_id in ids.values():
        await client.until(job_id, "running")
    return ids


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_ten_printing_jobs_go_on_under_the_next_server(boxes, how):
    client = await boxes.start()
    ids = await start_ten(client, boxes)
    for uuid, job_id in ids.items():
        open_gate(boxes, 0, uuid)
        await client.until_printed(job_id, 200)
    before = {uuid: await client.events(job_id) for uuid, job_id in ids.items()}
    for uuid in ids:
        open_gate(boxes, 1, uuid)  # they print while the server dies
    await boxes.end(how)
    for i in range(JOBS // 2):  # some end while there is no server, the others after it is back
        open_gate(boxes, 2, f"p{i}")
    client = await boxes.start()
    for i in range(JOBS // 2, JOBS):
        open_gate(boxes, 2, f"p{i}")
    for job_id in ids.values():
        await client.until(job_id)
    calm = await start_ten(client, boxes, "calm")
    for part in range(3):
        for uuid in calm:
            open_gate(boxes, part, uuid, "calm")
        for job_id in calm.values():
            await client.until_printed(job_id, 200 * (part + 1))
    for job_id in calm.values():
        await client.until(job_id)
    for uuid, job_id in ids.items():
        events = await client.events(job_id)
        sound(events)
        assert events[: len(before[uuid])] == before[uuid]  # what was seen once is never changed
        lines, rest = flat(events)
        assert lines["stdout"] == [f"epoch={n} loss={1 / (n + 1):.4f}" for n in range(600)]
        other = flat(await client.events(calm[uuid]))
        assert [(a, b) for a, b in zip(rest, other[1], strict=False) if a != b] == []
        assert (lines, rest) == other


async def test_containers_of_this_place_are_cleared_and_nobody_elses(boxes, engine):
    """A data folder that was lost leaves containers; those of another server are its own."""
    client = await boxes.start()
    job_id = await client.start("import time; time.sleep(600)", image=boxes.image)
    await client.until(job_id, "running")
    await boxes.end(signal.SIGKILL)
    shutil.move(boxes.data_dir, boxes.folder / "gone")
    foreign = engine.containers.run(
        boxes.image, ["sleep", "600"], detach=True,
        labels={PLACE: place_of(boxes.folder / "elsewhere"), SERVER: "another", JOB: "x"},
    )  # fmt: skip
    try:
        await boxes.start()
        with pytest.raises(docker.errors.NotFound):
            engine.containers.get(name_of(job_id))
        foreign.reload()
        assert foreign.status == "running"
    finally:
        foreign.remove(force=True)
    assert "whose data are gone: removed" in boxes.log()


async def test_a_stop_that_the_server_did_not_live_to_finish(boxes):
    client = await boxes.start(**(boxes.settings | {"jobs": boxes.settings["jobs"] | {"grace_s": 2.0}}))
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
    job_id = await client.start(script, image=boxes.image)
    await client.until_printed(job_id, 1)
    await client.stop()
    await boxes.end(signal.SIGKILL)
    client = await boxes.start()
    status = (await client.until(job_id))["status"]
    assert (status["value"], status["reason"], status["signal"]) == ("stopped", "stopped_by_user", 9)


class OwnEngine:
    """An engine beside the machine's, which a test may kill."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self._command = [
            # In a network of its own: an engine without a bridge removes the one of the engine that is there already.
            "unshare", "--net", "dockerd", f"--host={self.address}",
            f"--data-root={folder}/data", f"--exec-root={folder}/exec",
            f"--pidfile={folder}/pid", "--bridge=none", "--iptables=false", "--storage-driver=overlay2", *options,
        ]  # fmt: skip

    def start(self):
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)
        self.client = docker.DockerClient(base_url=self.address)

    def _answers(self):
        """Whether it takes connections; the `docker` package would leak one for each time it does not."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect_ex(f"{self.folder}/docker.sock")
            probe.settimeout(1)
            with contextlib.suppress(OSError):
                probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 " in probe.recv(64)
        return False

    def end(self, number):
        self.client.close()
        self.process.send_signal(number)
        self.process.wait(60)
        for left in ("pid", "exec/containerd/containerd.pid"):  # by one that was killed: the next would not start
            (self.folder / left).unlink(missing_ok=True)

    def kill_all(self):
        """With its helpers, that it would wait for; nothing of it is needed any more."""
        self.process.kill()
        self.process.wait()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has just ended
                if str(self.folder).encode() in (folder / "cmdline").read_bytes():
                    os.kill(int(folder.name), signal.SIGKILL)

    def load(self, image, engine):
        self.client.images.load(b"".join(engine.images.get(image).save(named=True)))


def remove(client, container):
    """Removes a container, which the server may be removing too, or have removed."""
    try:
        client.api.remove_container(container, force=True)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):
            raise


@pytest.fixture(params=["plain", "live-restore"])
def own_engine(request, engine, boxed):
    if os.getuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("an engine of the test's own needs root and dockerd")
    folder = Path(tempfile.mkdtemp(prefix="k12ai-engine-"))
    own = OwnEngine(folder, *(["--live-restore"] if request.param == "live-restore" else []))
    own.restores = request.param == "live-restore"
    own.start()
    own.load(boxed.image, engine)
    try:
        yield own
        if own.process.poll() is not None:
            own.start()
        for found in own.client.api.containers(all=True):
            remove(own.client, found["Id"])
    finally:
        own.client.close()
        own.kill_all()
    left = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((each for each in left if each.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=True)
    shutil.rmtree(folder)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["restarted", "killed"])
async def test_an_engine_that_is_restarted_under_its_jobs(own_engine, serve, boxed, tmp_path, how):
    client = await serve(boxed(host=own_engine.address))
    script = GATED.replace("LAST", "")
    ids = {f"p{i}": await client.start(script, f"p{i}", image=boxed.image) for i in range(3)}

    def open_gates(part):
        for uuid in ids:
            (tmp_path / "data" / "workspaces" / "u" / uuid / "toy" / f"gate{part}").touch()

    for job_id in ids.values():
        await client.until(job_id, "running")
    open_gates(0)
    for job_id in ids.values():
        await client.until_printed(job_id, 200)
    own_engine.end(how)
    open_gates(1)  # with live-restore they print on, while there is no engine
    # One job may be sent to an engine that has answered a moment ago; those after it wait until there is one again.
    early = await client.start("print('early')", "early", image=boxed.image)
    if (await client.job(early))["status"]["value"] != "queued":
        status = (await client.until(early))["status"]
        assert (status["value"], status["code"], status["reason"]) == ("failed", 100203, "engine_failed")
    late = await client.start("print('late')", "late", image=boxed.image)
    waiting = await client.job(late)
    assert waiting["status"]["value"] == "queued"
    assert own_engine.address.removeprefix("unix://") in waiting["queue"]["reason"]
    await asyncio.to_thread(own_engine.start)
    open_gates(2)
    for job_id in ids.values():
        status = (await client.until(job_id))["status"]
        printed = await client.lines(job_id)
        expected = [f"epoch={n} loss={1 / (n + 1):.4f}" for n in range(600)]
        if own_engine.restores:
            assert (status["value"], printed) == ("finished", expected)
        else:
            assert (status["value"], status["code"], status["reason"]) == ("failed", 100203, "engine_failed")
            assert printed == expected[: len(printed)]
        sound(await client.events(job_id))
    assert (await client.until(late))["status"]["value"] == "finished"
