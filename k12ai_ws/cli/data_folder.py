"""What the commands share that work on a server's data folder, whether a server runs or not."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .exits import CommandFailed
from .options import add_output

if TYPE_CHECKING:
    from k12ai_ws.settings import Settings


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """`--config`, `--data-dir`, and the output options."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the settings that the server takes")
    parser.add_argument("--data-dir", type=Path, metavar="D", help="the server's data folder")
    add_output(parser)


def settings_of(args: argparse.Namespace) -> "Settings":
    """The server's settings. Raises CommandFailed."""
    from k12ai_ws.settings import SettingsError, load_settings

    try:
        return load_settings(args.config, {} if args.data_dir is None else {"data_dir": args.data_dir})
    except SettingsError as e:
        raise CommandFailed(str(e)) from e
