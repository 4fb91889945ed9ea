"""From a request to what is executed."""

import sys
from dataclasses import replace

import pytest

from k12ai_ws.drivers.spec import LaunchSpec
from k12ai_ws.launchers.launcher import LaunchError, LaunchRequest
from k12ai_ws.launchers.process.command import command_of
from k12ai_ws.wire.status import Reason


@pytest.fixture
def make(tmp_path):
    def make(*command, folders=("output", "datasets"), **spec):
        paths = {role: tmp_path / role for role in folders}
        return LaunchRequest(
            "job", "u", "s", "k12test", "train.start", LaunchSpec(command=list(command), **spec), paths
        )

    return make


def test_python_is_the_servers_own_as_the_first_word_alone(make):
    assert command_of(make("python", "python"), {})["argv"] == [sys.executable, "python"]
    assert command_of(make("python3"), {})["argv"] == ["python3"]


def test_the_output_folder_is_made_and_is_where_the_job_works(make, tmp_path):
    assert command_of(make("x"), {})["cwd"] == str(tmp_path / "output")
    assert (tmp_path / "output").is_dir()


def test_without_a_path_of_its_own_the_server_gives_the_systems(make):
    assert command_of(make("x"), {})["env"]["PATH"].endswith(":/usr/bin:/sbin:/bin")
    assert command_of(make("x"), {"PATH": "/a:/b"})["env"]["PATH"].endswith("/bin:/a:/b")


def test_the_allow_list_can_be_set(make):
    environ = {"HTTP_PROXY": "p", "LANG": "C", "LANGUAGES": "no"}
    assert command_of(make("x"), environ, ["*_PROXY"])["env"].keys() & environ.keys() == {"HTTP_PROXY"}
    assert command_of(make("x"), environ)["env"].keys() & environ.keys() == {"LANG"}


def test_a_driver_may_set_variables_but_not_lie_about_the_roles(make, tmp_path):
    env = command_of(
        make("x", env={"LANG": "zh", "HOME": "/h", "K12AI_OUTPUT": "/x", "K12AI_RUN": "r"}), {"LANG": "C"}
    )["env"]
    assert (env["LANG"], env["HOME"], env["K12AI_OUTPUT"]) == ("zh", "/h", str(tmp_path / "output"))
    assert "K12AI_RUN" not in env


@pytest.mark.parametrize(
    ("request_args", "message"),
    [
        ((("x", "{pretrained}"), {}), r"command\[1\] speaks of \{pretrained\}, but this job has no such folder"),
        ((("x",), {"env": {"A": "{pretrained}/m"}}), r"env\['A'\] speaks of \{pretrained\}"),
        ((("x", "{datasets}"), {"mounts": ["output"]}), r"leaves 'datasets' out of its mounts"),
        ((("x\0y",), {}), r"command\[0\] holds a NUL"),
        ((("x",), {"env": {"A": "\0"}}), r"env\['A'\] holds a NUL"),
        ((("x",), {"env": {"A=B": "1"}}), "holds no '='"),
        ((("x",), {"env": {"": "1"}}), "holds no '='"),
        ((("x",), {"folders": ("datasets",)}), "has no output folder"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_place(make, request_args, message):
    args, more = request_args
    with pytest.raises(LaunchError, match=message) as caught:
        command_of(make(*args, **more), {})
    assert (caught.value.code, caught.value.reason) == (100202, Reason.LAUNCH_FAILED)


def test_an_output_folder_that_cannot_be_made_is_refused(make, tmp_path):
    (tmp_path / "output").write_text("a file")
    with pytest.raises(LaunchError, match=r"output cannot be made: File exists"):
        command_of(make("x"), {})


def test_a_job_sees_the_gpus_that_were_leased_to_it(make):
    environ = {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
    leased = replace(make("x", env={"CUDA_VISIBLE_DEVICES": "3"}), gpus=("GPU-a", "GPU-b"))
    env = command_of(leased, environ)["env"]
    assert (env["CUDA_VISIBLE_DEVICES"], env["CUDA_DEVICE_ORDER"]) == ("GPU-a,GPU-b", "PCI_BUS_ID")
    assert command_of(make("x"), environ)["env"]["CUDA_VISIBLE_DEVICES"] == "0,1,2,3", "none leased: left as it was"
