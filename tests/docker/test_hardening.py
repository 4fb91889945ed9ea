"""What a container may not do, asked from inside it; and what a driver may not ask for."""

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from k12ai_ws.drivers.spec import Mount
from k12ai_ws.launchers.docker.policy import Allowed, Policy
from k12ai_ws.launchers.launcher import LaunchError

pytestmark = pytest.mark.docker

SOCKET = Path("/var/run/docker.sock").resolve()
LOOK = r"""
import json, os, pathlib, socket
def can(path, flags=os.O_WRONLY | os.O_CREAT):
    try:
        os.close(os.open(path, flags, 0o600))
        return True
    except OSError as e:
        return e.strerror
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
def cgroup(*names):
    for name in names:
        try: return open("/sys/fs/cgroup/" + name).read().split()[0]
        except OSError: pass
print(json.dumps({
    "ids": [os.getuid(), os.getgid(), *os.getgroups()],
    "caps": {name: int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")},
    "no_new_privs": int(status["NoNewPrivs"]), "seccomp": int(status["Seccomp"]),
    "init": pathlib.Path("/proc/1/comm").read_text().strip(),
    "networks": sorted(os.listdir("/sys/class/net")),
    "write": {path: can(path) for path in ("/x", "/etc/x", "/usr/x", "/root/x", "/tmp/x", "/dev/shm/x",
        "/k12ai/output/x", "/k12ai/datasets/x", "/k12ai/pretrained/x")},
    "read": pathlib.Path("/k12ai/datasets/known.csv").read_text(),
    "memory": cgroup("memory/memory.limit_in_bytes", "memory.max"),
    "swap": cgroup("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
    "pids": cgroup("pids/pids.max", "pids.max"),
    "quota": cgroup("cpu/cpu.cfs_quota_us", "cpu.max"),
    "shm": os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize,
    "tmp": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize,
    "socket": os.path.exists("/var/run/docker.sock") or os.path.exists("/run/docker.sock"),
    "env": {k: v for k, v in os.environ.items() if k.startswith(("K12AI", "HOME", "NVIDIA", "SECRET"))},
    "cwd": os.getcwd(),
}))
"""


@pytest.fixture
async def inside(place, launcher, tmp_path, monkeypatch):
    """What a job sees of its container."""
    monkeypatch.setenv("SECRET", "of the server")
    request = place.python(LOOK, resources={"memory": 128 << 20, "cpus": 0.5, "shm": 16 << 20})
    for role in ("datasets", "pretrained"):
        (tmp_path / role).mkdir()
        request.folders[role] = tmp_path / role
    (tmp_path / "datasets" / "known.csv").write_text("a,b")
    (tmp_path / "datasets").chmod(0o755)
    printed, end = await place.run(launcher, request)
    assert end.exit_code == 0, printed
    return json.loads(printed)


async def test_a_container_has_nothing_that_its_job_does_not_need(inside):
    assert 0 not in inside["ids"]
    assert inside["caps"] == {"CapEff": 0, "CapPrm": 0, "CapBnd": 0, "CapAmb": 0}
    assert (inside["no_new_privs"], inside["seccomp"]) == (1, 2)
    assert inside["init"] in ("docker-init", "tini")
    assert inside["networks"] == ["lo"]
    assert {path: verdict for path, verdict in inside["write"].items() if verdict is not True} == dict.fromkeys(
        ("/x", "/etc/x", "/usr/x", "/k12ai/datasets/x", "/k12ai/pretrained/x"), "Read-only file system"
    ) | {"/root/x": inside["write"]["/root/x"]}
    assert inside["write"]["/root/x"] in ("Read-only file system", "Permission denied")
    assert inside["read"] == "a,b"
    assert not inside["socket"]
    assert inside["cwd"] == "/k12ai/output"
    assert inside["env"] == {
        "HOME": "/tmp",
        "K12AI_OUTPUT": "/k12ai/output",
        "K12AI_DATASETS": "/k12ai/datasets",
        "K12AI_PRETRAINED": "/k12ai/pretrained",
        "NVIDIA_VISIBLE_DEVICES": "void",
    }


async def test_a_container_has_limits(inside):
    assert int(inside["memory"]) == 128 << 20
    assert inside["swap"] in (str(128 << 20), "0")  # version 1 of the control groups counts both together
    assert inside["pids"] == "1024"
    assert inside["quota"] == "50000"
    assert (inside["shm"], inside["tmp"]) == (16 << 20, 1 << 30)


async def test_labels_say_whose_it_is(place, launcher, container_of):
    request = place.python("import time; time.sleep(600)")
    handle = await launcher.launch(request)
    labels = container_of(request).labels
    assert {key: value for key, value in labels.items() if key.startswith("k12ai.")} == {
        "k12ai.service.name": "k12test",
        "k12ai.service.op": "train.start",
        "k12ai.service.user": "ada",
        "k12ai.service.uuid": "lesson-1",
        "k12ai.service.job": request.job_id,
        "k12ai.service.server": place.server_id,
        "k12ai.service.place": labels["k12ai.service.place"],
    }
    await launcher.stop(handle, 0)
    await launcher.wait(handle)


async def test_what_a_job_writes_can_be_read_and_overwritten_by_the_next(place, launcher):
    _, end = await place.run(launcher, place.python("open('model', 'w').write('1')"))
    assert end.exit_code == 0
    assert (place.output / "model").read_text() == "1"
    if os.getuid() == 0:  # left by a job of the process launcher
        os.chown(place.output / "model", 0, 0)
        (place.output / "model").chmod(0o600)
    printed, end = await place.run(launcher, place.python("print(open('model').read()); open('model', 'w').write('2')"))
    assert (printed, end.exit_code) == (b"1\n", 0)
    assert (place.output / "model").read_text() == "2"


async def test_a_link_in_the_output_folder_leads_nowhere(place, launcher, tmp_path):
    """A job may leave a link; neither the server's hand-over nor the next container follows it out."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    owner = secret.stat().st_uid
    await place.run(launcher, place.python(f"import os; os.symlink({str(secret)!r}, 'model')"))
    printed, _ = await place.run(launcher, place.python("import os; print(os.path.exists('model'))"))
    assert printed == b"False\n"
    assert secret.stat().st_uid == owner


async def test_a_dataset_that_is_a_link_out_of_its_root_is_not_there(place, launcher, tmp_path):
    (tmp_path / "datasets").mkdir(mode=0o755)
    (tmp_path / "datasets" / "shadow").symlink_to("/etc/hostname")
    request = place.python("print(open('/k12ai/datasets/shadow').read())")
    request.folders["datasets"] = tmp_path / "datasets"
    printed, end = await place.run(launcher, request)
    assert end.exit_code == 0
    assert printed.strip() != socket.gethostname().encode()  # it is the container's own file of that name


async def test_forking_without_end_is_contained(place):
    launcher = place.launcher(pids=64)
    source = (
        "import os, time\n"
        "made = 0\n"
        "try:\n"
        "    while True:\n"
        "        if os.fork() == 0: time.sleep(600)\n"
        "        made += 1\n"
        "except OSError as e: print(made, e.strerror, flush=True); os._exit(3)"
    )
    printed, end = await place.run(launcher, place.python(source))
    count, _, words = printed.decode().partition(" ")
    assert 40 <= int(count) < 64
    assert words == "Resource temporarily unavailable\n"
    assert end.exit_code == 3
    assert (await place.run(launcher, place.python("print('next')")))[0] == b"next\n"
    await launcher.close()


async def test_binary_output_is_kept_as_it_is(place, launcher):
    printed, end = await place.run(launcher, place.python("import os; os.write(1, bytes(range(256)) * 1000)"))
    assert printed == bytes(range(256)) * 1000
    assert end.exit_code == 0


@pytest.fixture
def disk(tmp_path):
    """A small file system, full as soon as 4 MiB are in it."""
    folder = tmp_path / "output"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "k12ai", folder], check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def test_a_full_disk_is_the_jobs_own_error(place, launcher, disk):
    printed, end = await place.run(launcher, place.python("open('big', 'wb').write(bytes(8 << 20))"))
    assert end.exit_code == 1
    assert b"OSError: [Errno 28] No space left on device" in printed


# ---- what a driver may not ask for


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        (Mount(source="/", target="/host"), "no job sees '/'"),
        (Mount(source=str(SOCKET), target="/sock"), "no job sees"),
        (Mount(source="{allowed}/sock", target="/sock"), "no job sees"),
        (Mount(source="/etc", target="/host-etc"), "lies in no folder that jobs may see"),
        (Mount(source="{allowed}/out", target="/host"), "lies in no folder that jobs may see"),
        (Mount(source="{allowed}", target="/host", read_only=False), "may only be read"),
        (Mount(source="{allowed}", target="/proc/x"), "would hide what the container needs"),
        (Mount(source="{allowed}", target="/k12ai/../etc"), "would hide what the container needs"),
        (Mount(source="{allowed}/missing", target="/x"), "there is no such folder"),
    ],
)
async def test_mounts_beyond_the_policy_are_refused_before_anything_starts(place, tmp_path, engine, mount, said):
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "out").symlink_to("/etc")
    (allowed / "sock").symlink_to(SOCKET)
    policy = Policy(images=["*"], mounts=[Allowed(allowed)], never=[SOCKET, place.folder / "data"])
    launcher = place.launcher(policy=policy)
    mount = mount.model_copy(update={"source": mount.source.replace("{allowed}", str(allowed))})
    request = place.python("pass", extra_mounts=[mount])
    with pytest.raises(LaunchError, match=said):
        await launcher.check(request.spec)
    with pytest.raises(LaunchError, match=said):
        await launcher.launch(request)
    assert not engine.api.containers(all=True, filters={"name": request.job_id})
    await launcher.close()


async def test_a_mount_that_the_policy_allows(place, tmp_path):
    allowed = tmp_path / "allowed"
    allowed.mkdir(mode=0o755)
    (allowed / "here").write_text("yes")
    launcher = place.launcher(policy=Policy(images=["*"], mounts=[Allowed(allowed)]))
    request = place.python("print(open('/x/here').read())", extra_mounts=[Mount(source=str(allowed), target="/x")])
    assert (await place.run(launcher, request))[0] == b"yes\n"
    await launcher.close()


@pytest.mark.parametrize("network", ["host", "bridge", "container:abc", "none", "no such"])
async def test_networks_beyond_the_policy_are_refused(place, launcher, network):
    with pytest.raises(LaunchError, match=r"docker\.networks"):
        await launcher.check(place.python("pass", network=network).spec)


async def test_a_network_that_the_policy_allows(place):
    launcher = place.launcher(policy=Policy(images=["*"], networks=["bridge"]))
    request = place.python("import os; print(sorted(os.listdir('/sys/class/net')))", network="bridge")
    assert (await place.run(launcher, request))[0] == b"['eth0', 'lo']\n"
    await launcher.close()


@pytest.mark.parametrize("image", ["k12ai/X", "a b", "-v", "../x", "x:y:z", "x\n", "http://x/y", "", "x@sha256:12"])
async def test_a_name_that_is_no_image_is_refused(place, launcher, image):
    with pytest.raises(LaunchError, match="no name of an image"):
        await launcher.check(place.python("pass", image=image).spec)


async def test_an_image_beyond_the_policy_is_refused(place):
    launcher = place.launcher(policy=Policy(images=["k12ai/k12*:latest"]))
    with pytest.raises(LaunchError, match=r"k12ai/base:bookworm.*docker\.images"):
        await launcher.check(place.python("pass", image="k12ai/base:bookworm").spec)
    await launcher.check(place.python("pass", image="k12ai/k12cv").spec)
    await launcher.close()


async def test_an_image_with_volumes_is_refused(place, launcher, engine):
    """A volume of the image's own would be writable, and nothing would bound it."""
    base = engine.containers.create(place.image)
    try:
        engine.api.commit(base.id, repository="k12ai/test-volume", tag="1", changes="VOLUME /data /more")
    finally:
        base.remove()
    request = place.python("pass", image="k12ai/test-volume:1")
    try:
        with pytest.raises(LaunchError, match=r"declares volumes \(/data, /more\)"):
            await launcher.launch(request)
    finally:
        engine.images.remove("k12ai/test-volume:1")
    assert not engine.api.containers(all=True, filters={"name": request.job_id})
