"""Follows one job on the screen, to its end."""

from collections.abc import Collection
from contextlib import aclosing
from typing import Literal

from k12ai_ws.client import Client

from .exits import Exit
from .output import Output
from .session import lost_note
from .view import View, make_view


class Followed:
    """What is known of the job that is being followed, for whoever has to say goodbye to it."""

    def __init__(self) -> None:
        self.job_id: str | None = None


async def follow_to_end(
    client: Client,
    output: Output,
    job_id: str,
    *,
    after: int | Literal["start", "now"] = "start",
    epoch: str | None = None,
    types: Collection[str] | None = None,
    view: View | None = None,
) -> int:
    """Shows the job's events; 0 where it finished, 1 where it ended otherwise. Raises ClientError."""
    view = view or make_view(output)
    ended: object = None
    events = client.follow_job(job_id, types=types, after=after, epoch=epoch, on_lost=lost_note(output))
    with view.open():
        async with aclosing(events):
            async for message in events:
                view.show(message)
                if message.ends_job:
                    ended = message.body["value"]
    if ended is None:  # its last event came before `after`
        ended = (await client.job(job_id))["status"]["value"]
    return Exit.OK if ended == "finished" else Exit.FAILED


def say_it_goes_on(output: Output, followed: Followed) -> int:
    """After Ctrl-C: the job is not touched by it."""
    if followed.job_id is not None:
        output.note("\n" + output.words("job_goes_on", job_id=followed.job_id))
    return Exit.INTERRUPTED
