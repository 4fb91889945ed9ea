"""`k12ai train|evaluate|predict SERVICE` and `k12ai run SERVICE TASK`: start a job, and follow it."""

import argparse

from .exits import Exit
from .options import add_server, identifier, this_user
from .rules import add_rules, read_rules


def configure(parser: argparse.ArgumentParser, command: str) -> None:
    """The command's options."""
    parser.add_argument("service", metavar="SERVICE", help="the service, as `k12ai services` lists them")
    if command == "run":
        parser.add_argument("task", metavar="TASK", help="the task, as `k12ai services SERVICE` lists them")
    else:
        parser.set_defaults(task=command)
    parser.add_argument(
        "--params", metavar="FILE", help="service_params from a JSON or TOML file (`-`: JSON from stdin)"
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="one parameter over the file's: the value is JSON, or else text; dots in the name nest",
    )
    parser.add_argument("--user", type=identifier, default=this_user(), help="whose job it is (default: %(default)s)")
    parser.add_argument(
        "--uuid",
        type=identifier,
        default="default",
        help="the project it belongs to; evaluate and predict use what train made there (default: %(default)s)",
    )
    add_rules(parser, "read the job's log with this rule too, where the service allows it")
    parser.add_argument("--follow", action="store_true", help="show the job's progress and metrics, to its end")
    add_server(parser)


def examples(command: str) -> str:
    """For `--help`."""
    if command == "train":
        return """\
examples:
  k12ai train k12cv --follow
  k12ai train k12cv --set epochs=5 --set model=softmax --uuid digits-1 --follow
  k12ai train k12nlp --params params.toml --json
  k12ai services k12cv train        which parameters there are"""
    if command == "run":
        return """\
examples:
  k12ai run k12cv train --follow
  k12ai run myservice mytask --set size=3"""
    return f"""\
examples:
  k12ai {command} k12cv --uuid digits-1 --follow
  k12ai {command} k12cv --set split=val --json
  k12ai services k12cv {command}     which parameters there are"""


def run(args: argparse.Namespace) -> int:
    """Starts the job; with `--follow` the exit code says how it ended."""
    from k12ai_ws.client import Client

    from .following import Followed, follow_to_end, say_it_goes_on
    from .output import Output
    from .params import read_params
    from .session import with_client

    params = read_params(args.params, args.set)
    rules = [rule.to_json() for rule in read_rules(args)] or None
    followed = Followed()

    async def work(client: Client, output: Output) -> int:
        answer = await client.start(
            args.service, args.task, user=args.user, service_uuid=args.uuid, params=params, log_rules=rules
        )
        words, job_id = output.words, answer.job_id
        followed.job_id = job_id
        if output.json:
            output.data(answer.data)
        else:
            output.line(words("job_started", job_id=job_id, status=words(str(answer.body["value"]))))
        if args.follow:
            return await follow_to_end(client, output, job_id)
        if not output.json:
            output.line(words("how_to_watch", job_id=job_id))
            output.line(words("how_to_stop", job_id=job_id))
        return Exit.OK

    try:
        return with_client(args, work)
    except KeyboardInterrupt:
        return say_it_goes_on(Output.of(args), followed)
