"""`k12ai jobs`: the server's jobs, or one of them."""

import argparse

from .exits import Exit
from .options import add_server, identifier

STATUSES = ("queued", "starting", "running", "stopping", "finished", "failed", "stopped", "lost")
PAGE = 200
"""Jobs asked for at one time where all are wanted."""


def count(text: str) -> int:
    """An argparse type: how many jobs, 1 to 500."""
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 500:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: give a number from 1 to 500")


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("job_id", metavar="ID", type=identifier, nargs="?", help="show this job")
    parser.add_argument("--user", type=identifier, help="only this user's")
    parser.add_argument("--uuid", type=identifier, help="only this project's")
    parser.add_argument("--service", type=identifier, help="only this service's")
    parser.add_argument("--status", choices=STATUSES, help="only those in this state")
    parser.add_argument("--limit", type=count, default=20, metavar="N", help="at most so many (default: %(default)s)")
    parser.add_argument("--cursor", metavar="CURSOR", help="go on after the page before")
    parser.add_argument("--all", action="store_true", help="all of them, page after page")
    add_server(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai jobs
  k12ai jobs --user ann --status running
  k12ai jobs 3f2a6c --json
  k12ai jobs --all --json | jq -r '.jobs[].job_id'     one object per page"""


def run(args: argparse.Namespace) -> int:
    """Prints jobs, newest first, or one job."""
    from collections.abc import Mapping
    from typing import Any

    from k12ai_ws.client import Client

    from .lines import error_lines, event_lines, number, printable, status_line
    from .output import Output, short_time
    from .session import with_client

    async def one(client: Client, output: Output) -> int:
        job = await client.job(args.job_id)
        if output.json:
            output.data(job)
            return Exit.OK
        words, timings = output.words, job["timings"]
        output.line(
            f"{job['service_name']} {job['task']}  {job['user']}/{job['service_uuid']}  {job['job_id']}", "bold"
        )
        if place := job.get("queue"):  # its reason is of now; the status's message is of when it came
            output.line(status_line({"value": job["status"]["value"]}, words))
            output.line(words("place", **{**place, "reason": printable(place["reason"])}))
        else:
            output.line(status_line(job["status"], words))
        for name in ("created", "started", "ended"):
            if timings.get(f"{name}_datetime"):
                output.line(f"{name}  {short_time(timings[f'{name}_datetime'])} UTC")
        output.line("service_params  " + _compact(job["request"]["service_params"]))
        for kind in ("metrics", "progress"):
            if job.get(kind):
                shown = {k: v for k, v in job[kind].items() if k != "timestamp"}
                output.line(event_lines(kind, shown, words)[0])
        if job.get("error"):
            for line in error_lines(job["error"], words):
                output.line(line, "red")
        return Exit.OK

    async def several(client: Client, output: Output) -> int:
        words, cursor = output.words, args.cursor
        while True:
            page = await client.jobs(
                user=args.user,
                service_uuid=args.uuid,
                service_name=args.service,
                status=args.status,
                limit=PAGE if args.all else args.limit,
                cursor=cursor,
            )
            if output.json:
                output.data({"jobs": page.jobs, "next": page.next})
            elif page.jobs:
                headers = [words(k) for k in ("job", "service", "task", "user", "status", "created", "duration")]
                output.table(headers, [_row(job) for job in page.jobs])
            elif cursor is None:
                output.line(words("no_jobs"))
            cursor = page.next
            if cursor is None:
                return Exit.OK
            if not args.all:
                if not output.json:
                    output.note(words("more_jobs", cursor=cursor))
                return Exit.OK

    def _row(job: Mapping[str, Any]) -> list[object]:
        seconds, place = job["timings"].get("duration_s"), job.get("queue")
        return [
            job["job_id"],
            job["service_name"],
            job["task"],
            f"{job['user']}/{job['service_uuid']}",
            job["status"]["value"] + (f" {place['position']}/{place['waiting']}" if place else ""),
            short_time(job["timings"]["created_datetime"]),
            "" if seconds is None else number(seconds),
        ]

    def _compact(value: object) -> str:
        import orjson

        return orjson.dumps(value).decode()

    return with_client(args, one if args.job_id else several)
