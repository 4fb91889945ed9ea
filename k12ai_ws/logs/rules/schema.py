"""The JSON Schema of a request's rules: their fields and bounds, for whoever draws a form or writes a client."""

from k12ai_ws.wire.bodies import Json

from .regex import MAX_NAME, MAX_PATTERN
from .rule import ERROR_CODES, KINDS, MAX_CONTAINS, MAX_RULES, SCALES, SEVERITIES


def rules_schema() -> dict[str, Json]:
    """Of `log_rules`. What is wrong inside a pattern no schema can say."""
    least, most = SCALES
    fields = {
        "pattern": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_PATTERN,
            "description": r"A regular expression (RE2) with named groups, such as `loss=(?P<loss>\S+)`.",
        },
        "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_NAME,
            "description": "The metric's name, where the pattern has a group `value`, or a single one without a name.",
        },
        "scale": {
            "type": "number",
            "description": f"Multiplied into the values; its size is {least:g} to {most:g}.",
        },
        "contains": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_CONTAINS,
            "description": "A text that must stand in the line too.",
        },
        "kind": {"enum": list(KINDS), "default": KINDS[0], "description": "What the rule reads."},
        "code": {"enum": sorted(ERROR_CODES), "description": "Of the errors that a rule of the kind error reads."},
        "severity": {"enum": list(SEVERITIES), "default": SEVERITIES[0], "description": "Of these errors."},
    }
    rule = {"type": "object", "properties": fields, "required": ["pattern"], "additionalProperties": False}
    return {"type": "array", "maxItems": MAX_RULES, "items": rule}
