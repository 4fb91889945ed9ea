"""`k12ai stop`: ask a job to end."""

import argparse

from .exits import CommandFailed, Exit, UsageError
from .options import add_server, identifier

ACTIVE = frozenset({"queued", "starting", "running", "stopping"})


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("job_id", metavar="ID", type=identifier, nargs="?", help="the job")
    parser.add_argument("--user", type=identifier, help="instead of ID, with --uuid: the active job of this user")
    parser.add_argument("--uuid", type=identifier, help="instead of ID, with --user: the active job of this project")
    parser.add_argument("--wait", action="store_true", help="wait until it has ended")
    add_server(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai stop 3f2a6c
  k12ai stop --user ann --uuid digits-1 --wait
The job is asked to end, and killed if it has not done so after the grace period (jobs.grace_s)."""


def run(args: argparse.Namespace) -> int:
    """Exits with 0 where the stop was taken, 1 where the job had ended already."""
    from k12ai_ws.client import Client

    from .output import Output
    from .session import lost_note, with_client

    if (args.job_id is None) == (args.user is None) or (args.user is None) != (args.uuid is None):
        raise UsageError("give the job's ID, or --user and --uuid")

    async def work(client: Client, output: Output) -> int:
        job_id = args.job_id
        if job_id is None:
            page = await client.jobs(user=args.user, service_uuid=args.uuid, limit=1)
            if not page.jobs or page.jobs[0]["status"]["value"] not in ACTIVE:
                raise CommandFailed(output.words("nothing_active", user=args.user, uuid=args.uuid))
            job_id = str(page.jobs[0]["job_id"])
        answer = await client.stop_job(job_id)
        if args.wait:
            async for message in client.follow_job(job_id, types=("status",), on_lost=lost_note(output)):
                answer = message
        if output.json:
            output.data(answer.data)
        else:
            status = output.words(str(answer.body["value"]))
            output.line(output.words("stop_asked", job_id=job_id, status=status))
        return Exit.OK

    return with_client(args, work)
