"""`k12ai restore`: a backup takes the place of the event log."""

import argparse
from pathlib import Path

from .data_folder import add_data_dir, settings_of
from .exits import CommandFailed, Exit


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("file", metavar="FILE", type=Path, help="what `k12ai backup` wrote")
    add_data_dir(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai restore /srv/backups/k12ai-2026-11-23.sqlite3
No server may use the data folder. What is replaced is kept in it, in a folder of its own. The log gets a new epoch:
subscribers that come back are told so, and start at the earliest event kept."""


def run(args: argparse.Namespace) -> int:
    """Exits with 1 where the backup is broken, or a server uses the data folder; then nothing has changed."""
    import os
    import uuid
    from datetime import datetime

    from k12ai_ws.starting import StartError, take_data_dir
    from k12ai_ws.store.place import DATABASE
    from k12ai_ws.store.sqlite.backup import files_of, restore
    from k12ai_ws.store.store import StoreError

    from .output import Output

    output, settings = Output.of(args), settings_of(args)
    try:
        store = settings.data_dir / DATABASE
        aside = settings.data_dir / f"replaced-{datetime.now():%Y%m%d-%H%M%S}"
        lock = take_data_dir(settings.data_dir)
        try:
            before = files_of(store)
            source = args.file.expanduser().absolute()
            found = restore(store, source, new_epoch=lambda: uuid.uuid4().hex, aside=aside)
        finally:
            os.close(lock)
    except (StartError, StoreError) as e:
        raise CommandFailed(str(e)) from e
    kept = str(aside) if before else None
    if output.json:
        output.data({"file": str(args.file), "kept": kept, **found._asdict()})
        return Exit.OK
    output.line(
        output.words(
            "restored", file=args.file, events=found.events, jobs=found.jobs, head=found.head, epoch=found.epoch
        )
    )
    if kept is not None:
        output.line(output.words("kept_aside", folder=kept))
    return Exit.OK
