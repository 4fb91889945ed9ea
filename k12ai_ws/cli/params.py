"""`--params FILE` and `--set name=value`: the service_params of a request."""

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from .exits import UsageError


def read_params(file: str | None, settings: Sequence[str]) -> dict[str, Any]:
    """The parameters of the file, with each `name=value` put over them. Raises UsageError."""
    params = {} if file is None else _read_file(file)
    for setting in settings:
        _put(params, setting)
    return params


def _read_file(file: str) -> dict[str, Any]:
    """A JSON or TOML file (by its name; `-` is JSON from stdin)."""
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as e:
        raise UsageError(f"--params {file}: {e.strerror}") from e
    toml = file.endswith(".toml")
    try:
        params = tomllib.loads(raw.decode()) if toml else orjson.loads(raw)
    except ValueError as e:
        raise UsageError(f"--params {file}: this is no {'TOML' if toml else 'JSON'}: {e}") from e
    if not isinstance(params, dict):
        raise UsageError(f'--params {file}: it must hold an object, like {{"epochs": 5}}')
    return params


def _put(params: dict[str, Any], setting: str) -> None:
    """Puts one `name=value` into `params`: a dotted name nests, a value is JSON or else text."""
    name, equals, text = setting.partition("=")
    path = name.split(".")
    if not equals or not all(path):
        raise UsageError(f"--set {setting}: write name=value, like epochs=5 or optimizer.name=adam")
    at = params
    for depth, part in enumerate(path[:-1], 1):
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            raise UsageError(f"--set {setting}: {'.'.join(path[:depth])} has a value already, it holds no names")
    try:
        at[path[-1]] = orjson.loads(text)
    except orjson.JSONDecodeError:
        at[path[-1]] = text
