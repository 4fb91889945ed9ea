"""`k12ai demo`: a server, a training and a failing job, from nothing, in a temporary folder that is removed again."""

import argparse

from k12ai_ws.cli.exits import CommandFailed, Exit
from k12ai_ws.cli.options import add_output


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    add_output(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai demo
  k12ai demo --lang zh
  k12ai demo --json        every event as one JSON object
Needs the service k12cv (plugins/k12cv). Nothing is left behind: no server, no files."""


def run(args: argparse.Namespace) -> int:
    """Tells the whole story; 0 where all of it went as it should."""
    import asyncio
    import tempfile
    from pathlib import Path

    from k12ai_ws.cli.output import Output
    from k12ai_ws.cli.session import report
    from k12ai_ws.client import ClientError

    from .server import DemoServer
    from .story import Story

    output = Output.of(args)
    with (
        tempfile.TemporaryDirectory(prefix="k12ai-demo-", ignore_cleanup_errors=True) as folder,
        DemoServer(Path(folder)) as server,
    ):
        try:
            asyncio.run(Story(output, server.address, server.data_dir).tell())
        except CommandFailed as e:
            raise CommandFailed(str(e) + server.last_words()) from e
        except ClientError as e:
            report(e, output)
            raise CommandFailed("the server did not do as it should" + server.last_words()) from e
    return Exit.OK
