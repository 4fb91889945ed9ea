"""What the engine is told of a job's container: all of it, word by word."""

import pytest

from k12ai_ws.drivers.spec import LaunchSpec, Mount, Resources
from k12ai_ws.launchers.docker.container import Bounds, Owner, describe, name_of
from k12ai_ws.launchers.docker.policy import Bind, Granted
from k12ai_ws.launchers.launcher import LaunchError, LaunchRequest
from k12ai_ws.wire.codes import Code

BOUNDS = Bounds(user="64000:64001", tmp_bytes=1000, pids=77, log_bytes=5000)
RESOURCES = Resources(cpus=1.5, memory=1 << 30, shm=1 << 20)
OWNER = Owner(server="s", place="p")


class Asking:
    """Requests of a job, with folders that are there."""

    def __init__(self, root):
        self.folders = {role: root / role for role in ("output", "datasets", "pretrained")}
        for folder in self.folders.values():
            folder.mkdir()

    def request(self, *, gpus=(), folders=None, **spec):
        return LaunchRequest(
            job_id="j1",
            user="16601548608",
            service_uuid="u-1",
            service_name="k12cv",
            op="train.start",
            spec=LaunchSpec(**{"command": ["python", "-m", "x"], "image": "k12ai/k12cv", **spec}),
            folders=self.folders if folders is None else folders,
            gpus=gpus,
        )

    def described(self, **asked):
        return describe(self.request(**asked), Granted(RESOURCES), BOUNDS, OWNER)

    def env(self, **asked):
        pairs = [entry.split("=", 1) for entry in self.described(**asked)["Env"]]
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    def refusal(self, **asked):
        with pytest.raises(LaunchError) as caught:
            self.described(**asked)
        assert caught.value.code == Code.START_FAILED
        return caught.value.message


@pytest.fixture
def asking(tmp_path):
    return Asking(tmp_path.resolve())


def bind(source, target, read_only):
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": target,
        "ReadOnly": read_only,
        "BindOptions": {"Propagation": "rprivate"},
    }


def test_all_that_the_engine_is_told(asking):
    """Whole, so that nothing goes missing from it, and nothing of the request but the spec gets into it."""
    folders = asking.folders
    assert asking.described() == {
        "Image": "k12ai/k12cv:latest",
        "Entrypoint": ["python", "-m", "x"],
        "Cmd": [],
        "Env": [
            "HOME=/tmp",
            "PYTHONUNBUFFERED=1",
            "K12AI_OUTPUT=/k12ai/output",
            "K12AI_DATASETS=/k12ai/datasets",
            "K12AI_PRETRAINED=/k12ai/pretrained",
            "NVIDIA_VISIBLE_DEVICES=void",
        ],
        "WorkingDir": "/k12ai/output",
        "User": "64000:64001",
        "Tty": False,
        "OpenStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": {
            "k12ai.service.name": "k12cv",
            "k12ai.service.op": "train.start",
            "k12ai.service.user": "16601548608",
            "k12ai.service.uuid": "u-1",
            "k12ai.service.job": "j1",
            "k12ai.service.server": "s",
            "k12ai.service.place": "p",
        },
        "HostConfig": {
            "NetworkMode": "none",
            "Init": True,
            "Privileged": False,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "ReadonlyRootfs": True,
            "IpcMode": "private",
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,
            "Memory": 1 << 30,
            "MemorySwap": 1 << 30,
            "NanoCpus": 1_500_000_000,
            "PidsLimit": 77,
            "ShmSize": 1 << 20,
            "Tmpfs": {"/tmp": "rw,exec,nosuid,nodev,mode=1777,size=1000"},
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            "LogConfig": {"Type": "local", "Config": {"max-size": "5000", "max-file": "2", "compress": "false"}},
            "Mounts": [
                bind(folders["output"], "/k12ai/output", False),
                bind(folders["datasets"], "/k12ai/datasets", True),
                bind(folders["pretrained"], "/k12ai/pretrained", True),
            ],
        },
    }
    assert name_of("j1") == "k12ai-j1"


def test_the_image_is_named_as_the_policy_judged_it(asking):
    """`beef` alone would also be the beginning of an image's id."""
    assert asking.described(image="beef")["Image"] == "beef:latest"
    assert asking.described(image="a/b:1")["Image"] == "a/b:1"


def test_the_command_is_whole_and_its_tokens_are_paths(asking):
    command = ["python", "{output}/a", "{datasets}{pretrained}", "{other}", "{{output}}", "", "-c", "print('é')"]
    told = asking.described(command=command)
    assert told["Entrypoint"] == [
        "python", "/k12ai/output/a", "/k12ai/datasets/k12ai/pretrained", "{other}", "{/k12ai/output}", "", "-c",
        "print('é')",
    ]  # fmt: skip
    assert told["Cmd"] == []


def test_a_role_that_the_driver_leaves_out_is_not_there(asking):
    told = asking.described(mounts=["datasets"])
    assert [mount["Target"] for mount in told["HostConfig"]["Mounts"]] == ["/k12ai/output", "/k12ai/datasets"]
    assert not any(entry.startswith("K12AI_PRETRAINED") for entry in told["Env"])
    assert "env['A'] speaks of {pretrained}" in asking.refusal(mounts=["datasets"], env={"A": "{pretrained}"})


def test_a_role_that_the_operator_has_not_is_not_there(asking):
    folders = {"output": asking.folders["output"]}
    assert len(asking.described(folders=folders)["HostConfig"]["Mounts"]) == 1
    assert "command[1] speaks of {datasets}" in asking.refusal(folders=folders, command=["ls", "{datasets}"])
    assert "has no output folder" in asking.refusal(folders={"datasets": asking.folders["datasets"]})


def test_the_environment_is_the_drivers_but_for_what_must_be_true(asking):
    env = asking.env(
        env={
            "HOME": "/k12ai/output",
            "PYTHONUNBUFFERED": "",
            "A": "x=y {output}",
            "K12AI_OUTPUT": "/etc",
            "NVIDIA_VISIBLE_DEVICES": "all",
        }
    )
    assert env == {
        "HOME": "/k12ai/output",
        "PYTHONUNBUFFERED": "",
        "A": "x=y /k12ai/output",
        "K12AI_OUTPUT": "/k12ai/output",
        "K12AI_DATASETS": "/k12ai/datasets",
        "K12AI_PRETRAINED": "/k12ai/pretrained",
        "NVIDIA_VISIBLE_DEVICES": "void",
    }


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"command": ["a", "b\0c"]}, "command[1] holds a NUL"),
        ({"command": ["a\udcff"]}, "command[0] cannot be written in UTF-8"),
        ({"env": {"A": "\0"}}, "env['A'] holds a NUL"),
        ({"env": {"A": "\ud800"}}, "env['A'] cannot be written in UTF-8"),
        ({"env": {"A\0": "x"}}, "the name env['A\\x00'] holds a NUL"),
        ({"env": {"A=B": "x"}}, "'A=B': a name is not empty and holds no '='"),
        ({"env": {"": "x"}}, "'': a name is not empty"),
    ],
)
def test_what_no_command_or_variable_can_carry_is_refused(asking, asked, said):
    assert said in asking.refusal(**asked)


def test_gpus_are_the_leased_ones_and_no_others(asking):
    told = asking.described(gpus=["GPU-a", "GPU-b"], env={"NVIDIA_VISIBLE_DEVICES": "all"})
    assert told["HostConfig"]["DeviceRequests"] == [
        {"Driver": "nvidia", "DeviceIDs": ["GPU-a", "GPU-b"], "Capabilities": [["gpu"]]}
    ]
    assert [entry for entry in told["Env"] if entry.startswith("NVIDIA")] == ["NVIDIA_VISIBLE_DEVICES=GPU-a,GPU-b"]


def test_the_network_that_the_driver_asks_for(asking):
    assert asking.described(network="lan")["HostConfig"]["NetworkMode"] == "lan"


def test_extra_mounts_are_what_was_judged(asking, tmp_path):
    """Not what the request says, and not looked up once more: a link could have come in between."""
    (tmp_path / "link").symlink_to("/etc")
    mounts = [Bind(tmp_path / "link", "/data", True), Bind(tmp_path / "more", "/more", False)]
    asked = [Mount(source="/else", target="/else")]
    told = describe(asking.request(extra_mounts=asked), Granted(RESOURCES, mounts), BOUNDS, OWNER)
    assert told["HostConfig"]["Mounts"][3:] == [
        bind(tmp_path / "link", "/data", True),
        bind(tmp_path / "more", "/more", False),
    ]


def test_a_folder_whose_name_is_no_utf8_is_refused(asking, tmp_path):
    folders = asking.folders | {"datasets": tmp_path / "caf\udce9"}
    assert "cannot be written in UTF-8" in asking.refusal(folders=folders)


def test_the_smallest_share_of_a_core_is_not_unlimited(asking):
    told = describe(asking.request(), Granted(RESOURCES.model_copy(update={"cpus": 0.01})), BOUNDS, OWNER)
    assert told["HostConfig"]["NanoCpus"] == 10_000_000
