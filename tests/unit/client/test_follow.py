"""Following: nothing lost, nothing twice, over lost connections and changed logs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from k12ai_ws.client import Backoff, Client, Lost, Message, NotFound, Refused, Unreachable
from k12ai_ws.client.channel import ChannelClosed
from k12ai_ws.wire.bodies import Fault, Info
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.filter import EventFilter

from .conftest import FINISHED, JOB, Script, ack, bookmark, event, pruned, say

EVENTS = f"/k12ai/framework/jobs/{JOB}/events"


@pytest.fixture
async def client(script: Script) -> AsyncIterator[Client]:
    async with Client(script.address, backoff=Backoff(0.001, 0.002, random=lambda: 0.0)) as client:
        yield client


def running(script: Script, status: str = "running") -> None:
    script.answer(f"/k12ai/framework/jobs/{JOB}", Info({"job": {"status": {"value": status}}}), op="job")


async def take(
    client: Client,
    count: int,
    *,
    wanted: EventFilter | None = None,
    after: int | str = "start",
    on_lost: Callable[[Lost], None] | None = None,
) -> list[Message]:
    got = []
    async with asyncio.timeout(5), aclosing(client.follow(wanted, after=after, on_lost=on_lost)) as events:  # type: ignore[arg-type]
        async for message in events:
            got.append(message)
            if len(got) == count:
                break
    return got


async def whole_job(client: Client, **how: object) -> list[Message]:
    async with asyncio.timeout(5):
        return [message async for message in client.follow_job(JOB, **how)]  # type: ignore[arg-type]


def seqs(messages: list[Message]) -> list[int | None]:
    return [message.seq for message in messages]


async def test_it_asks_for_what_was_wanted(script: Script, client: Client) -> None:
    script.sessions = [[ack(head=4), event(5)]]
    wanted = EventFilter(
        user="ann", service_name="k12cv", types=frozenset({"status", "error"}), tags=frozenset({"framework"})
    )
    await take(client, 1, wanted=wanted, after=4)
    asked = script.asked[0]
    assert asked["filter"] == {
        "user": "ann", "service_name": "k12cv", "type": ["error", "status"], "tag": ["framework"],
    }  # fmt: skip
    assert asked["after"] == 4
    assert "epoch" not in asked


@pytest.mark.parametrize("end", [None, 1001, 1013, 4408])
async def test_after_a_lost_connection_it_goes_on_where_it_was(script: Script, client: Client, end: int | None) -> None:
    script.sessions = [[ack(), event(1), event(3), end], [ack(), event(4)]]
    lost: list[Lost] = []
    assert seqs(await take(client, 3, on_lost=lost.append)) == [1, 3, 4]
    assert [a["after"] for a in script.asked] == ["start", 3]
    assert script.asked[1]["epoch"] == "e1"
    assert [(x.attempt, x.delay_s) for x in lost] == [(1, 0.0005)]


async def test_what_came_before_the_first_event_is_not_lost_with_the_connection(script: Script, client: Client) -> None:
    """The place of `now` is that of the first acknowledgement, not of the second."""
    script.sessions = [[ack(head=7), None], [ack(head=9), event(8), event(9)]]
    assert seqs(await take(client, 2, after="now")) == [8, 9]
    assert [a["after"] for a in script.asked] == ["now", 7]


async def test_a_bookmark_moves_the_resume_token(script: Script, client: Client) -> None:
    script.sessions = [[ack(), event(1), bookmark("e1", 50), None], [ack(), event(51)]]
    assert seqs(await take(client, 2)) == [1, 51]
    assert script.asked[1]["after"] == 50


async def test_what_is_served_twice_is_given_once(script: Script, client: Client) -> None:
    script.sessions = [[ack(), event(1), event(2), None], [ack(), event(2), event(3)]]
    assert seqs(await take(client, 3)) == [1, 2, 3]


async def test_a_changed_log_is_told_and_followed_from_its_beginning(script: Script, client: Client) -> None:
    script.sessions = [[ack("e1"), event(9), None], [pruned("e2", 3, 5), event(3), None], [ack("e2"), event(4)]]
    got = await take(client, 4)
    assert [m.body.get("code") if m.type == "error" else m.seq for m in got] == [9, 100107, 3, 4]
    assert [(a.get("epoch"), a["after"]) for a in script.asked] == [(None, "start"), ("e1", 9), ("e2", 3)]


async def test_an_answer_with_a_seq_moves_no_resume_token(script: Script, client: Client) -> None:
    """The answer to a start is the stored event; the subscription still owes what comes before it."""
    answer = say(Info({}), job_id=JOB, seq=9, id="7")
    script.sessions = [[ack(), event(1), answer, None], [ack(), event(2), event(9)]]
    assert seqs(await take(client, 3)) == [1, 2, 9]
    assert [a["after"] for a in script.asked] == ["start", 1]


async def test_pushed_statistics_are_given_too(script: Script, client: Client) -> None:
    pushed = say(Info({"cpu_percent": 4.0}), tag="platform", op="stats", id="x")
    script.sessions = [[ack(), pushed, event(1)]]
    got = await take(client, 2)
    assert [m.tag for m in got] == ["platform", "framework"]


async def test_delays_grow_and_start_anew_after_progress(script: Script, client: Client) -> None:
    script.sessions = [[None], [None], [None], [ack(), event(1), None], [ack(), event(2)]]
    lost: list[Lost] = []
    await take(client, 2, on_lost=lost.append)
    assert [(x.attempt, x.delay_s) for x in lost] == [(1, 0.0005), (2, 0.001), (3, 0.001), (1, 0.0005)]


async def test_it_gives_up_where_it_was_told_to(script: Script) -> None:
    script.sessions = [[None], [None], [None]]
    client = Client(script.address, backoff=Backoff(0.001, 0.001, give_up_after=2))
    with pytest.raises(ChannelClosed):
        await take(client, 1)
    assert len(script.asked) == 3


async def test_a_refused_subscription_is_raised(script: Script, client: Client) -> None:
    script.sessions = [[say(Fault(Code.VALUE_INVALID, "no"), tag="channel", op="subscribe", id="follow")]]
    with pytest.raises(Refused, match="no"):
        await take(client, 1)


@pytest.mark.parametrize("code", [4401, 4403])
async def test_a_door_that_stays_shut_is_not_knocked_at_again(script: Script, client: Client, code: int) -> None:
    script.sessions = [[code]]
    with pytest.raises(ChannelClosed):
        await take(client, 1)
    assert len(script.asked) == 1


async def test_a_server_that_was_never_there_is_reported_at_once() -> None:
    with pytest.raises(Unreachable, match="nothing listens there"):
        await take(Client("http://127.0.0.1:9"), 1)


async def test_leaving_early_says_goodbye(script: Script, client: Client) -> None:
    script.sessions = [[ack(), event(1)]]
    await take(client, 1)
    async with asyncio.timeout(5):
        await script.closed.wait()


class TestJob:
    async def test_it_ends_with_the_last_event(self, script: Script, client: Client) -> None:
        running(script)
        script.sessions = [[ack(), event(1), event(2, FINISHED), event(3)]]
        assert seqs(await whole_job(client)) == [1, 2]

    async def test_the_end_is_seen_where_statuses_are_not_wanted(self, script: Script, client: Client) -> None:
        running(script)
        error = Fault(Code.VALUE_ERROR)
        script.sessions = [[ack(), event(1), event(2, error), event(3, FINISHED)]]
        assert seqs(await whole_job(client, types=["error"])) == [2]
        assert script.asked[0]["filter"]["type"] == ["error", "status"]

    async def test_a_job_whose_end_lies_behind_is_not_waited_for(self, script: Script, client: Client) -> None:
        running(script, "finished")
        script.answer(EVENTS, Info({"events": [], "next": None, "epoch": "e1", "head": 9}), op="events")
        script.sessions = [[ack(head=9)]]
        assert await whole_job(client, after="now") == []
        assert f"{EVENTS}?after=9&type=status&epoch=e1&limit=1" in script.requests[-1][1]

    async def test_a_job_that_has_ended_is_replayed(self, script: Script, client: Client) -> None:
        running(script, "finished")
        script.answer(EVENTS, Info({"events": [{}], "next": None, "epoch": "e1", "head": 9}), op="events")
        script.sessions = [[ack(head=9), event(8), event(9, FINISHED)]]
        assert seqs(await whole_job(client)) == [8, 9]

    async def test_an_unknown_job_is_an_error(self, script: Script, client: Client) -> None:
        script.answer(f"/k12ai/framework/jobs/{JOB}", Fault(Code.NOT_FOUND, "no such job"), 404, op="job")
        script.sessions = [[ack()]]
        with pytest.raises(NotFound, match="no such job"):
            await whole_job(client)


async def test_statistics_go_on_over_a_lost_connection(script: Script, client: Client) -> None:
    stats = say(Info({"cpu_percent": 4.0}), tag="platform", op="stats", id="stats")
    script.sessions = [[stats, None], [stats]]
    async with asyncio.timeout(5), aclosing(client.stats_stream(2.0, {"cpus": True})) as stream:
        assert (await anext(stream)).body == (await anext(stream)).body == {"cpu_percent": 4.0}
    assert (
        script.asked == [{"tag": "platform", "op": "stats", "id": "stats", "every": 2.0, "query": {"cpus": True}}] * 2
    )
