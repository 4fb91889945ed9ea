"""Runs a command's work with a client, and turns what goes wrong into exit codes."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from k12ai_ws.client import (
    AddressError,
    Client,
    ClientError,
    JobOver,
    Lost,
    NotAllowed,
    ProtocolError,
    Refused,
    TokenError,
    Unreachable,
)
from k12ai_ws.client.channel import ChannelClosed
from k12ai_ws.client.reconnect import FORBIDDEN
from k12ai_ws.wire.codes import Code

from .exits import CommandFailed, Exit, UsageError
from .lines import event_lines, printable
from .options import default_token_file, language, server_address, token
from .output import Output

NOT_AUTHENTICATED = int(Code.NOT_AUTHENTICATED)

Work = Callable[[Client, Output], Awaitable[int]]


def with_client(args: argparse.Namespace, work: Work) -> int:
    """Does the work with a client of the server that the options name; its exit code."""
    output = Output.of(args)
    try:
        client = Client(server_address(args), language=language(args), token=token(args))
    except (AddressError, TokenError) as e:
        raise UsageError(str(e)) from e

    async def run() -> int:
        async with client:
            return await work(client, output)

    try:
        return asyncio.run(run())
    except ClientError as e:
        return report(e, output)


def report(error: ClientError, output: Output) -> int:
    """Says what went wrong, and the exit code for it."""
    if isinstance(error, Refused):
        if output.json:
            output.data(error.envelope.data)
        for line in event_lines("error", error.envelope.body, output.words):
            print(line, file=sys.stderr)
        if isinstance(error, NotAllowed) and error.code == NOT_AUTHENTICATED:
            print(output.words("want_token", file=default_token_file()), file=sys.stderr)
        return Exit.REFUSED
    if isinstance(error, ChannelClosed) and error.code in FORBIDDEN:
        print(f"{error}\n{output.words('want_token', file=default_token_file())}", file=sys.stderr)
        return Exit.REFUSED
    if isinstance(error, Unreachable):
        print(f"{error}\nStart one with `k12ai serve`, or say where it is with --server URL", file=sys.stderr)
        return Exit.UNREACHABLE
    if isinstance(error, JobOver):
        raise CommandFailed(str(error))
    print(str(error), file=sys.stderr)
    return Exit.UNREACHABLE if isinstance(error, ProtocolError) else Exit.FAILED


def lost_note(output: Output) -> Callable[[Lost], None]:
    """Tells the person that the connection was lost, and when it is tried again."""

    def tell(lost: Lost) -> None:
        output.note(output.words("connection_lost", why=printable(lost.why), delay=lost.delay_s))

    return tell
