"""What drivers may ask for, and the tricks that are no way around it."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from k12ai_ws.drivers.spec import LaunchSpec, Mount, Resources
from k12ai_ws.launchers.docker.policy import Allowed, Bind, Policy, full_name
from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.status import Reason

MIB = 1 << 20
DIGEST = "sha256:" + "0f" * 32


def spec(**asked):
    return LaunchSpec(command=["python"], **{"image": "k12ai/k12cv", **asked})


def refusal(policy, asked):
    """The message with which the policy refuses."""
    with pytest.raises(LaunchError) as caught:
        policy.allow(asked)
    assert (caught.value.code, caught.value.reason) == (Code.NOT_ALLOWED, Reason.LAUNCH_FAILED)
    assert str(caught.value) == caught.value.message
    return caught.value.message


# ---- images


@pytest.mark.parametrize(
    ("image", "patterns"),
    [
        ("k12ai/k12cv", ["k12ai/*"]),
        ("k12ai/k12cv", ["k12ai/k12cv:latest"]),
        ("k12ai/k12cv:v1.2_x-3", ["k12ai/*:v1.*"]),
        (f"k12ai/k12cv@{DIGEST}", ["k12ai/*"]),
        (f"k12ai/k12cv:1@{DIGEST}", [f"k12ai/k12cv:1@{DIGEST}"]),
        ("host:5000/x", ["host:5000/x:latest"]),
        ("Registry.Example.org/a/b__c/d--e", ["nothing", "*"]),
        ("k12ai/" + "x" * 249, ["*"]),
    ],
)
def test_an_image_that_a_pattern_matches_runs(image, patterns):
    Policy(images=patterns).allow(spec(image=image))


@pytest.mark.parametrize(
    "image",
    [
        "", "../x", "-v", "a b", "k12ai//x", "/k12ai/x", "k12ai/x/", "k12ai/IMAGE", "IMAGE", "k12ai/x\n", "\nk12ai/x",
        "k12ai/x\0", "k12ai/x:", "k12ai/x:-t", "k12ai/x:a:b", "k12ai/x@sha256:ab", f"k12ai/x@{DIGEST}0",
        f"k12ai/x@md5:{'0' * 32}", "k12ai/x;true", "k12ai/$(x)", "k12ai/ｘ", "k12ai/x٣", "k12ai/x\u200b", "k12ai/_x",
        "k12ai/x___y", "k12ai/x..y", "host:500000/x", "host:/x", "k12ai/x:" + "t" * 129, "k12ai/" + "x" * 250,
        "k12ai/x\ud800", "--privileged", "k12ai/x --privileged",
    ],
)  # fmt: skip
def test_what_is_no_image_name_is_refused_whatever_is_allowed(image):
    said = refusal(Policy(images=["*"]), spec(image=image))
    assert "is no name of an image" in said
    assert "refused: image" in said
    assert len(said) < 500


@pytest.mark.parametrize(
    ("image", "patterns"),
    [
        ("k12ai/x", []),
        ("evil/x", ["k12ai/*"]),
        ("evil/k12ai/x", ["k12ai/*"]),
        ("evil.org/k12ai/x", ["k12ai/*"]),
        ("k12ai/x:other", ["k12ai/x"]),
        ("k12ai/x", ["k12ai/x"]),  # a pattern speaks of the whole name: its tag is :latest
        ("k12ai/x:1", ["k12ai/x:latest"]),
        (f"k12ai/x@{DIGEST}", ["k12ai/x:latest"]),
        ("K12AI/x", ["k12ai/*"]),
        ("localhost:5000/x", ["localhost"]),
    ],
)
def test_an_image_that_no_pattern_matches_is_refused(image, patterns):
    said = refusal(Policy(images=patterns), spec(image=image))
    assert f"the image {image!r} is not one that may run here" in said
    assert str(patterns) in said


def test_no_image_is_refused():
    assert "names no image" in refusal(Policy(images=["*"]), spec(image=None))


@given(st.text(max_size=40))
def test_whatever_is_let_through_is_plain(image):
    """No blank, no control character, no option, no way up: whatever else the grammar lets through."""
    try:
        Policy(images=["*"]).allow(spec(image=image))
    except LaunchError:
        return
    assert image.isascii()
    assert image.isprintable()
    assert image[0].isalnum()
    assert not set(" '\"$;&|<>\\`") & set(image)
    assert ".." not in image.split("/")


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("beef", "beef:latest"),
        ("host:5000/x", "host:5000/x:latest"),
        ("host:5000/x:1", "host:5000/x:1"),
        (f"a/b@{DIGEST}", f"a/b@{DIGEST}"),
    ],
)
def test_the_full_name(image, full):
    assert full_name(image) == full


# ---- networks


@pytest.mark.parametrize(
    "network",
    ["host", "none", "default", "container:0123456789ab", "ns:/proc/1/ns/net", "", "a b", "x\n", "-x", "x\0", "é"],
)
def test_a_network_that_is_no_network_is_refused_even_where_it_is_listed(network):
    said = refusal(Policy(images=["*"], networks=[network]), spec(network=network))
    assert "none that a job may ever join" in said
    assert "refused: network" in said


def test_a_network_is_joined_where_its_name_is_allowed():
    Policy(images=["*"], networks=["bridge", "lan"]).allow(spec(network="lan"))
    Policy(images=["*"], networks=["bridge"]).allow(spec(network="bridge"))


@pytest.mark.parametrize("networks", [[], ["lan"], ["brid"], ["bridge2"]])
def test_no_other_network_is_joined(networks):
    said = refusal(Policy(images=["*"], networks=networks), spec(network="bridge"))
    assert "the network 'bridge' is not one that a job may join" in said
    assert (str(networks) if networks else "allows none") in said


# ---- mounts


class House:
    """A machine: folders that jobs may see, others, an engine's socket and the server's data."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("seen/below", "written/below", "secret", "data/k12ai", "run"):
            (root / name).mkdir(parents=True)
        self.socket = root / "run" / "docker.sock"
        with socket.socket(socket.AF_UNIX) as listening:
            here = Path.cwd()
            os.chdir(self.socket.parent)  # a socket's path is short
            try:
                listening.bind("docker.sock")
            finally:
                os.chdir(here)
        self.policy = self.allowing(Allowed(root / "seen"), Allowed(root / "written", write=True))

    def allowing(self, *mounts: Allowed) -> Policy:
        return Policy(images=["*"], mounts=mounts, never=[self.root / "data", self.socket])

    def asks(self, source, target="/data", **more):
        return spec(extra_mounts=[Mount(source=str(source), target=target, **more)])


@pytest.fixture
def house(tmp_path):
    return House(tmp_path.resolve())


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("seen", {}),
        ("seen/below", {}),
        ("seen/../seen//below/.", {}),
        ("written", {}),
        ("written", {"read_only": False}),
        ("written/below/..", {"read_only": False}),
    ],
)
def test_a_folder_that_the_operator_shows_is_mounted(house, source, more):
    house.policy.allow(house.asks(f"{house.root}/{source}", **more))


@pytest.mark.parametrize("source", ["secret", "", "seen/..", "seen/../secret", "seen2"])
def test_a_folder_that_is_not_shown_is_refused(house, source):
    (house.root / "seen2").mkdir()
    said = refusal(house.policy, house.asks(house.root / "seen" / ".." / source))
    assert "refused: extra_mounts" in said


def test_without_mounts_nothing_is_shown(house):
    assert "docker.mounts: none" in refusal(house.allowing(), house.asks(house.root / "seen"))


def test_the_hosts_root_is_refused_even_where_all_is_shown(house):
    assert "no job sees '/'" in refusal(house.allowing(Allowed(Path("/"), write=True)), house.asks("/"))
    house.allowing(Allowed(Path("/"))).allow(house.asks(house.root / "secret"))


@pytest.mark.parametrize("source", ["run/docker.sock", "run", "data", "data/k12ai", "", "seen/link"])
def test_the_engines_socket_and_the_servers_data_are_never_seen(house, source):
    (house.root / "seen" / "link").symlink_to(house.socket)
    everything = house.allowing(Allowed(Path("/")), Allowed(house.root))
    assert "whatever is allowed" in refusal(everything, house.asks(f"{house.root}/{source}"))


@pytest.mark.parametrize("to", ["secret", "data", "run/docker.sock", ""])
def test_a_link_that_leads_out_is_followed_before_it_is_judged(house, to):
    (house.root / "seen" / "below" / "link").symlink_to(house.root / to)
    refusal(house.policy, house.asks(house.root / "seen" / "below" / "link"))


def test_a_link_that_leads_out_does_not_tell_what_is_there(house):
    (house.root / "seen" / "link").symlink_to(house.root / "secret")
    (house.root / "secret" / "there").mkdir()
    for name in ("there", "missing"):
        said = refusal(house.policy, house.asks(house.root / "seen" / "link" / name))
        assert f"'{house.root}/secret/{name}' lies in no folder that jobs may see" in said


def test_a_link_within_is_followed(house):
    (house.root / "seen" / "link").symlink_to("below")
    asked = house.asks(house.root / "seen" / "link")
    assert house.policy.allow(asked).mounts == (Bind(house.root / "seen" / "below", "/data", True),)


def test_a_link_to_a_folder_to_write_to_is_that_folder(house):
    (house.root / "seen" / "link").symlink_to("../written")
    granted = house.policy.allow(house.asks(house.root / "seen" / "link", read_only=False))
    assert granted.mounts == (Bind(house.root / "written", "/data", False),)


def test_a_link_that_is_moved_after_the_judgement_moves_nothing(house):
    link = house.root / "seen" / "link"
    link.symlink_to("below")
    granted = house.policy.allow(house.asks(link))
    link.unlink()
    link.symlink_to(house.root / "secret")
    assert [mount.source for mount in granted.mounts] == [house.root / "seen" / "below"]


@pytest.mark.parametrize("source", ["secret/there", "secret/missing", "seen/../secret/there", "seen2", "seen/../../x"])
def test_what_may_not_be_seen_is_not_looked_at(house, source, monkeypatch):
    """Neither is it told whether it is there, nor does a dead disk hold the thread that asks."""
    (house.root / "secret" / "there").mkdir()

    def look(path, strict=False):
        pytest.fail(f"{path} was looked at")

    monkeypatch.setattr(Path, "resolve", look)
    said = refusal(house.policy, house.asks(f"{house.root}/{source}"))
    assert "lies in no folder that jobs may see" in said


def test_a_folder_may_be_asked_for_by_the_operators_own_path_of_it(house):
    (house.root / "alias").symlink_to("seen")
    allowed = Allowed(house.root / "seen", alias=house.root / "alias")
    granted = house.allowing(allowed).allow(house.asks(house.root / "alias" / "below"))
    assert granted.mounts[0].source == house.root / "seen" / "below"
    (house.root / "other").symlink_to("written")
    writing = Allowed(house.root / "written", write=True, alias=house.root / "other")
    granted = house.allowing(writing).allow(house.asks(house.root / "other", read_only=False))
    assert granted.mounts[0].source == house.root / "written"
    assert "lies below" in refusal(house.allowing(writing), house.asks(house.root / "other" / "below"))


@pytest.mark.parametrize("source", ["written/below", "written/missing", "written/link", "seen/alias"])
@pytest.mark.parametrize("read_only", [True, False])
def test_nothing_below_a_folder_that_jobs_write_to_is_mounted(house, source, read_only):
    """A job could put a link in its place between the judgement and the engine's own look at the path."""
    (house.root / "written" / "link").symlink_to("below")
    (house.root / "seen" / "alias").symlink_to(house.root / "written" / "below")
    everything = house.allowing(Allowed(house.root), Allowed(house.root / "written", write=True))
    said = refusal(everything, house.asks(house.root / source, read_only=read_only))
    assert f"lies below '{house.root}/written', where jobs write" in said
    assert f"only '{house.root}/written' itself is mounted" in said


def test_links_in_a_circle_and_paths_too_long_are_no_folders(house):
    (house.root / "seen" / "a").symlink_to("b")
    (house.root / "seen" / "b").symlink_to("a")
    for source in (house.root / "seen" / "a", house.root / "seen" / "missing", house.root / "seen" / ("x" * 5000)):
        said = refusal(house.policy, house.asks(source))
        assert "there is no such folder here" in said
        assert len(said) < 500


@pytest.mark.parametrize("source", ["seen", "./seen", "../seen", "~", "C:\\", "seen\0"])
def test_a_relative_source_is_refused(house, source, monkeypatch):
    monkeypatch.chdir(house.root)
    assert "no absolute path" in refusal(house.policy, house.asks(source))


def test_a_source_with_a_nul_is_refused(house):
    assert "no absolute path" in refusal(house.policy, house.asks(f"{house.root}/seen\0"))


def test_writing_is_refused_where_the_folder_may_only_be_read(house):
    said = refusal(house.policy, house.asks(house.root / "seen" / "below", read_only=False))
    assert "it may only be read" in said


def test_a_folder_to_write_to_may_lie_in_one_to_read(house):
    policy = house.allowing(Allowed(house.root / "written" / "below", write=True), Allowed(house.root / "written"))
    policy.allow(house.asks(house.root / "written" / "below", read_only=False))
    refusal(policy, house.asks(house.root / "written", read_only=False))


@pytest.mark.parametrize(
    "target", ["/", "//", "//x", "/.", "/x/..", "x", "", ".", "../x", "/x\0", "/../", "///", "~/x"]
)
def test_a_target_that_is_no_path_below_the_root_is_refused(house, target):
    if not target:
        with pytest.raises(ValidationError):
            Mount(source="/seen", target="")
        return
    assert "refused: extra_mounts" in refusal(house.policy, house.asks(house.root / "seen", target))


@pytest.mark.parametrize(
    "target",
    [
        "/proc", "/proc/1", "/sys/fs", "/dev", "/dev/shm", "/run/x", "/var/run", "/var/run/docker.sock", "/etc",
        "/etc/passwd", "/k12ai", "/k12ai/output", "/k12ai/../etc", "/x/../proc", "/./etc/", "/etc//", "/sbin",
        "/sbin/docker-init",
    ],
)  # fmt: skip
def test_a_target_over_the_systems_places_is_refused(house, target):
    assert "would hide what the container needs there" in refusal(house.policy, house.asks(house.root / "seen", target))


@pytest.mark.parametrize("target", ["/tmp", "/tmp/", "/x/../tmp"])
def test_the_jobs_own_tmp_is_not_hidden(house, target):
    assert "is the job's own" in refusal(house.policy, house.asks(house.root / "seen", target))


@pytest.mark.parametrize("target", ["/data", "/tmp/x", "/etcetera", "/k12ai2", "/developers", "/var/lib/x", "/..data"])
def test_any_other_target_is_fine(house, target):
    house.policy.allow(house.asks(house.root / "seen", target))


@pytest.mark.parametrize("second", ["/data", "/data/", "/./data", "/x/../data"])
def test_two_mounts_at_one_place_are_refused(house, second):
    mounts = [Mount(source=f"{house.root}/{name}", target=at) for name, at in (("seen", "/data"), ("written", second))]
    assert "two mounts have the target '/data'" in refusal(house.policy, spec(extra_mounts=mounts))


def test_every_mount_is_judged_and_there_are_not_too_many(house):
    def mounts(count):
        return [Mount(source=f"{house.root}/seen", target=f"/data{i}") for i in range(count)]

    house.policy.allow(spec(extra_mounts=mounts(16)))
    refusal(house.policy, spec(extra_mounts=[*mounts(15), Mount(source=f"{house.root}/secret", target="/last")]))
    with pytest.raises(ValidationError, match="at most 16"):
        spec(extra_mounts=mounts(17))


# ---- resources


def test_what_is_not_asked_for_is_filled_in():
    policy = Policy(images=["*"], cpus=1.5, memory=512 * MIB, shm=64 * MIB)
    limit = Resources(time_limit_s=60)
    assert policy.allow(spec(resources=limit)).resources == Resources(
        cpus=1.5, memory=512 * MIB, gpus=0, shm=64 * MIB, time_limit_s=60
    )


def test_what_is_asked_for_is_given():
    asked = Resources(cpus=3, memory=100 * MIB, gpus=2, shm=50 * MIB)
    policy = Policy(images=["*"], max_cpus=3, max_memory=100 * MIB, max_gpus=2)
    assert policy.allow(spec(resources=asked)).resources == asked
    assert Policy(images=["*"]).allow(spec(resources=asked)).resources == asked


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"cpus": 2.01}, "asks for 2.01 cores, and a job may have 2 (docker.max_cpus); refused: cpus"),
        (
            {"memory": 3 * 1024 * MIB + 1},
            "asks for 3221225473 bytes, and a job may have 3221225472 (docker.max_memory); refused: memory",
        ),
        ({"gpus": 1}, "asks for 1 GPUs, and a job may have 0 (docker.max_gpus); refused: gpus"),
    ],
)
def test_more_than_the_ceiling_is_refused(asked, said):
    policy = Policy(images=["*"], max_cpus=2, max_memory=3 * 1024 * MIB, max_gpus=0)
    assert refusal(policy, spec(resources=Resources(**asked))).endswith(said)


def test_a_default_above_the_ceiling_is_brought_down_to_it():
    policy = Policy(images=["*"], cpus=8, memory=1024 * MIB, max_cpus=2, max_memory=100 * MIB)
    given = policy.allow(spec()).resources
    assert (given.cpus, given.memory, given.shm) == (2, 100 * MIB, 100 * MIB)


def test_shared_memory_is_no_more_than_the_memory():
    policy = Policy(images=["*"], shm=64 * MIB)
    assert policy.allow(spec(resources=Resources(memory=10 * MIB))).resources.shm == 10 * MIB
    assert policy.allow(spec(resources=Resources(memory=10 * MIB, shm=20 * MIB))).resources.shm == 10 * MIB
    assert policy.allow(spec(resources=Resources(memory=100 * MIB, shm=90 * MIB))).resources.shm == 90 * MIB


def test_less_than_an_engine_starts_is_refused():
    policy = Policy(images=["*"])
    assert "6291456 at least; refused: memory" in refusal(policy, spec(resources=Resources(memory=6 * MIB - 1)))
    assert "0.01 at least; refused: cpus" in refusal(policy, spec(resources=Resources(cpus=0.0099)))
    asked = Resources(cpus=0.01, memory=6 * MIB)
    assert policy.allow(spec(resources=asked)).resources.memory == 6 * MIB
    assert "refused: memory" in refusal(Policy(images=["*"], memory=1000), spec())
    assert "refused: cpus" in refusal(Policy(images=["*"], max_cpus=1e-12), spec())
