"""`k12ai services`: what can be started, and with which parameters."""

import argparse
from typing import Any

from .exits import CommandFailed, Exit
from .options import add_server


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("service", metavar="SERVICE", nargs="?", help="show this service's tasks and parameters")
    parser.add_argument("task", metavar="TASK", nargs="?", help="show this task's alone")
    add_server(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai services
  k12ai services k12cv train
  k12ai services k12cv train --json      the JSON Schema of service_params"""


def run(args: argparse.Namespace) -> int:
    """Lists the services; with SERVICE its tasks and their parameters."""
    from collections.abc import Mapping

    import orjson

    from k12ai_ws.client import Client

    from .lines import printable
    from .output import Output
    from .session import with_client

    async def work(client: Client, output: Output) -> int:
        answer = await client.services()
        if args.service is None:
            return show_all(answer, output)
        known = {service["name"]: service for service in answer["services"]}
        if args.service not in known:
            raise CommandFailed(f"there is no service {args.service!r}; there are: {', '.join(known) or 'none'}")
        service = known[args.service]
        tasks = service["tasks"]
        if args.task is not None and args.task not in tasks:
            raise CommandFailed(f"service {args.service} has no task {args.task!r}; it has: {', '.join(tasks)}")
        if output.json:
            output.data(service if args.task is None else tasks[args.task]["service_params"])
            return Exit.OK
        for task in tasks if args.task is None else [args.task]:
            show_task(task, tasks[task]["service_params"], output)
        if service.get("log_rules_allowed"):
            output.line(output.words("rules_allowed"))
        return Exit.OK

    def show_all(answer: Mapping[str, Any], output: Output) -> int:
        words = output.words
        if output.json:
            output.data(answer)
            return Exit.OK
        if answer["services"]:
            rows = [[s["name"], ", ".join(s["tasks"]), s["description"]] for s in answer["services"]]
            output.table([words(k) for k in ("service", "task", "description")], rows)
        else:
            output.line(words("no_services"))
        for broken in answer["broken"]:
            text = words("broken_plugin", plugin=broken["plugin"], error=printable(broken["error"]))
            output.line(text, "yellow")
        return Exit.OK

    def show_task(task: str, schema: Mapping[str, Any], output: Output) -> None:
        words = output.words
        output.line(
            f"{args.service} {task}" + (f": {schema['description']}" if schema.get("description") else ""), "bold"
        )
        rows = [
            [name, type_of(field), default_of(field), field.get("description", "")]
            for name, field in schema.get("properties", {}).items()
        ]
        if rows:
            output.table([words(k) for k in ("parameter", "type", "default", "description")], rows)
        else:
            output.line(words("no_params"))

    def default_of(field: Mapping[str, Any]) -> str:
        return orjson.dumps(field["default"]).decode() if "default" in field else ""

    return with_client(args, work)


def type_of(schema: Any) -> str:
    """A JSON Schema's type with its bounds, in a few words.

    >>> type_of({"type": "integer", "minimum": 1, "maximum": 9}), type_of({"enum": ["a", "b"]})
    ('integer 1..9', 'a|b')
    """
    if not isinstance(schema, dict):
        return "any"
    if "enum" in schema:
        return "|".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(type_of(option) for option in schema["anyOf"])
    kind = str(schema.get("type", "any"))
    if kind == "array" and "items" in schema:
        return f"array of {type_of(schema['items'])}"
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return kind
    return f"{kind} {'' if low is None else low}..{'' if high is None else high}"
