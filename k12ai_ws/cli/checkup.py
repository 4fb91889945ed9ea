"""`k12ai doctor`: what this machine has and lacks, and what to do about it."""

import argparse

from .data_folder import add_data_dir, settings_of
from .exits import Exit

MARKS = {"ok": ("+", "green"), "warn": ("!", "yellow"), "fail": ("x", "bold red")}


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("--host", metavar="H", help="the address that it would listen on")
    parser.add_argument("--port", type=int, metavar="P", help="the port that it would listen on")
    parser.add_argument("--launcher", choices=("auto", "docker", "process"), help="the launcher that it would take")
    add_data_dir(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai doctor
  k12ai doctor --launcher docker --json"""


def run(args: argparse.Namespace) -> int:
    """Exits with 1 where something that is needed is missing."""
    import os

    from .doctor import diagnose
    from .output import Output

    settings = settings_of(args)
    engine = {} if settings.docker.host is None else {"DOCKER_HOST": settings.docker.host}
    findings = diagnose(
        data_dir=settings.data_dir,
        folders=[settings.datasets_dir, settings.pretrained_dir],
        host=settings.server.host if args.host is None else args.host,
        port=settings.server.port if args.port is None else args.port,
        launcher=args.launcher or settings.jobs.launcher,
        environ=os.environ | engine,
    )
    output = Output.of(args)
    worst = max((f.status for f in findings), key=list(MARKS).index, default="ok")
    code = Exit.FAILED if worst == "fail" else Exit.OK
    if output.json:
        output.data({"ok": worst != "fail", "findings": [finding.to_json() for finding in findings]})
        return code
    for finding in findings:
        mark, style = MARKS[finding.status]
        output.line(f"{mark} {finding.name}: {finding.found}", style)
        if finding.advice:
            output.line(f"    {finding.advice}")
    output.line("")
    output.line(output.words({"ok": "all_well", "warn": "some_warn", "fail": "some_fail"}[worst]), "bold")
    return code
