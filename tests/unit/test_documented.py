"""The documents say what is there: every route, setting and hook, every command of the README."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from k12ai_ws.api.routes import ROUTES
from k12ai_ws.drivers import hooks
from k12ai_ws.drivers.driver import Driver
from k12ai_ws.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config" / "k12ai.toml"


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_every_route_is_documented(route) -> None:
    documents = [text("docs/rest.md"), text("docs/channel.md")]
    assert any(re.search(rf"\b{route.method} {re.escape(route.path)}(?![\w/{{])", d) for d in documents), (
        f"{route.method} {route.path} stands in neither docs/rest.md nor docs/channel.md"
    )


def test_no_route_is_documented_that_is_not_there() -> None:
    documents = text("docs/rest.md") + text("docs/channel.md")
    named = set(re.findall(r"^#+ `?(GET|POST|PUT|DELETE) (/[^\s`?]*)", documents, re.MULTILINE))
    assert named <= {(r.method, r.path) for r in ROUTES}


def settings_of(model: type[BaseModel], section: str = ""):
    """Every setting: (section, key, default)."""
    for key, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from settings_of(info.annotation, key)
        else:
            yield section, key, info


SETTINGS = list(settings_of(Settings))


def entry_of(section: str, key: str) -> tuple[str, str]:
    """The line of a setting in the configuration file, and the comment above it."""
    current, comment = "", []
    for line in CONFIG.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            current, comment = header[1], []
        elif current == section and re.match(rf"(# )?{key} = ", line):
            return line, " ".join(comment)
        elif line.startswith("# ") and not re.match(r"# \w+ = ", line):
            comment.append(line[2:])
        else:
            comment = []
    pytest.fail(f"{section or 'top'}.{key} does not stand in config/k12ai.toml")


@pytest.mark.parametrize(("section", "key", "info"), SETTINGS, ids=lambda v: v if isinstance(v, str) else "")
def test_every_setting_stands_in_the_configuration_file(section: str, key: str, info) -> None:
    assert info.description, f"{section}.{key} has no description"
    line, comment = entry_of(section, key)
    assert comment == info.description, f"{section}.{key}: the comment must be the setting's description"
    no_default = info.default is None or info.default_factory is not None
    assert line.startswith("# ") == no_default, "a setting without a default is commented out, every other stands"


def test_no_setting_stands_there_that_is_not_there() -> None:
    known = {(section, key) for section, key, _ in SETTINGS}
    current = ""
    for line in CONFIG.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            current = header[1]
        elif entry := re.match(r"(?:# )?(\w+) = ", line):
            assert (current, entry[1]) in known


def test_the_configuration_file_is_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    assert load_settings(CONFIG).model_dump() == load_settings().model_dump()


def test_the_commented_settings_load_too(tmp_path: Path) -> None:
    path = tmp_path / "all.toml"
    path.write_text(re.sub(r"^# (\w+ = )", r"\1", CONFIG.read_text(encoding="utf-8"), flags=re.MULTILINE))
    settings = load_settings(path)
    assert settings.jobs.time_limit_s is not None
    assert settings.folders.datasets is not None


HOOKS = [n for n, f in vars(hooks).items() if inspect.isfunction(f) and hasattr(f, f"{hooks.GROUP}_spec")]
METHODS = [n for n, f in vars(Driver).items() if inspect.isfunction(f) and not n.startswith("_")]
ATTRIBUTES = [n for n in Driver.__annotations__ if not n.startswith("_")]


def test_there_are_hooks_and_methods_to_look_for() -> None:
    assert HOOKS == ["k12ai_drivers"]
    assert set(METHODS) >= {"check", "launch", "parsers", "classify"}


@pytest.mark.parametrize("name", [*HOOKS, *METHODS, *ATTRIBUTES])
def test_every_hook_and_driver_method_is_documented(name: str) -> None:
    assert re.search(rf"`{name}\b", text("docs/drivers.md")), f"`{name}` does not stand in docs/drivers.md"


@pytest.mark.parametrize("name", inspect.getmodule(Driver) and __import__("k12ai_ws.drivers").drivers.__all__)
def test_everything_that_a_plugin_imports_is_documented(name: str) -> None:
    assert re.search(rf"`{name}\b", text("docs/drivers.md")), f"`{name}` does not stand in docs/drivers.md"


def shell_lines(markdown: str) -> list[str]:
    blocks = re.findall(r"```(?:sh|bash|console|shell)\n(.*?)```", markdown, re.DOTALL)
    return [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"\bmake ([a-z][\w-]*)", text("README.md")))
    if not targets:
        pytest.skip("the README names no make target yet")
    makefile = text("Makefile")
    assert not {t for t in targets if not re.search(rf"^{t}\s*:", makefile, re.MULTILINE)}


def test_every_command_of_the_readme_exists(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in shell_lines(text("README.md")) if re.match(r"(\.?\S*/)?k12ai ", line)]
    if not lines:
        pytest.skip("the README shows no k12ai command yet")
    from k12ai_ws.cli import main

    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"[a-z]+", capsys.readouterr().out))
    commands = {line.split()[1] for line in lines if not line.split()[1].startswith("-")}
    assert commands <= known


@pytest.mark.parametrize(
    "name", ["README.md", *[str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs").glob("*.md"))]]
)
def test_links_within_the_repository_lead_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    targets = re.findall(r"\]\((?!https?://|#|mailto:)([^)\s#]+)", text(name))
    assert not [t for t in targets if not (folder / t).exists()]


def test_the_readme_shows_the_third_party_driver_whole() -> None:
    module = (ROOT / "tests" / "third_party" / "k12linreg.py").read_text(encoding="utf-8")
    assert f"```python\n{module}```" in text("README.md")
