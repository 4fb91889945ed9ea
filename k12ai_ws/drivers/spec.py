"""What a driver asks a launcher to run. It speaks of roles; the launcher says what paths they have."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Role = Literal["output", "datasets", "pretrained"]
ROLES: tuple[Role, ...] = ("output", "datasets", "pretrained")
"""`output` is the (user, service_uuid)'s own folder, writable; the others are the operator's, read-only."""


class Resources(BaseModel):
    """What a job needs. Memory in bytes, CPUs in cores, times in seconds; None: the operator's default.

    `shm` is the size of /dev/shm (PyTorch's data loaders hand batches over in it); it counts as memory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    memory: Annotated[int, Field(gt=0)] | None = None
    gpus: Annotated[int, Field(ge=0)] = 0
    shm: Annotated[int, Field(gt=0)] | None = None
    time_limit_s: Annotated[float, Field(gt=0)] | None = None


class Mount(BaseModel):
    """A folder of the host that a job sees beside its roles, where the operator's policy lets it: absolute paths."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, Field(min_length=1)]
    target: Annotated[str, Field(min_length=1)]
    read_only: bool = True


class LaunchSpec(BaseModel):
    """One job's command. In `command` and `env`, the tokens `{output}`, `{datasets}` and `{pretrained}` become the
    paths of these roles; the same paths stand in the environment as `K12AI_OUTPUT`, `K12AI_DATASETS` and
    `K12AI_PRETRAINED`. Other braces are left alone. `python` as the command's first word is the image's
    interpreter under Docker and the server's own under the process launcher, which ignores `image`, `network` and
    `extra_mounts`.

    `network` and `extra_mounts` are asked of the operator: what the policy does not allow is refused before anything
    starts. `network` is the name of a network of the engine; None: none at all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: Annotated[Sequence[str], Field(min_length=1)]
    image: str | None = None
    env: Mapping[str, str] = Field(default_factory=dict)
    mounts: Sequence[Role] = ROLES
    network: str | None = None
    extra_mounts: Annotated[Sequence[Mount], Field(max_length=16)] = ()
    resources: Resources = Resources()

    @field_validator("command")
    @classmethod
    def _named(cls, command: Sequence[str]) -> Sequence[str]:
        if not command[0]:
            raise ValueError("the first word is the program to run, and it is empty")
        return command
