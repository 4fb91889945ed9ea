"""Guarded discovery: every plugin is loaded on its own, so that a broken one disables only itself."""

import logging
import re
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy
from pydantic import BaseModel

from . import hooks
from .driver import Driver

RESERVED_TASKS = frozenset({"jobs", "services", "events"})
"""Task names that the REST routes need for themselves."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

log = logging.getLogger(__name__)


class InvalidDriver(Exception):
    """A driver object that does not keep the contract of `Driver`; the text says how."""


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin (or one of its drivers) that is not served, and why."""

    plugin: str
    distribution: str
    error: str


@dataclass(frozen=True, slots=True)
class Service:
    """A driver that is served, with the JSON Schemas of its tasks' `service_params`."""

    driver: Driver
    plugin: str
    distribution: str
    version: str
    schemas: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Registry:
    """What discovery found: the services by name, and the plugins that failed."""

    services: Mapping[str, Service] = field(default_factory=dict)
    broken: tuple[BrokenPlugin, ...] = ()


def discover(points: Iterable[EntryPoint] | None = None) -> Registry:
    """Loads the plugins of the entry-point group `k12ai_ws` (or those given), in order of their names.

    Never raises for a plugin's fault: whatever a plugin does wrong stands in `broken`, and in the log. Where two
    plugins claim one `service_name`, the first keeps it and the second is refused.
    """
    if points is None:
        points = entry_points(group=hooks.GROUP)
    manager = pluggy.PluginManager(hooks.GROUP)
    manager.add_hookspecs(hooks)
    services: dict[str, Service] = {}
    broken: list[BrokenPlugin] = []
    for point in sorted(points, key=lambda p: (p.name, p.value)):
        distribution = point.dist.name if point.dist else ""
        version = point.dist.version if point.dist else ""

        def refuse(error: str, plugin: str = point.name, distribution: str = distribution) -> None:
            broken.append(BrokenPlugin(plugin, distribution, error))
            log.error("driver plugin %s (%s) is disabled: %s", plugin, distribution or "no distribution", error)

        try:
            drivers = _load(manager, point)
        except (Exception, SystemExit) as e:  # noqa: BLE001 - a plugin's import may raise anything at all
            refuse(_explain(e))
            continue
        for driver in drivers:
            try:
                schemas = examine(driver)
            except Exception as e:  # noqa: BLE001 - a driver's own properties and schemas may raise anything
                refuse(_explain(e))
                continue
            if (holder := services.get(driver.service_name)) is not None:
                refuse(
                    f"service_name {driver.service_name!r} is already taken by plugin {holder.plugin!r} "
                    f"({holder.distribution}); give this driver another service_name"
                )
                continue
            services[driver.service_name] = Service(driver, point.name, distribution, version, schemas)
    return Registry(services, tuple(broken))


def _load(manager: pluggy.PluginManager, point: EntryPoint) -> list[Driver]:
    plugin = point.load()
    manager.register(plugin, name=point.name)
    others = [p for p in manager.get_plugins() if p is not plugin]
    found = manager.subset_hook_caller("k12ai_drivers", remove_plugins=others)()
    if not found:
        raise InvalidDriver("it has no function `k12ai_drivers` marked with `k12ai_ws.drivers.hookimpl`")
    return [driver for drivers in found for driver in drivers]


def examine(driver: object) -> dict[str, dict[str, Any]]:
    """Checks a driver against the contract; returns the JSON Schema of each task. Raises InvalidDriver."""
    if not isinstance(driver, Driver):
        raise InvalidDriver(f"k12ai_drivers gave {driver!r}, which is no instance of k12ai_ws.drivers.Driver")
    name = getattr(driver, "service_name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidDriver(f"service_name {name!r} must match {NAME.pattern}")
    tasks = getattr(driver, "tasks", None)
    if not isinstance(tasks, Mapping) or not tasks:
        raise InvalidDriver(f"{name}: tasks must be a mapping of task name -> pydantic model, with one task or more")
    schemas: dict[str, dict[str, Any]] = {}
    for task, model in tasks.items():
        if not isinstance(task, str) or not NAME.fullmatch(task) or task in RESERVED_TASKS:
            raise InvalidDriver(
                f"{name}: task name {task!r} must match {NAME.pattern} and not be one of {sorted(RESERVED_TASKS)}"
            )
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise InvalidDriver(f"{name}: tasks[{task!r}] must be a pydantic model class, not {model!r}")
        schemas[task] = model.model_json_schema()
    return schemas


def _explain(error: BaseException) -> str:
    """The exception in one line, with the plugin's own place in it where the traceback shows one."""
    text = "".join(traceback.format_exception_only(error)).strip()
    frames = traceback.extract_tb(error.__traceback__)
    if not isinstance(error, InvalidDriver) and frames:
        text += f" (at {frames[-1].filename}:{frames[-1].lineno})"
    return text
