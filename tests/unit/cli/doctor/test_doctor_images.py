"""The images that drivers name."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from k12ai_ws.cli.doctor.images import check_images, images_of
from k12ai_ws.drivers import Driver, Job, LaunchSpec
from k12ai_ws.drivers.registry import Registry

ABSENT = "k12ai/no-such-image:1"


class Nothing(BaseModel):
    pass


class Told(BaseModel):
    file: str


class Toy(Driver):
    service_name = "toy"
    tasks = {"train": Nothing, "predict": Told}  # noqa: RUF012 - as a driver's is

    def __init__(self, image: str | None) -> None:
        self.image = image

    def launch(self, job: Job) -> LaunchSpec:
        return LaunchSpec(command=["python"], image=self.image)


class Raising(Toy):
    def launch(self, job: Job) -> LaunchSpec:
        raise RuntimeError("not today")


def registry(**drivers: Driver) -> Registry:
    services: dict[str, Any] = {name: SimpleNamespace(driver=driver) for name, driver in drivers.items()}
    return Registry(services)


def test_which_images_are_needed() -> None:
    found = images_of(registry(b=Toy("x:1"), a=Toy("x:1"), c=Toy(None), d=Raising("y:1"), e=Toy("z:2")))
    assert found == {"x:1": ["a", "b"], "z:2": ["e"]}


def test_without_an_engine_nothing_is_said_of_images(tmp_path: Path) -> None:
    assert check_images({"DOCKER_HOST": f"unix://{tmp_path}/none"}, lambda: registry(a=Toy("x:1"))) == []


@pytest.mark.docker
def test_an_image_that_is_missing() -> None:
    (finding,) = check_images(os.environ, lambda: registry(toy=Toy(ABSENT)))
    assert (finding.name, finding.status) == (f"image {ABSENT}", "warn")
    assert finding.found == "not there: toy cannot run in a container"
    assert str(finding.advice).startswith("make images")
    (other,) = check_images(os.environ, lambda: registry(toy=Toy("school/no-such-image:1")))
    assert str(other.advice).endswith("docker pull school/no-such-image:1")
