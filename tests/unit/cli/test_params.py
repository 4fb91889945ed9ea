"""`--params` and `--set`."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.cli.exits import UsageError
from k12ai_ws.cli.params import read_params

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner),
)


@given(JSON)
def test_a_value_is_json(value: object) -> None:
    assert read_params(None, [f"x={json.dumps(value)}"]) == {"x": value}


@pytest.mark.parametrize(
    ("settings", "params"),
    [
        (["model=mlp"], {"model": "mlp"}),
        (["x="], {"x": ""}),
        (["x=a=b"], {"x": "a=b"}),
        (["x=nan"], {"x": "nan"}),
        (['x="5"'], {"x": "5"}),
        (["a.b.c=1", "a.b.d=2", "a.e=3"], {"a": {"b": {"c": 1, "d": 2}, "e": 3}}),
        (["x=1", "x=2"], {"x": 2}),
    ],
)
def test_names_and_values(settings: list[str], params: dict[str, object]) -> None:
    assert read_params(None, settings) == params


@pytest.mark.parametrize("setting", ["", "x", "=1", "a..b=1", ".a=1"])
def test_what_is_no_setting_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match="write name=value"):
        read_params(None, [setting])


def test_a_value_does_not_become_a_folder_of_names() -> None:
    with pytest.raises(UsageError, match=r"a\.b has a value already"):
        read_params(None, ["a.b=1", "a.b.c=2"])


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"epochs": 5, "optimizer": {"name": "sgd", "lr": 0.1}}')
    (tmp_path / "p.toml").write_text('epochs = 5\n[optimizer]\nname = "sgd"\nlr = 0.1\n')
    for name in ("p.json", "p.toml"):
        params = read_params(str(tmp_path / name), ["optimizer.name=adam"])
        assert params == {"epochs": 5, "optimizer": {"name": "adam", "lr": 0.1}}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.json", "{", "no JSON"),
        ("p.toml", "a = ", "no TOML"),
        ("p.json", "[1]", "must hold an object"),
        ("p.json", b"\xff", "no JSON"),
        ("p.toml", b"\xff", "no TOML"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=said):
        read_params(str(tmp_path / name), [])
