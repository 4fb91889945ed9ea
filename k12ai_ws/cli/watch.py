"""`k12ai watch`: events as they come."""

import argparse
from typing import Literal

from .exits import Exit
from .options import add_server, event_types, identifier


def position(text: str) -> int | Literal["start", "now"]:
    """An argparse type: a seq, `start` or `now`."""
    if text == "start":
        return "start"
    if text == "now":
        return "now"
    if text.isascii() and text.isdigit() and len(text) <= 19:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: give a seq (a whole number), `start` or `now`")


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument(
        "--job", metavar="ID", type=identifier, help="one job, to its end; the exit code says how it ended"
    )
    parser.add_argument("--user", type=identifier, help="this user's jobs")
    parser.add_argument("--uuid", type=identifier, help="jobs of this project")
    parser.add_argument("--service", type=identifier, help="jobs of this service")
    parser.add_argument(
        "--type",
        type=event_types,
        action="extend",
        metavar="TYPE[,TYPE]",
        help="only these: status, metrics, progress, log, error, info (log lines come only where named)",
    )
    parser.add_argument(
        "--after",
        type=position,
        metavar="SEQ|start|now",
        help="strictly after this seq, all from the start, or only new ones (default: now; with --job: start)",
    )
    parser.add_argument("--epoch", metavar="ID", help="the log that SEQ belongs to (`epoch` beside it)")
    add_server(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai watch
  k12ai watch --job 3f2a6c --type log
  k12ai watch --user ann --type metrics,status --after start --json
A lost connection or a restarted server is waited for, and nothing is missed in between."""


def run(args: argparse.Namespace) -> int:
    """Shows events until Ctrl-C; of one job until its end."""
    from contextlib import aclosing

    from k12ai_ws.client import Client
    from k12ai_ws.wire.filter import EventFilter

    from .following import Followed, follow_to_end, say_it_goes_on
    from .lines import event_lines
    from .output import Output, short_time
    from .session import lost_note, with_client

    types = None if args.type is None else frozenset(args.type)
    followed = Followed()

    async def one(client: Client, output: Output) -> int:
        followed.job_id = args.job
        return await follow_to_end(
            client, output, args.job, after="start" if args.after is None else args.after, epoch=args.epoch, types=types
        )

    async def many(client: Client, output: Output) -> int:
        wanted = EventFilter(user=args.user, service_uuid=args.uuid, service_name=args.service, types=types)
        after: int | Literal["start", "now"] = "now" if args.after is None else args.after
        events = client.follow(wanted, after=after, epoch=args.epoch, on_lost=lost_note(output))
        async with aclosing(events):
            async for message in events:
                if output.json:
                    output.data(message.data)
                    continue
                when, whose = short_time(str(message.data["datetime"])), f"{message.user}/{message.service_uuid}"
                for line in event_lines(message.type, message.body, output.words):
                    output.line(f"{when}  {whose}  {line}")
        return Exit.OK

    try:
        return with_client(args, one if args.job else many)
    except KeyboardInterrupt:
        return say_it_goes_on(Output.of(args), followed)
