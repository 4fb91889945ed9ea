"""Whether parameters can be stored as JSON."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import Refusal, message_of


def cannot_be_stored(error: Exception) -> Refusal:
    """The refusal of parameters that are nested too deeply, or of a type that JSON does not have."""
    fields = [{"loc": "service_params", "msg": f"cannot be stored: {error}", "type": "not_json"}]
    return Refusal(Fault(Code.PARAMS_INVALID, message_of(fields), detail={"fields": fields}))


def require_storable(params: Mapping[str, Any]) -> None:
    """Raises Refusal for what a driver's model let pass, but JSON cannot carry: huge integers, NaN, infinities."""
    for name, value in params.items():
        try:
            orjson.dumps(value)
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as e:
            fields = [{"loc": f"service_params.{name}", "msg": str(e), "type": "not_json"}]
            raise Refusal(Fault(Code.PARAMS_INVALID, message_of(fields), detail={"fields": fields})) from None
