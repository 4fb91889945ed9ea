"""Parameters as JSON, and whether they can be stored so."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from k12ai_ws.wire.bodies import Fault, Json
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.envelope import encode
from k12ai_ws.wire.requests import Refusal, message_of

MAX_EXACT = float(1 << 53)
"""Below this a float names one whole number."""


def cannot_be_stored(error: Exception) -> Refusal:
    """The refusal of parameters that are nested too deeply, or of a type that JSON does not have."""
    fields = [{"loc": "service_params", "msg": f"cannot be stored: {error}", "type": "not_json"}]
    return Refusal(Fault(Code.PARAMS_INVALID, message_of(fields), detail={"fields": fields}))


def as_json(params: Mapping[str, Any]) -> bytes:
    """The parameters encoded. `3.0` becomes `3`: to JSON they are one number, and where a schema says integer both are
    right. Raises Refusal for what is nested too deeply.
    """
    try:
        encode(dict(params))  # first, for what it refuses would be too deep here too
    except TypeError as e:
        raise cannot_be_stored(e) from None
    return encode(_whole(dict(params)))


def _whole(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_EXACT:
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value


def require_storable(params: Mapping[str, Any]) -> None:
    """Raises Refusal for what a driver's model let pass, but JSON cannot carry: huge integers, NaN, infinities."""
    for name, value in params.items():
        try:
            orjson.dumps(value)
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as e:
            fields = [{"loc": f"service_params.{name}", "msg": str(e), "type": "not_json"}]
            raise Refusal(Fault(Code.PARAMS_INVALID, message_of(fields), detail={"fields": fields})) from None
