"""A toy driver: its jobs run the Python script (or the command) that the request carries."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from k12ai_ws.drivers import Code, Driver, Job, LaunchSpec, Mount, Params, Refused, Resources, hookimpl


class Script(Params):
    script: str = "print('epoch=1 loss=0.5')"
    command: Annotated[list[str], Field(max_length=8)] | None = None
    time_limit_s: Annotated[float, Field(gt=0, le=60)] | None = None
    count: int = 1
    refuse: bool = False
    image: str | None = None
    network: str | None = None
    extra_mounts: Annotated[tuple[Mount, ...], Field(max_length=8)] = ()
    resources: Resources = Resources()


class Needy(Params):
    needed: Annotated[int, Field(ge=1, le=9)]


class Toy(Driver):
    service_name = "toy"
    description = "runs what it is given"
    tasks: ClassVar = {"train": Script, "evaluate": Script, "predict": Needy}

    def check(self, job: Job) -> None:
        if getattr(job.params, "refuse", False):
            raise Refused(Code.DATASET_MISSING, "no dataset for a toy", field="refuse")

    def launch(self, job: Job) -> LaunchSpec:
        command: Sequence[str] = ["python", "-c", "pass"]
        if isinstance(job.params, Script):
            params = job.params
            python = "python3" if params.image else "python"  # a bare Debian has no `python`
            limit = params.time_limit_s or params.resources.time_limit_s
            return LaunchSpec(
                command=params.command or [python, "-c", params.script],
                image=params.image,
                network=params.network,
                extra_mounts=params.extra_mounts,
                resources=params.resources.model_copy(update={"time_limit_s": limit}),
            )
        return LaunchSpec(command=command)


@hookimpl
def k12ai_drivers() -> list[Driver]:
    return [Toy()]
