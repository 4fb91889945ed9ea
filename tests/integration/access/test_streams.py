"""Event streams: ones own events alone, and an end with the token."""

import asyncio
import time

import pytest

ALL = "status,metrics,progress,log,error,info"
WAIT = "import time; print('secret of bob', flush=True); time.sleep(60)"


@pytest.fixture
async def bobs(school):
    job_id = await school.bob.start(WAIT, user="bob", uuid="p")
    await school.bob.until_printed(job_id, 1)
    return job_id


async def test_a_stranger_gets_none(school, bobs) -> None:
    for path in ("/k12ai/events", f"/k12ai/framework/jobs/{bobs}/events"):
        source = await school.stranger.listen(path)
        assert (source.status, (await source.error())["code"]) == (401, 100105)
        assert source.headers["WWW-Authenticate"]


async def test_anothers_job_is_not_there(school, bobs) -> None:
    for headers in ({}, {"Last_Event_ID": "x:0"}):
        source = await school.ann.listen(f"/k12ai/framework/jobs/{bobs}/events?type={ALL}", **headers)
        assert (source.status, (await source.error())["code"]) == (404, 100205)


@pytest.mark.parametrize("query", ["", "&service_uuid=p", "&service_name=toy", "&job_id=BOBS"])
async def test_a_stream_of_all_is_of_ones_own(school, bobs, query) -> None:
    path = f"/k12ai/events?type={ALL}&after=start{query.replace('BOBS', bobs)}"
    source = await school.ann.listen(path)
    welcome = await source.next()
    replayed = await school.ann.listen(path, Last_Event_ID=f"{welcome.message['info']['epoch']}:0")
    await replayed.next()
    await school.bob.stop(user="bob", uuid="p")
    await school.bob.until(bobs)
    own = await school.ann.start("print(1)", user="ann", uuid="p")
    await school.ann.until(own)
    if "job_id" not in query:
        for one in (source, replayed):
            assert {(await one.next()).message["user"] for _ in range(4)} == {"ann"}
    seen = await school.bob.listen(path)
    await seen.next()
    assert (await seen.next()).message["job_id"] == bobs


async def test_another_users_name_is_refused(school, bobs) -> None:
    source = await school.ann.listen("/k12ai/events?user=bob")
    assert (source.status, (await source.error())["code"]) == (403, 100106)
    assert (await school.admin.listen("/k12ai/events?user=bob")).status == 200


async def test_it_ends_with_the_token_and_says_why(school, keys, bobs) -> None:
    for path in ("/k12ai/events", f"/k12ai/framework/jobs/{bobs}/events?after=start"):
        token = keys.token("bob", "--expires", "3s")
        source = await until_listening(school.stranger, path, Authorization=f"Bearer {token}")
        told = await source.rest()
        assert told[-1].message["error"]["code"] == 100105
    ann = await school.ann.listen("/k12ai/events")
    keys.revoke(school.tokens["ann"])
    assert [t.message["type"] for t in await ann.rest()] == ["info", "error"]


async def until_listening(client, path, **headers):
    """A new token is heeded within a second."""
    deadline = time.monotonic() + 30
    while (source := await client.listen(path, **headers)).status != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    return source


async def test_a_page_reads_one_by_its_cookie_and_no_other_page_does(school, bobs) -> None:
    login = await school.stranger.post("/k12ai/session", {"token": school.tokens["bob"]})
    cookie = login.headers["Set-Cookie"].partition(";")[0]
    assert (await school.stranger.listen("/k12ai/events", Cookie=cookie, Sec_Fetch_Site="same-origin")).status == 200
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "http://evil.example"}):
        assert (await school.stranger.listen("/k12ai/events", Cookie=cookie, **headers)).status == 403
