"""From a launch request to what is executed: the command with its paths, and the environment, by an allow-list."""

import fnmatch
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from k12ai_ws.drivers.spec import ROLES, Role
from k12ai_ws.launchers.launcher import LaunchError, LaunchRequest
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.status import Reason

from .rundir import MARKER

PASSED_ON = (
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_*",
    "NVIDIA_*",
)
"""What a job gets of the server's environment, besides PATH; nothing else, so that no secret leaks into user code."""

_TOKEN = re.compile(r"\{(" + "|".join(ROLES) + r")\}")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def refuse(message: str) -> LaunchError:
    """The error of a job that cannot be started as it was asked for."""
    return LaunchError(Code.START_FAILED, Reason.LAUNCH_FAILED, message)


def command_of(
    request: LaunchRequest, environ: Mapping[str, str], passed_on: Sequence[str] = PASSED_ON
) -> dict[str, Any]:
    """`argv`, `env` and `cwd` of the request's job; `environ` is the server's own environment. Makes the output
    folder where it is missing. Raises LaunchError.
    """
    roles = _roles(request)
    argv = [_fill(word, roles, f"command[{i}]") for i, word in enumerate(request.spec.command)]
    if argv[0] == "python":
        argv[0] = sys.executable
    return {"argv": argv, "env": _environment(request, roles, environ, passed_on), "cwd": roles["output"]}


def _roles(request: LaunchRequest) -> dict[Role, str]:
    roles: dict[Role, str] = {}
    for role in ROLES:
        folder = request.folders.get(role)
        if folder is not None and (role in request.spec.mounts or role == "output"):
            roles[role] = str(folder.absolute())
    if "output" not in roles:
        raise refuse(f"job {request.job_id} has no output folder, and a job runs in its output folder")
    try:
        Path(roles["output"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise refuse(f"the output folder {roles['output']} cannot be made: {error.strerror or error}") from error
    return roles


def _fill(text: str, roles: Mapping[Role, str], where: str) -> str:
    paths: dict[str, str] = {str(role): path for role, path in roles.items()}

    def place(match: re.Match[str]) -> str:
        role: str = match[1]
        if role not in paths:
            raise refuse(
                f"{where} speaks of {{{role}}}, but this job has no such folder: either the operator has configured "
                f"none, or the driver's LaunchSpec leaves {role!r} out of its mounts"
            )
        return paths[role]

    return _sound(_TOKEN.sub(place, text), where)


def _environment(
    request: LaunchRequest, roles: Mapping[Role, str], environ: Mapping[str, str], passed_on: Sequence[str]
) -> dict[str, str]:
    env = {name: value for name, value in environ.items() if any(fnmatch.fnmatchcase(name, p) for p in passed_on)}
    interpreter = str(Path(sys.executable).parent)
    env["PATH"] = interpreter + os.pathsep + (environ.get("PATH") or _DEFAULT_PATH)
    env["HOME"] = roles["output"]
    env["PYTHONUNBUFFERED"] = "1"
    for name, value in request.spec.env.items():
        if not name or "=" in name:
            raise refuse(f"env has a variable of the name {name!r}: a name is not empty and holds no '='")
        env[_sound(name, f"the name env[{name!r}]")] = _fill(value, roles, f"env[{name!r}]")
    # Last, because these are true whatever a driver says.
    env |= {f"K12AI_{role.upper()}": path for role, path in roles.items()}
    if request.gpus:  # by index, they are counted as the driver counts them
        env |= {"CUDA_VISIBLE_DEVICES": ",".join(request.gpus), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    env.pop(MARKER, None)
    return env


def _sound(text: str, where: str) -> str:
    if "\0" in text:
        raise refuse(f"{where} holds a NUL character, which no command or variable can carry")
    return text
