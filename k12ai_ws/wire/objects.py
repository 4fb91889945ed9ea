"""A request's JSON, taken apart."""

from typing import Any

import orjson

from .bodies import Json
from .codes import Code
from .requests import refuse


def parse_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`, or a Refusal with 100103."""
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as e:
        raise refuse(Code.NOT_JSON, f"the request is not JSON: {e}") from None
    if not isinstance(data, dict):
        raise refuse(Code.NOT_JSON, f"the request must be a JSON object, not {_json_type(data)}")
    return data


def _json_type(value: Json) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
