"""Discovery: a broken plugin disables only itself, whatever it does; what it did stands in `broken`."""

import logging
import sys
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from k12ai_ws.drivers import Driver, LaunchSpec, Params, hookimpl
from k12ai_ws.drivers.registry import MAX_DRIVERS, InvalidDriver, Registry, discover, examine

HEAD = "from k12ai_ws.drivers import Driver, LaunchSpec, Params, hookimpl\n"
GOOD = """
class P(Params):
    epochs: int = 1
class D(Driver):
    service_name = {name!r}
    tasks = {{"train": P}}
    def launch(self, job):
        return LaunchSpec(command=["true"])
@hookimpl
def k12ai_drivers():
    return [D()]
"""


class Site:
    """A folder of installed distributions, as pip leaves them: modules, and a dist-info with the entry points."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, code: str, *, point: str | None = None, metadata: str | None = "whole") -> None:
        (self.folder / f"{name}.py").write_text(code)
        info = self.folder / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text(f"[k12ai_ws]\n{point or name} = {name}\n")
        if metadata == "whole":
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n"
        if metadata is not None:
            (info / "METADATA").write_text(metadata)

    def discover(self):
        return discover(self.points())

    def points(self) -> list[EntryPoint]:
        found = distributions(path=[str(self.folder)])
        return [point for d in found for point in d.entry_points.select(group="k12ai_ws")]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    site = Site(tmp_path)
    site.install("aaa_good", HEAD + GOOD.format(name="aaa"))
    site.install("zzz_good", HEAD + GOOD.format(name="zzz"))
    yield site
    for name in set(sys.modules) - before:
        del sys.modules[name]


RETURNING = HEAD + "@hookimpl\ndef k12ai_drivers():\n    return {}\n"
DRIVER = (
    HEAD + "class P(Params):\n    a: int = 1\nclass D(Driver):\n{}\n@hookimpl\ndef k12ai_drivers():\n    return [D()]\n"
)

BROKEN = {
    "import": ("import no_such_module_at_all\n", "No module named 'no_such_module_at_all'"),
    "syntax": ("def f(:\n", "SyntaxError"),
    "raises": ("raise ValueError('at import')\n", "ValueError: at import"),
    "exits": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "base": ("class Odd(BaseException): pass\nraise Odd('out')\n", "Odd: out"),
    "recursion": ("def f(): f()\nf()\n", "RecursionError"),
    "bad_str": ("class E(Exception):\n    def __str__(self): raise OSError\nraise E\n", "E: <exception str() failed>"),
    "long": ("raise ValueError('x' * 1_000_000)\n", "characters)"),
    "null_bytes": ("x = 1\0\n", "null bytes"),
    "no_hook": ("x = 1\n", "no function `k12ai_drivers` marked"),
    "unmarked": ("def k12ai_drivers():\n    return []\n", "no function `k12ai_drivers` marked"),
    "other_hook": (HEAD + "@hookimpl\ndef k12ai_driver():\n    return []\n", "k12ai_driver"),
    "arguments": (HEAD + "@hookimpl\ndef k12ai_drivers(app):\n    return []\n", "app"),
    "hook_raises": (HEAD + "@hookimpl\ndef k12ai_drivers():\n    return 1 / 0\n", "ZeroDivisionError"),
    "hook_exits": (HEAD + "@hookimpl\ndef k12ai_drivers():\n    raise SystemExit\n", "SystemExit"),
    "generator": (HEAD + "@hookimpl\ndef k12ai_drivers():\n    yield 3\n    raise KeyError('late')\n", "late"),
    "endless": (
        HEAD + "from itertools import repeat\n@hookimpl\ndef k12ai_drivers():\n    return repeat(1)\n",
        "more than",
    ),
    "none": (RETURNING.format("None"), "must return a list of Driver objects, not None"),
    "text": (RETURNING.format("'k12cv'"), "must return a list of Driver objects, not 'k12cv'"),
    "number": (RETURNING.format("7"), "must return a list of Driver objects, not 7"),
    "driver_alone": (RETURNING.format("Driver()"), "must return a list of Driver objects"),
    "class": (RETURNING.format("[Driver]"), "which is no instance of k12ai_ws.drivers.Driver"),
    "object": (RETURNING.format("[object()]"), "which is no instance of k12ai_ws.drivers.Driver"),
    "bad_repr": (
        HEAD + "class R:\n    def __repr__(self): raise OSError\n@hookimpl\ndef k12ai_drivers():\n    return [R()]\n",
        "which is no instance",
    ),
    "no_name": (DRIVER.format("    tasks = {'train': P}"), "service_name None must match"),
    "name_raises": (
        DRIVER.format("    tasks = {'train': P}\n    @property\n    def service_name(self): raise SystemExit('x')"),
        "SystemExit: x",
    ),
    "no_tasks": (DRIVER.format("    service_name = 'x'"), "tasks must be a mapping"),
    "empty_tasks": (DRIVER.format("    service_name = 'x'\n    tasks = {}"), "one task or more"),
    "list_of_tasks": (DRIVER.format("    service_name = 'x'\n    tasks = ['train']"), "tasks must be a mapping"),
    "no_model": (
        DRIVER.format("    service_name = 'x'\n    tasks = {'train': dict}"),
        "must be a pydantic model class",
    ),
    "instance": (DRIVER.format("    service_name = 'x'\n    tasks = {'train': P()}"), "must be a pydantic model class"),
    "description": (
        DRIVER.format("    service_name = 'x'\n    description = 3\n    tasks = {'train': P}"),
        "description must be a text",
    ),
    "leave for rules": (
        DRIVER.format("    service_name = 'x'\n    log_rules_allowed = 'yes'\n    tasks = {'train': P}"),
        "log_rules_allowed must be True or False",
    ),
    "schema_raises": (
        HEAD + "from typing import Callable\nclass P(Params):\n    f: Callable[[], int]\nclass D(Driver):\n"
        "    service_name = 'x'\n    tasks = {'train': P}\n@hookimpl\ndef k12ai_drivers():\n    return [D()]\n",
        "JsonSchema",
    ),
    "schema_no_json": (
        HEAD + "from pydantic import ConfigDict\nclass P(Params):\n"
        "    model_config = ConfigDict(json_schema_extra={'examples': [{1, 2}]})\nclass D(Driver):\n"
        "    service_name = 'x'\n    tasks = {'train': P}\n@hookimpl\ndef k12ai_drivers():\n    return [D()]\n",
        "the JSON Schema of P is not JSON",
    ),
}
NAMES = ["", "K12cv", "k12-cv", "1k", "k12.cv", "../x", "a b", "k12cv\n", "é", "a" * 65, 3, ["a"]]
TASKS = ["", "Train", "jobs", "services", "events", "train.start", "train/x", "train\n", "a" * 65, 3, None]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_disables_only_itself(site: Site, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    code, why = BROKEN[kind]
    site.install("mmm_broken", code)
    with caplog.at_level(logging.ERROR):
        found = site.discover()
    assert list(found.services) == ["aaa", "zzz"]
    assert [(b.plugin, b.distribution) for b in found.broken] == [("mmm_broken", "mmm_broken")]
    assert why in found.broken[0].error
    assert "\n" not in found.broken[0].error
    assert len(found.broken[0].error) < 2500
    assert "mmm_broken" in caplog.text


def test_where_it_broke_is_said(site: Site) -> None:
    site.install("mmm_broken", "\n\nraise ValueError('here')\n")
    assert site.discover().broken[0].error.endswith(f"(at {site.folder / 'mmm_broken.py'}:3)")


def test_ctrl_c_is_the_operators(site: Site) -> None:
    site.install("mmm_broken", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        site.discover()


def test_one_broken_driver_of_a_plugin_leaves_the_others(site: Site) -> None:
    site.install("mmm", HEAD + GOOD.format(name="mmm").replace("[D()]", "[3, D(), None]"))
    found = site.discover()
    assert list(found.services) == ["aaa", "mmm", "zzz"]
    assert len(found.broken) == 2


def test_whose_service_it_is_stands_beside_it(site: Site) -> None:
    service = site.discover().services["aaa"]
    assert (service.plugin, service.distribution, service.version) == ("aaa_good", "aaa_good", "1.2")
    assert service.schemas["train"]["properties"]["epochs"]["default"] == 1


def test_the_second_of_one_name_is_refused_and_told_who_has_it(site: Site) -> None:
    site.install("mmm", HEAD + GOOD.format(name="aaa"))
    found = site.discover()
    assert found.services["aaa"].plugin == "aaa_good"
    (broken,) = found.broken
    assert broken.plugin == "mmm"
    assert "already taken by plugin 'aaa_good' (aaa_good)" in broken.error


def test_two_distributions_may_call_their_entry_points_alike(site: Site) -> None:
    site.install("mmm", HEAD + GOOD.format(name="mmm"), point="aaa_good")
    found = site.discover()
    assert (list(found.services), found.broken) == (["aaa", "mmm", "zzz"], ())


@pytest.mark.parametrize("metadata", [None, "", "Version: 1\n", "\xff\xfe"])
def test_broken_metadata_takes_nothing_down(site: Site, metadata: str | None) -> None:
    site.install("mmm", HEAD + GOOD.format(name="mmm"), metadata=metadata)
    found = site.discover()
    assert list(found.services) == ["aaa", "mmm", "zzz"]
    assert isinstance(found.services["mmm"].distribution, str)
    assert isinstance(found.services["mmm"].version, str)


@pytest.mark.parametrize("value", ["", "no_such:thing", "aaa_good:nothing", "aaa_good:D.launch.x", "os.path:join", ":"])
def test_an_entry_point_that_leads_nowhere(site: Site, value: str) -> None:
    found = discover([EntryPoint("bad", value, "k12ai_ws"), *site.points()])
    assert list(found.services) == ["aaa", "zzz"]
    assert [b.plugin for b in found.broken] == ["bad"]


def test_no_plugins_no_services() -> None:
    assert discover([]) == Registry()


def test_installed_plugins_are_found_by_themselves(site: Site) -> None:
    site.install("mmm_broken", "raise ValueError\n")
    found = discover()
    assert {"aaa", "zzz"} <= set(found.services)
    assert "mmm_broken" in [b.plugin for b in found.broken]


def test_a_service_that_shares_a_plugin_object_is_found_by_both_names(site: Site) -> None:
    point = EntryPoint("again", "aaa_good", "k12ai_ws")
    found = discover([*site.points(), point])
    assert list(found.services) == ["aaa", "zzz"]
    assert "already taken" in found.broken[0].error


class P(Params):
    a: int = 1


def driver(**attributes) -> Driver:
    return type("D", (Driver,), {"service_name": "x", "tasks": {"train": P}, **attributes})()


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_bad_service_names(name) -> None:
    with pytest.raises(InvalidDriver, match="service_name"):
        examine(driver(service_name=name))


@pytest.mark.parametrize("task", TASKS, ids=ascii)
def test_bad_and_reserved_task_names(task) -> None:
    with pytest.raises(InvalidDriver, match="task name"):
        examine(driver(tasks={"train": P, task: P}))


def test_a_good_driver_passes() -> None:
    assert set(examine(driver(tasks={"train": P, "a" * 64: P}))) == {"train", "a" * 64}


def test_as_many_drivers_as_allowed_are_taken(site: Site) -> None:
    many = f"[type('D{{}}'.format(i), (D,), {{'service_name': 'm{{}}'.format(i)}})() for i in range({MAX_DRIVERS})]"
    site.install("mmm", HEAD + GOOD.format(name="mmm").replace("[D()]", many.replace("{{", "{").replace("}}", "}")))
    found = site.discover()
    assert len(found.services) == MAX_DRIVERS + 2
    assert found.broken == ()


def test_the_marker_is_the_plugins_own() -> None:
    """What a plugin imports works as it is shown: one decorated function."""

    @hookimpl
    def k12ai_drivers():
        return [driver()]

    assert isinstance(k12ai_drivers()[0], Driver)
    assert LaunchSpec(command=["true"]).mounts == ("output", "datasets", "pretrained")
