"""`k12ai backup`: a copy of the event log, also beside the server that writes it."""

import argparse
from pathlib import Path

from .data_folder import add_data_dir, settings_of
from .exits import CommandFailed, Exit


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("file", metavar="FILE", type=Path, help="what to write; it appears whole or not at all")
    parser.add_argument("--force", action="store_true", help="replace FILE where it is there already")
    add_data_dir(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai backup /srv/backups/k12ai-$(date +%F).sqlite3
  k12ai backup --config /etc/k12ai/k12ai.toml --force /srv/backups/k12ai.sqlite3
It holds jobs, events and log positions; the files of jobs (workspaces, raw logs) are not in it. The server may run."""


def run(args: argparse.Namespace) -> int:
    """Exits with 1 where nothing could be written, or the log is broken."""
    from k12ai_ws.store.place import DATABASE
    from k12ai_ws.store.sqlite.backup import back_up
    from k12ai_ws.store.store import StoreError

    from .output import Output

    output, settings = Output.of(args), settings_of(args)
    try:
        target = args.file.expanduser().absolute()
        _refuse_inside(settings.data_dir, target)
        found = back_up(settings.data_dir / DATABASE, target, force=args.force)
    except (StoreError, OSError) as e:
        raise CommandFailed(str(e)) from e
    if output.json:
        output.data({"file": str(args.file), **found._asdict()})
    else:
        output.line(output.words("backed_up", file=args.file, events=found.events, jobs=found.jobs, head=found.head))
    return Exit.OK


def _refuse_inside(data_dir: Path, target: Path) -> None:
    """Every name in there is the server's, or may become it; and whatever harms the log there would harm its copy too.
    Raises CommandFailed, OSError.
    """
    parent = target.parent.resolve()
    if any(folder.exists() and data_dir.exists() and folder.samefile(data_dir) for folder in (parent, *parent.parents)):
        raise CommandFailed(f"{target} is in the server's data folder {data_dir}: keep backups outside it")
