"""Guarded discovery: every plugin is loaded on its own, so that a broken one disables only itself."""

import logging
import re
import reprlib
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from itertools import islice
from typing import Any

import pluggy
from pydantic import BaseModel

from k12ai_ws.logs.advice import Advice
from k12ai_ws.wire.envelope import encode

from . import hooks
from .driver import Driver

RESERVED_TASKS = frozenset({"jobs", "services", "events"})
"""Task names that the REST routes need for themselves."""

MAX_DRIVERS = 100
"""Drivers of one plugin: an endless generator must not keep the server from starting."""
MAX_TEXT = 2000
"""Characters kept of what a broken plugin raised."""

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
    services: dict[str, Service] = {}
    broken: list[BrokenPlugin] = []
    for point in sorted(points, key=lambda p: (p.name, p.value)):
        distribution, version = _origin(point)

        def refuse(error: str, plugin: str = point.name, distribution: str = distribution) -> None:
            broken.append(BrokenPlugin(plugin, distribution, error))
            log.error("driver plugin %s (%s) is disabled: %s", plugin, distribution or "no distribution", error)

        try:
            drivers = _load(point)
        except KeyboardInterrupt:
            raise
        except BaseException as e:  # noqa: BLE001 - a plugin's import may raise anything at all, SystemExit too
            refuse(_explain(e))
            continue
        for driver in drivers:
            try:
                schemas = examine(driver)
                name = driver.service_name
            except KeyboardInterrupt:
                raise
            except BaseException as e:  # noqa: BLE001 - a driver's own properties and schemas may raise anything
                refuse(_explain(e))
                continue
            if (holder := services.get(name)) is not None:
                refuse(
                    f"service_name {name!r} is already taken by plugin {holder.plugin!r} "
                    f"({holder.distribution}); give this driver another service_name"
                )
                continue
            services[name] = Service(driver, point.name, distribution, version, schemas)
    return Registry(services, tuple(broken))


def _origin(point: EntryPoint) -> tuple[str, str]:
    """The name and version of the distribution; empty where its metadata is missing or broken."""
    try:
        return (point.dist.name or "", point.dist.version or "") if point.dist else ("", "")
    except Exception as e:  # noqa: BLE001 - the reader of broken metadata promises no exception types
        log.warning("the distribution of driver plugin %s has broken metadata: %r", point.name, e)
        return "", ""


def _load(point: EntryPoint) -> list[Driver]:
    """The plugin's drivers. Each plugin gets a manager of its own, so that none can meddle with another's."""
    plugin = point.load()
    manager = pluggy.PluginManager(hooks.GROUP)
    manager.add_hookspecs(hooks)
    manager.register(plugin, name=point.name)
    hook = manager.hook.k12ai_drivers
    if not hook.get_hookimpls():
        raise InvalidDriver("it has no function `k12ai_drivers` marked with `k12ai_ws.drivers.hookimpl`")
    found = hook()
    drivers = found[0] if found else None
    if not isinstance(drivers, Iterable) or isinstance(drivers, str | bytes | Mapping):
        raise InvalidDriver(f"k12ai_drivers must return a list of Driver objects, not {_shown(drivers)}")
    taken = list(islice(drivers, MAX_DRIVERS + 1))
    if len(taken) > MAX_DRIVERS:
        raise InvalidDriver(f"k12ai_drivers gave more than {MAX_DRIVERS} drivers")
    return taken


def examine(driver: object) -> dict[str, dict[str, Any]]:
    """Checks a driver against the contract; returns the JSON Schema of each task. Raises InvalidDriver."""
    if not isinstance(driver, Driver):
        raise InvalidDriver(f"k12ai_drivers gave {_shown(driver)}, which is no instance of k12ai_ws.drivers.Driver")
    name = getattr(driver, "service_name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidDriver(f"service_name {_shown(name)} must match {NAME.pattern}")
    if not isinstance(getattr(driver, "description", None), str):
        raise InvalidDriver(f"{name}: description must be a text")
    if not isinstance(getattr(driver, "log_rules_allowed", None), bool):
        raise InvalidDriver(f"{name}: log_rules_allowed must be True or False")
    advice = getattr(driver, "advice", None)
    if not isinstance(advice, list | tuple) or not all(isinstance(piece, Advice) for piece in advice):
        raise InvalidDriver(f"{name}: advice must be a list or tuple of k12ai_ws.drivers.Advice")
    tasks = getattr(driver, "tasks", None)
    if not isinstance(tasks, Mapping) or not tasks:
        raise InvalidDriver(f"{name}: tasks must be a mapping of task name -> pydantic model, with one task or more")
    schemas: dict[str, dict[str, Any]] = {}
    for task, model in tasks.items():
        if not isinstance(task, str) or not NAME.fullmatch(task) or task in RESERVED_TASKS:
            raise InvalidDriver(
                f"{name}: task name {_shown(task)} must match {NAME.pattern} and not be one of {sorted(RESERVED_TASKS)}"
            )
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise InvalidDriver(f"{name}: tasks[{task!r}] must be a pydantic model class, not {_shown(model)}")
        schemas[task] = model.model_json_schema()
        try:
            encode(schemas[task])
        except TypeError as e:  # it would break the list of all services
            raise InvalidDriver(f"{name}: the JSON Schema of {model.__name__} is not JSON: {e}") from e
    return schemas


def _shown(value: object) -> str:
    """`repr`, bounded, and without the faults of a foreign `__repr__`."""
    return reprlib.repr(value)


def _explain(error: BaseException) -> str:
    """The exception in one bounded line, with the plugin's own place in it where the traceback shows one."""
    text = " ".join("".join(traceback.format_exception_only(error)).split())
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}... ({len(text)} characters)"
    frames = traceback.extract_tb(error.__traceback__)
    if not isinstance(error, InvalidDriver) and frames:
        text += f" (at {frames[-1].filename}:{frames[-1].lineno})"
    return text
