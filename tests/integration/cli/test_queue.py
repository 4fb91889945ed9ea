"""What the command shows of a job that waits."""

from typing import Any

from .conftest import K12ai

ENDLESS = "import time\ntime.sleep(600)"
WHY = "2 of 2 jobs of this user are running (jobs.max_running_per_user)"


async def test_jobs_show_their_place_and_why_they_wait(here: K12ai, client: Any) -> None:
    for name in ("a", "b"):
        await client.start(ENDLESS, name)
    waiting = [await client.start(ENDLESS, name) for name in ("c", "d")]
    listed = (await here("jobs")).out
    assert [line.split()[4:6] for line in listed.splitlines()[1:3]] == [["queued", "2/2"], ["queued", "1/2"]]
    shown = await here("jobs", waiting[1])
    assert "status  queued" in shown.out.splitlines()
    assert f"queue  2 of 2: {WHY}" in shown.out.splitlines()
    data = await here("jobs", waiting[0], "--json")
    assert data.lines[0]["queue"] == {"position": 1, "waiting": 2, "reason": WHY}


async def test_following_a_job_says_why_it_waits(here: K12ai, client: Any) -> None:
    for name in ("a", "b"):
        await client.start(ENDLESS, name)
    running = await here.begin("train", "toy", "--user", "u", "--uuid", "c", "--follow")
    assert await running.until("queued:") == f"status  queued: {WHY}\n"
    await client.stop("a")
    assert (await running.end()).code == 0
