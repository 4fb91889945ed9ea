"""`k12ai doctor`: what this machine has and lacks, and what to do about it."""

import argparse
from pathlib import Path

from .exits import CommandFailed, Exit
from .options import add_output

MARKS = {"ok": ("+", "green"), "warn": ("!", "yellow"), "fail": ("x", "bold red")}


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the settings that the server would take")
    parser.add_argument("--data-dir", type=Path, metavar="D", help="the data folder that the server would take")
    parser.add_argument("--host", metavar="H", help="the address that it would listen on")
    parser.add_argument("--port", type=int, metavar="P", help="the port that it would listen on")
    parser.add_argument("--launcher", choices=("auto", "docker", "process"), help="the launcher that it would take")
    add_output(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai doctor
  k12ai doctor --launcher docker --json"""


def run(args: argparse.Namespace) -> int:
    """Exits with 1 where something that is needed is missing."""
    import os

    from k12ai_ws.settings import SettingsError, load_settings

    from .doctor import diagnose
    from .output import Output

    try:
        settings = load_settings(args.config, {} if args.data_dir is None else {"data_dir": args.data_dir})
    except SettingsError as e:
        raise CommandFailed(str(e)) from e
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
