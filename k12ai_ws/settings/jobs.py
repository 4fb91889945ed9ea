"""How many jobs run, how long, and where: `[jobs]`, `[docker]` and `[folders]`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from .section import Bytes, Cores, Count, Memory, Seconds, Section, absolute


class JobsSettings(Section):
    """`[jobs]`: how many, how long, and where."""

    launcher: Literal["auto", "process", "docker"] = Field(
        default="auto",
        description="Where jobs run: docker (containers), process (local processes), or auto: docker where an engine "
        "answers at the start, else process.",
    )
    max_running: Count = Field(default=2, description="Jobs running at one time, in all.")
    max_running_per_user: Count = Field(default=2, description="Jobs running at one time, per user.")
    max_queued: Count = Field(default=1000, description="Jobs waiting; more are refused with 100210.")
    max_queued_per_user: Count = Field(default=100, description="Jobs waiting, per user.")
    cpus: Cores | None = Field(
        default=None, description="Cores for all jobs together; no default: what the machine (or the engine) has."
    )
    memory: Bytes | None = Field(
        default=None, description="Memory for all jobs together, in bytes; no default: what the machine has."
    )
    grace_s: Seconds = Field(default=10.0, description="Seconds between asking a job to stop and killing it.")
    time_limit_s: Seconds | None = Field(
        default=None, description="Longest run of a job whose driver asks for no limit (seconds); no default."
    )
    max_log_bytes: Bytes = Field(
        default=1 << 30, description="Raw log kept per job, in bytes; what is printed beyond is cut, and said."
    )


class DockerSettings(Section):
    """`[docker]`: what containers get, and what drivers may ask for."""

    host: str | None = Field(
        default=None,
        description="The engine, as in DOCKER_HOST; no default: what the environment says, else the socket.",
    )
    images: tuple[str, ...] = Field(
        default=("k12ai/*",),
        description="Patterns of the images that drivers may run; a name without a tag has :latest.",
    )
    pull: bool = Field(default=False, description="Fetch an image that the engine does not have.")
    networks: tuple[str, ...] = Field(
        default=(), description="Networks of the engine that drivers may ask for; a job has none by default."
    )
    mounts: tuple[str, ...] = Field(
        default=(),
        description="Folders of the host that drivers may mount: PATH to read, with all below; PATH:rw also to write, "
        "itself alone.",
    )
    user: str | None = Field(
        default=None,
        pattern=r"^[1-9][0-9]{0,8}:[1-9][0-9]{0,8}$",
        description="UID:GID of the containers; no default: the server's own, or 64000:64000 where that is root.",
    )
    cpus: Cores = Field(default=1.0, description="Cores of a job whose driver asks for none.")
    memory: Memory = Field(default=2 << 30, description="Memory of a job whose driver asks for none, in bytes.")
    shm: Bytes = Field(default=256 << 20, description="Shared memory of a job whose driver asks for none, in bytes.")
    tmp: Bytes = Field(default=1 << 30, description="Temporary files of a job, in bytes; they count as its memory.")
    pids: Count = Field(default=1024, description="Processes and threads of a job at one time.")
    max_cpus: Cores | None = Field(default=None, description="Most cores that a driver may ask for; no default.")
    max_memory: Memory | None = Field(default=None, description="Most memory that a driver may ask for, in bytes.")
    max_gpus: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Most GPUs that a driver may ask for; no default."
    )

    @field_validator("mounts")
    @classmethod
    def _absolute_mounts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if not entry.startswith("/") or "\0" in entry or not Path(entry.removesuffix(":rw")).name:
                raise ValueError(f"{entry!r} is no absolute path below /, such as /srv/data or /srv/cache:rw")
        return value

    @field_validator("networks")
    @classmethod
    def _own_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name in ("host", "none", "default") or name.startswith("container:"):
                raise ValueError(f"{name!r} cannot be allowed: name a network of the engine, such as bridge")
        return value


class FolderSettings(Section):
    """`[folders]`: what drivers see as roles; read-only to jobs."""

    datasets: Path | None = Field(default=None, description="Root of the datasets; no default: <data_dir>/datasets.")
    pretrained: Path | None = Field(
        default=None, description="Root of pretrained models; no default: <data_dir>/pretrained."
    )

    @field_validator("datasets", "pretrained")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value and absolute(value)
