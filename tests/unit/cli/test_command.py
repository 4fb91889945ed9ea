"""The command line itself: help, options, language, and what is loaded for it."""

import argparse
import subprocess
import sys

import pytest

from k12ai_ws.cli import main
from k12ai_ws.cli.commands import COMMANDS
from k12ai_ws.cli.exits import Exit
from k12ai_ws.cli.options import EVENT_TYPES, IDENTIFIER, language, server_address, this_user
from k12ai_ws.wire.filter import EVENT_TYPES as WIRE_TYPES
from k12ai_ws.wire.requests import FrameworkRequest


@pytest.mark.parametrize("command", [c.name for c in COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"usage: k12ai {command}" in text
    assert "examples:" in text
    assert f"k12ai {command}" in text.split("examples:")[1]
    assert "exit codes:" in text


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == Exit.USAGE
    text = capsys.readouterr().out
    assert all(f"    {c.name} " in text for c in COMMANDS)
    assert all(f"  {code.value}  " in text for code in Exit)


@pytest.mark.parametrize("command", [c.name for c in COMMANDS])
def test_help_loads_nothing_heavy(command: str) -> None:
    """What a command needs is loaded when it runs."""
    code = (
        "import sys; from k12ai_ws.cli import main\ntry: main([sys.argv[1], '--help'])\nexcept SystemExit: pass\n"
        "print({'tornado', 'pydantic', 'rich', 'asyncio', 'orjson'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, command], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n"


@pytest.mark.parametrize(
    ("asked", "environ", "tongue"),
    [
        (None, {}, "en"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        (None, {"LANG": "de_DE", "LC_MESSAGES": "zh_TW"}, "zh"),
        ("en", {"LANG": "zh_CN.UTF-8"}, "en"),
        ("zh", {}, "zh"),
    ],
)
def test_the_language(asked: str | None, environ: dict[str, str], tongue: str) -> None:
    assert language(argparse.Namespace(lang=asked), environ) == tongue


@pytest.mark.parametrize(
    ("asked", "environ", "address"),
    [
        ("http://a", {"K12AI_SERVER_URL": "http://b"}, "http://a"),
        (None, {"K12AI_SERVER_URL": "http://b"}, "http://b"),
        (None, {}, "http://127.0.0.1:8170"),
    ],
)
def test_the_server(asked: str | None, environ: dict[str, str], address: str) -> None:
    assert server_address(argparse.Namespace(server=asked), environ) == address


@pytest.mark.parametrize(
    ("host", "address"), [("0.0.0.0", "127.0.0.1:9"), ("::", "[::1]:9"), ("::1", "[::1]:9"), ("gpu1", "gpu1:9")]
)
def test_the_server_of_the_settings(monkeypatch: pytest.MonkeyPatch, host: str, address: str) -> None:
    monkeypatch.setenv("K12AI_SERVER__HOST", host)
    monkeypatch.setenv("K12AI_SERVER__PORT", "9")
    assert server_address(argparse.Namespace(server=None), {}) == f"http://{address}"


@pytest.mark.parametrize(
    ("environ", "name"),
    [({"USER": "ann"}, "ann"), ({"LOGNAME": "bob", "USER": "ann"}, "bob"), ({"USER": "a b"}, "user"), ({}, "user")],
)
def test_the_user(environ: dict[str, str], name: str) -> None:
    assert this_user(environ) == name


def test_what_the_options_know_is_what_the_wire_says() -> None:
    """They are written down twice, so that `--help` loads no pydantic."""
    assert set(EVENT_TYPES) == WIRE_TYPES
    for name in ("a", "A.b-c_9", "", "-a", ".a", "a" * 64, "a" * 65, "a/b", "é", "a\n"):
        assert bool(IDENTIFIER.fullmatch(name)) == FrameworkRequest.well_formed("user", name), name
