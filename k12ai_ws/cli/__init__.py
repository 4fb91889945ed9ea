"""The `k12ai` command. Each command is a module of its own; `commands` lists them."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from .commands import COMMANDS
from .exits import EXITS_HELP, CommandFailed, Exit, UsageError

BROKEN_PIPE = 141
"""What a shell shows for a program that SIGPIPE ended."""

DESCRIPTION = "Start machine-learning jobs, and watch what they do. `k12ai demo` shows it all in a minute."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code (see `exits.Exit`)."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser, module = _parser(given)
    args = parser.parse_args(given)  # exits with 2 where the command line is wrong
    if module is None:
        parser.print_help()
        return Exit.USAGE
    try:
        code = int(module.run(args))
        sys.stdout.flush()
    except UsageError as e:
        print(f"k12ai {args.command}: {e}", file=sys.stderr)
        return Exit.USAGE
    except CommandFailed as e:
        print(f"k12ai {args.command}: {e}", file=sys.stderr)
        return Exit.FAILED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone. Without this, Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _parser(given: Sequence[str]) -> tuple[argparse.ArgumentParser, ModuleType | None]:
    """The parser, filled in for the command that is called, and that command's module."""
    parser = argparse.ArgumentParser(
        "k12ai",
        description=DESCRIPTION,
        epilog=f"k12ai COMMAND --help explains a command, with examples.\n\n{EXITS_HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=Version, nargs=0, help="show the version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    called = next((word for word in given if not word.startswith("-")), None)
    module = None
    for command in COMMANDS:
        sub = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if command.name == called:
            module = importlib.import_module(f"k12ai_ws.cli.{command.module}")
            module.configure(sub, command.name)
            sub.epilog = f"{module.examples(command.name)}\n\n{EXITS_HELP}"
    return parser, module


class Version(argparse.Action):
    """`--version`; the version is looked up only here, because that takes a while."""

    def __call__(self, parser: argparse.ArgumentParser, *args: object, **kwargs: object) -> None:
        """See `argparse.Action`."""
        from importlib.metadata import version

        print(f"k12ai {version('k12ai_ws')}")
        parser.exit()
