"""From a launch request to the engine's description of its container, everything shut that a job does not need."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from k12ai_ws.drivers.spec import Role
from k12ai_ws.launchers.launcher import LaunchRequest
from k12ai_ws.launchers.roles import roles_of, unfit, variables_of, words_of

from .policy import ROOT, Granted, full_name

LABEL: Final = "k12ai.service"
SERVICE, OP, USER, UUID = (f"{LABEL}.{name}" for name in ("name", "op", "user", "uuid"))
JOB, SERVER, PLACE = (f"{LABEL}.{name}" for name in ("job", "server", "place"))
"""The labels. `server` is the id of the server that owns the container, `place` of the data folder it works in."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What every container gets besides its resources: `user` (`uid:gid`), bytes of /tmp, processes, and bytes of the
    engine's own log (which holds twice as much).
    """

    user: str
    tmp_bytes: int
    pids: int
    log_bytes: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose containers these are: the server's id, and the place that it works in, by which containers are known
    whose server's id is lost with its data (None: it cannot be told from another).
    """

    server: str
    place: str | None


def name_of(job_id: str) -> str:
    """The container's name. One job, one name: so that the engine itself refuses to start a job twice."""
    return f"k12ai-{job_id}"


def describe(request: LaunchRequest, granted: Granted, bounds: Bounds, owner: Owner) -> dict[str, Any]:
    """The body of `POST /containers/create`; `granted`: what the policy lets it have; `owner`: who will find it
    again. Raises LaunchError.

    The command is the whole command: an image's own entry point does not come before it.
    """
    spec = request.spec
    roles: dict[Role, str] = {role: f"{ROOT}/{role}" for role in roles_of(request)}
    return {
        "Image": full_name(spec.image or ""),  # as the policy judged it: `beef` alone could also be an image's id
        "Entrypoint": [_utf8(word, f"command[{i}]") for i, word in enumerate(words_of(request, roles))],
        "Cmd": [],
        "Env": _environment(request, roles),
        "WorkingDir": roles["output"],
        "User": bounds.user,
        "Tty": False,
        "OpenStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": {
            SERVICE: request.service_name,
            OP: request.op,
            USER: request.user,
            UUID: request.service_uuid,
            JOB: request.job_id,
            SERVER: owner.server,
            **({} if owner.place is None else {PLACE: owner.place}),
        },
        "HostConfig": _host_config(request, granted, bounds, roles),
    }


def _host_config(request: LaunchRequest, granted: Granted, bounds: Bounds, roles: Mapping[Role, str]) -> dict[str, Any]:
    resources = granted.resources
    assert resources.cpus is not None and resources.memory is not None  # noqa: S101, PT018 - the policy filled them in
    config: dict[str, Any] = {
        "NetworkMode": request.spec.network or "none",
        "Init": True,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": True,
        "IpcMode": "private",
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        "Memory": resources.memory,
        "MemorySwap": resources.memory,  # both together: no swap
        "NanoCpus": int(resources.cpus * 1e9),
        "PidsLimit": bounds.pids,
        "ShmSize": resources.shm,
        "Tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={bounds.tmp_bytes}"},  # noqa: S108 - the container's own
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        "LogConfig": {
            "Type": "local",  # the only one of the engine's that keeps every byte as it was printed
            "Config": {"max-size": str(bounds.log_bytes), "max-file": "2", "compress": "false"},
        },
        "Mounts": [
            *(_bind(request.folders[role].resolve(), target, role != "output") for role, target in roles.items()),
            # The very paths that were judged: looked up once more, a link could have come in between.
            *(_bind(mount.source, mount.target, mount.read_only) for mount in granted.mounts),
        ],
    }
    if request.gpus:
        config["DeviceRequests"] = [{"Driver": "nvidia", "DeviceIDs": list(request.gpus), "Capabilities": [["gpu"]]}]
    return config


def _bind(source: Path, target: str, read_only: bool) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": _utf8(str(source), f"the folder {str(source)!r}"),
        "Target": target,
        "ReadOnly": read_only,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _environment(request: LaunchRequest, roles: Mapping[Role, str]) -> list[str]:
    env = {"HOME": "/tmp", "PYTHONUNBUFFERED": "1"}  # noqa: S108 - the container's own, and its only place to write
    env |= variables_of(request, roles)
    # An image of NVIDIA's asks for all of them by itself, and a driver could ask for another job's.
    env["NVIDIA_VISIBLE_DEVICES"] = ",".join(request.gpus) or "void"
    return [_utf8(f"{name}={value}", f"env[{name!r}]") for name, value in env.items()]


def _utf8(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise unfit(f"{where} cannot be written in UTF-8, and the engine takes nothing else: {e.reason}") from e
    return text
