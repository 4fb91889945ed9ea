"""A spec speaks of roles: which of them a job sees, and what its command and variables say once they have paths."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from k12ai_ws.drivers.spec import ROLES, Role
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.status import Reason

from .launcher import LaunchError, LaunchRequest

_TOKEN: Final = re.compile(r"\{(" + "|".join(ROLES) + r")\}")


def unfit(message: str) -> LaunchError:
    """The error of a job that cannot be started as it was asked for."""
    return LaunchError(Code.START_FAILED, Reason.LAUNCH_FAILED, message)


def roles_of(request: LaunchRequest) -> Sequence[Role]:
    """The roles that the job sees: `output` always, of the others those that its spec mounts and the operator has.

    Raises LaunchError where there is no output folder.
    """
    if "output" not in request.folders:
        raise unfit(f"job {request.job_id} has no output folder, and a job runs in its output folder")
    return [role for role in ROLES if role in request.folders and (role in request.spec.mounts or role == "output")]


def words_of(request: LaunchRequest, paths: Mapping[Role, str]) -> list[str]:
    """The command with the paths of its roles, as the job sees them. Raises LaunchError."""
    return [_fill(word, paths, f"command[{i}]") for i, word in enumerate(request.spec.command)]


def variables_of(request: LaunchRequest, paths: Mapping[Role, str]) -> dict[str, str]:
    """The driver's variables with the paths of their roles, and `K12AI_<ROLE>` for each role. Raises LaunchError."""
    env = {}
    for name, value in request.spec.env.items():
        if not name or "=" in name:
            raise unfit(f"env has a variable of the name {name!r}: a name is not empty and holds no '='")
        env[_sound(name, f"the name env[{name!r}]")] = _fill(value, paths, f"env[{name!r}]")
    # Last, because these are true whatever a driver says.
    return env | {f"K12AI_{role.upper()}": path for role, path in paths.items()}


def _fill(text: str, paths: Mapping[Role, str], where: str) -> str:
    known: dict[str, str] = {str(role): path for role, path in paths.items()}

    def place(match: re.Match[str]) -> str:
        role: str = match[1]
        if role not in known:
            raise unfit(
                f"{where} speaks of {{{role}}}, but this job has no such folder: either the operator has configured "
                f"none, or the driver's LaunchSpec leaves {role!r} out of its mounts"
            )
        return known[role]

    return _sound(_TOKEN.sub(place, text), where)


def _sound(text: str, where: str) -> str:
    if "\0" in text:
        raise unfit(f"{where} holds a NUL character, which no command or variable can carry")
    return text
