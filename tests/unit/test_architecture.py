"""The house keeps its shape: one-way imports, no cycles, no hidden state, no giant files."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "k12ai_ws"
PLUGINS = [p.parent for p in sorted((ROOT / "plugins").glob("*/pyproject.toml"))]

ORDER = (
    "wire",
    "serverlog",
    "access",
    "logs",
    "drivers",
    "launchers",
    "store",
    "retention",
    "events",
    "monitor",
    "jobs",
    "telemetry",
    "api",
)
"""The stages, lowest first: each may import those before it."""
ALLOWED = {stage: set(ORDER[: i + 1]) for i, stage in enumerate(ORDER)} | {
    "settings": {"settings", "logs", "wire"},
    "client": {"client", "wire"},
    "cli": {"cli", "client", "settings", "starting", "app", "serverlog", "access", "retaining", "retention"}
    | {"store", "logs", "drivers", "monitor", "wire"},
    "testing": {"testing", *ORDER} - {"api"},
    "identity": {"identity", "launchers"},
    "starting": {"starting", "settings"},
    "tls": {"tls", "starting", "settings"},
    "admitting": {"admitting", "starting", "settings", "access"},
    "ending": {"ending", "settings", "store", "events", "api"},
    "launching": {"launching", "identity", "settings", "launchers", "wire"},
    "retaining": {"retaining", "identity", "settings", "store", "retention"},
    "app": {"app", "starting", "tls", "admitting", "ending", "launching", "retaining", "settings", *ORDER},
    "__init__": set(),
}
ALLOWED["access"].add("settings")
ALLOWED["api"].add("settings")
"""Both take their bounds from the settings, which know only the wire (and how rules are read)."""

MAX_LINES = 300


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = ("k12ai_ws", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def stage_of(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def imports_of(path: Path, module: str) -> set[str]:
    """The modules that a file imports anywhere in it, functions and TYPE_CHECKING too, relative ones made absolute."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            found |= {target} | {f"{target}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    module = name_of(path)
    ours = {stage_of(i) for i in imports_of(path, module) if i.startswith("k12ai_ws.")}
    allowed = ALLOWED[stage_of(module)]
    assert ours <= allowed | {stage_of(module)}, f"{module} imports {sorted(ours - allowed)}, which stand above it"


def test_every_stage_is_in_the_order() -> None:
    """A new folder must be given its place before it can be imported."""
    assert {stage_of(name_of(p)) for p in modules()} <= set(ALLOWED)


def test_no_module_stands_in_a_cycle() -> None:
    paths = {name_of(p): p for p in modules()}
    graph = {}
    for module, path in paths.items():
        imported = imports_of(path, module) & paths.keys()
        # `from . import x` names the package too, and importing a submodule runs its package's __init__ by itself.
        graph[module] = {i for i in imported if i != module and not module.startswith(f"{i}.")}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as e:
        pytest.fail(f"imports in a circle: {' -> '.join(e.args[1])}")


def plugin_files() -> list[Path]:
    return sorted(p for plugin in PLUGINS for p in (plugin / plugin.name).rglob("*.py"))


@pytest.mark.parametrize("path", plugin_files(), ids=lambda p: str(p.relative_to(ROOT / "plugins")))
def test_plugins_import_the_seam_alone(path: Path) -> None:
    """A driver is a third party's: it sees `k12ai_ws.drivers`; its trainer, an ordinary program, nothing of ours."""
    module = ".".join(path.relative_to(PLUGINS[0].parent).with_suffix("").parts[1:])
    ours = {i for i in imports_of(path, module) if i.partition(".")[0] == "k12ai_ws"}
    if "trainer" in path.parts:
        assert not ours
    assert all(i == "k12ai_ws.drivers" or i.startswith("k12ai_ws.drivers.") for i in ours), ours
    assert not {i for i in ours if i.count(".") > 2}, "what a plugin needs stands in k12ai_ws.drivers itself"


def test_there_are_plugins_to_look_at() -> None:
    assert {p.name for p in PLUGINS} >= {"k12cv", "k12nlp"}


MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MAKERS = {"list", "dict", "set", "defaultdict", "deque", "Counter", "OrderedDict", "bytearray", "WeakValueDictionary"}
MUTATORS = {"append", "add", "update", "extend", "insert", "setdefault", "pop", "popitem", "remove", "discard", "clear"}


def assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """Module-level names that a mutable value is assigned to."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            value = node.value
            made = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in MAKERS
            if made or isinstance(value, MUTABLE):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {t.id: value for t in targets if isinstance(t, ast.Name)}
    return found


def mutations(tree: ast.Module, names: set[str]) -> set[str]:
    """Of these names, those that the module changes somewhere."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            found |= set(node.names)
        target: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            target = node.func.value
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            target = node.value
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            target = node.target
        if isinstance(target, ast.Name) and target.id in names:
            found.add(target.id)
    return found


@pytest.mark.parametrize("path", [*modules(), *plugin_files()], ids=lambda p: str(p.relative_to(ROOT)))
def test_no_state_at_module_level(path: Path) -> None:
    """Tables are in capitals and never change; whatever changes belongs to an object that app.py makes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {n for n in assigned(tree) if not (n.startswith("__") and n.endswith("__"))}
    assert not {n for n in names if not n.isupper()}, "a mutable value at module level: make it a constant in capitals"
    assert not mutations(tree, names), "a module-level value is changed at run time"
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Global)], "`global` is module-level state"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_files_are_about_one_thing(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    short = str(path.relative_to(PACKAGE))
    assert lines <= MAX_LINES, f"{short} has {lines} lines: look for the second thing in it"


def test_no_utils() -> None:
    assert not [p for p in modules() if p.stem in {"utils", "util", "helpers", "common", "misc"}]


class TestTheTestItself:
    """A test that cannot fail is a defect: the readers above see what they must see."""

    def test_relative_and_hidden_imports_are_seen(self, tmp_path: Path) -> None:
        path = tmp_path / "x.py"
        path.write_text("from ..jobs import manager\ndef f():\n    import k12ai_ws.api.rest\nfrom . import y\n")
        found = imports_of(path, "k12ai_ws.store.x")
        assert {"k12ai_ws.jobs.manager", "k12ai_ws.api.rest", "k12ai_ws.store.y"} <= found

    def test_state_is_seen(self) -> None:
        tree = ast.parse("CACHE: dict = {}\ndef f(k):\n    CACHE[k] = 1\nseen = set()\n")
        assert set(assigned(tree)) == {"CACHE", "seen"}
        assert mutations(tree, {"CACHE"}) == {"CACHE"}
