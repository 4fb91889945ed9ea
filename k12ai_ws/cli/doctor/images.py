"""The images that the installed drivers run their jobs in."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from k12ai_ws.drivers.driver import Driver, Job
from k12ai_ws.drivers.registry import Registry

from .engine import engine_at
from .finding import Finding


def check_images(environ: Mapping[str, str], drivers: Callable[[], Registry]) -> list[Finding]:
    """Whether the engine has the images that the drivers name; nothing where no engine answers."""
    try:
        with engine_at(environ) as client:
            findings = []
            errors = importlib.import_module("docker.errors")
            for image, services in images_of(drivers()).items():
                name = f"image {image}"
                try:
                    about = client.api.inspect_image(image)
                    findings.append(Finding(name, "ok", f"{str(about['Id'])[:19]}, of {about.get('Created', '?')}"))
                except errors.NotFound:
                    found = f"not there: {', '.join(services)} cannot run in a container"
                    findings.append(Finding(name, "warn", found, _advice(image, services[0])))
            return findings
    except Exception:  # noqa: BLE001 - the check of the engine says what is wrong with it, that of drivers the rest
        return []


def images_of(registry: Registry) -> dict[str, list[str]]:
    """Image -> the services that run in it when they are asked with the defaults. Drivers that cannot tell, and tasks
    that have no defaults, are left out.
    """
    found: dict[str, list[str]] = {}
    for name, service in sorted(registry.services.items()):
        for image in sorted(_images(service.driver)):
            found.setdefault(image, []).append(name)
    return found


def _images(driver: Driver) -> set[str]:
    images = set()
    for task, model in driver.tasks.items():
        try:
            image = driver.launch(_job(driver.service_name, task, model())).image
        except ValidationError:
            continue  # a task that must be told something
        except Exception:  # noqa: BLE001, S112 - a driver's code may raise anything; its jobs will say it
            continue
        if image:
            images.add(image)
    return images


def _job(service: str, task: str, params: object) -> Job:
    """A job that never runs: `launch` only puts a command together."""
    place = Path("/nonexistent")
    return Job(
        job_id="doctor",
        user="doctor",
        service_uuid="doctor",
        service_name=service,
        task=task,
        params=params,
        language="en",
        output=place,
        datasets=None,
        pretrained=None,
    )


def _advice(image: str, service: str) -> str:
    if image.startswith("k12ai/"):
        return f"make images (or: docker build -t {image} -f plugins/{service}/image/Dockerfile plugins/{service})"
    return f"build it as the plugin of {service} says, or: docker pull {image}"
