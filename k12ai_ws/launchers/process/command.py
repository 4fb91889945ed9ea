"""From a launch request to what is executed: the command with its paths, and the environment, by an allow-list."""

import fnmatch
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from k12ai_ws.drivers.spec import Role
from k12ai_ws.launchers.launcher import LaunchRequest
from k12ai_ws.launchers.roles import roles_of, unfit, variables_of, words_of

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

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def command_of(
    request: LaunchRequest, environ: Mapping[str, str], passed_on: Sequence[str] = PASSED_ON
) -> dict[str, Any]:
    """`argv`, `env` and `cwd` of the request's job; `environ` is the server's own environment. Makes the output
    folder where it is missing. Raises LaunchError.
    """
    roles = _paths(request)
    argv = words_of(request, roles)
    if argv[0] == "python":
        argv[0] = sys.executable
    return {"argv": argv, "env": _environment(request, roles, environ, passed_on), "cwd": roles["output"]}


def _paths(request: LaunchRequest) -> dict[Role, str]:
    paths: dict[Role, str] = {role: str(request.folders[role].absolute()) for role in roles_of(request)}
    try:
        Path(paths["output"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unfit(f"the output folder {paths['output']} cannot be made: {error.strerror or error}") from error
    return paths


def _environment(
    request: LaunchRequest, roles: Mapping[Role, str], environ: Mapping[str, str], passed_on: Sequence[str]
) -> dict[str, str]:
    env = {name: value for name, value in environ.items() if any(fnmatch.fnmatchcase(name, p) for p in passed_on)}
    interpreter = str(Path(sys.executable).parent)
    env["PATH"] = interpreter + os.pathsep + (environ.get("PATH") or _DEFAULT_PATH)
    env["HOME"] = roles["output"]
    env["PYTHONUNBUFFERED"] = "1"
    env |= variables_of(request, roles)
    if request.gpus:  # by index, they are counted as the driver counts them
        env |= {"CUDA_VISIBLE_DEVICES": ",".join(request.gpus), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    env.pop(MARKER, None)
    return env
