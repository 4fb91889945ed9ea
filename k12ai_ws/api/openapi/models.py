"""The request's types as schemas: bodies, and the parameters of a query."""

import copy
import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from k12ai_ws.drivers.registry import Registry
from k12ai_ws.logs.rules import rules_schema
from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.requests import FrameworkRequest

from .messages import Schema, ref

REF = "#/components/schemas/"


def body_of(model: type[BaseModel], components: dict[str, Schema]) -> Schema:
    """A reference to the model's schema, which is put into `components` with all that it refers to."""
    schema = model.model_json_schema(ref_template=REF + "{model}")
    components.update(schema.pop("$defs", {}))
    components[model.__name__] = schema
    return ref(model.__name__)


def query_of(model: type[BaseModel]) -> list[Schema]:
    """The parameters of a query. One that is not given is none: nothing in a URL is null."""
    schema = model.model_json_schema()
    parameters = []
    for name, found in schema["properties"].items():
        kept = {k: v for k, v in found.items() if k not in ("title", "default", "anyOf", "description")}
        choices = [choice for choice in found.get("anyOf", ()) if choice != {"type": "null"}]
        kept = choices[0] | kept if len(choices) == 1 else kept | ({"anyOf": choices} if choices else {})
        if "$ref" in kept:
            kept = {k: v for k, v in schema["$defs"][kept["$ref"].rpartition("/")[2]].items() if k in ("enum", "type")}
        if found.get("default") is not None:
            kept["default"] = found["default"]
        parameter: Schema = {"name": name, "in": "query", "required": False, "schema": kept}
        parameters.append(parameter | ({"description": found["description"]} if "description" in found else {}))
    return parameters


def framework_bodies(registry: Registry, components: dict[str, Schema]) -> Mapping[str, Sequence[Schema]]:
    """task -> what may be sent to it: a start of each service that has the task, with its own `service_params`, and a
    stop. The schemas go into `components`.
    """
    body_of(FrameworkRequest, components)
    bodies: dict[str, list[Schema]] = {}
    for name, service in sorted(registry.services.items()):
        for task, params in service.schemas.items():
            title = f"{_title(name)}{_title(task)}"
            start = _variant(name, f"{task}.start", _moved(params, f"{title}Params", components))
            if service.driver.log_rules_allowed:
                start["properties"]["log_rules"] = _moved(rules_schema(), "LogRules", components)
            stop = _variant(name, f"{task}.stop", {"type": "object", "additionalProperties": True})
            components[f"{title}Start"], components[f"{title}Stop"] = start, stop
            bodies.setdefault(task, []).extend((ref(f"{title}Start"), ref(f"{title}Stop")))
    return bodies


def _variant(service: str, op: str, params: Schema) -> Schema:
    """FrameworkRequest for one service and op."""
    schema = copy.deepcopy(FrameworkRequest.model_json_schema())
    schema["properties"] |= {"op": {"const": op}, "service_name": {"const": service}, "service_params": params}
    del schema["properties"]["log_rules"]
    schema.pop("description", None)
    return schema | {"title": f"{op} of {service}"}


def _moved(schema: Mapping[str, Json], name: str, components: dict[str, Schema]) -> Schema:
    """A reference to the schema, put under `name` into `components`; its own definitions are put beside it, and its
    references to them made to lead there.
    """

    def moved(value: Json) -> Json:
        if isinstance(value, Mapping):
            return {
                k: f"{REF}{name}.{_plain(v.removeprefix('#/$defs/'))}"
                if k == "$ref" and isinstance(v, str) and v.startswith("#/$defs/")
                else moved(v)
                for k, v in value.items()
                if k != "$defs"
            }
        return [moved(v) for v in value] if isinstance(value, list) else value

    for inner, definition in schema.get("$defs", {}).items():
        components[f"{name}.{_plain(inner)}"] = moved(definition)
    components[name] = moved(schema)
    return ref(name)


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _plain(name: str) -> str:
    """A name that may stand among the components: pydantic's of generic models have brackets."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)
