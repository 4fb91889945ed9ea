"""A page's session: its cookie, its end, and that no other page can use it."""

import asyncio
import json
from http.cookies import SimpleCookie

import pytest

SESSION, JOBS, TRAIN = "/k12ai/session", "/k12ai/framework/jobs", "/k12ai/framework/train"
OWN = {"X_K12AI_Request": "1"}


@pytest.fixture
def origin(school):
    return school.stranger.address


async def login(client, **body):
    reply = await client.post(SESSION, body)
    assert reply.status == 200, reply.message
    return reply, SimpleCookie(reply.headers["Set-Cookie"])


async def cookie_of(client, **body):
    _, cookie = await login(client, **body)
    return f"k12ai_session={cookie['k12ai_session'].value}"


async def test_the_cookie(school) -> None:
    reply, cookie = await login(school.stranger, token=school.tokens["ann"])
    morsel = cookie["k12ai_session"]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["secure"]) == (True, "Strict", "/", "")
    assert morsel["expires"]
    assert "domain" not in reply.headers["Set-Cookie"].lower()
    assert (reply.body["session"]["user"], reply.body["session"]["admin"]) == ("ann", False)
    assert morsel.value.partition(".")[2] not in json.dumps(reply.message)
    assert school.tokens["ann"] not in str(reply.headers) + json.dumps(reply.message)


async def test_it_lets_in_as_the_token_does_and_no_further(school) -> None:
    cookie = await cookie_of(school.stranger, token=school.tokens["ann"])
    reply = await school.stranger.get(SESSION, Cookie=cookie)
    assert (reply.body["session"]["by"], reply.body["session"]["user"]) == ("session", "ann")
    assert (await school.stranger.get(f"{JOBS}?user=bob", Cookie=cookie)).status == 403


async def test_it_wants_the_own_origin_and_a_header_where_it_may_change_something(school, origin, known) -> None:
    cookie = await cookie_of(school.stranger, token=school.tokens["ann"])
    page = known(school.stranger, None, Cookie=cookie)
    order = page.order("train.start", user="ann", script="print(1)")
    evil = "http://evil.example"
    for headers in (
        {},
        OWN,
        {"Origin": origin},
        {"Origin": evil},
        OWN | {"Origin": evil},
        OWN | {"Origin": "null"},
        OWN | {"Origin": origin, "Sec_Fetch_Site": "same-site"},
        OWN | {"Sec_Fetch_Site": "cross-site"},
        {"Origin": origin, "X_K12AI_Request": ""},
    ):
        reply = await page.post(TRAIN, order, **headers)
        assert (reply.status, reply.message["error"]["code"]) == (403, 100106), headers
        assert (await page.request("DELETE", SESSION, **headers)).status == 403, headers
    assert (await page.get(JOBS)).body["jobs"] == [], "nothing was started"
    assert (await page.post(TRAIN, order, **OWN, Origin=origin)).status == 202
    assert (await page.post(TRAIN, order | {"service_uuid": "b"}, **OWN, Sec_Fetch_Site="same-origin")).status == 202


async def test_another_page_reads_nothing_with_it(school, origin, known) -> None:
    page = known(school.stranger, None, Cookie=await cookie_of(school.stranger, token=school.tokens["ann"]))
    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        assert (await page.get(JOBS, **headers)).status == 403
    assert (await page.get(JOBS, Sec_Fetch_Site="same-origin")).status == 200


async def test_a_websocket_by_cookie_is_the_own_pages(school, origin, known) -> None:
    page = known(school.stranger, None, Cookie=await cookie_of(school.stranger, token=school.tokens["ann"]))
    for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        status, _, writer = await page.handshake(**headers)
        assert status == 403
        writer.close()
    channel = await page.channel(Origin=origin)
    assert (await channel.subscribe("s", user="bob"))["error"]["code"] == 100106
    assert (await channel.subscribe("s", user="ann"))["type"] == "info"


async def test_its_end_ends_what_is_open(school, origin, known) -> None:
    cookie = await cookie_of(school.stranger, token=school.tokens["ann"])
    page = known(school.stranger, None, Cookie=cookie)
    channel = await page.channel(Origin=origin)
    reply = await page.request("DELETE", SESSION, **OWN, Origin=origin)
    assert reply.status == 200
    assert "k12ai_session=" in reply.headers["Set-Cookie"]
    assert await channel.close_code() == 4401
    assert (await page.get(SESSION)).status == 401


@pytest.mark.parametrize("header", [OWN, {}], ids=["with the header", "as documented"])
async def test_the_pages_next_login_ends_it(school, origin, known, header) -> None:
    first = await cookie_of(school.stranger, token=school.tokens["ann"])
    page = known(school.stranger, None, Cookie=first, Origin=origin)
    second = SimpleCookie((await page.post(SESSION, {"token": school.tokens["bob"]}, **header)).headers["Set-Cookie"])
    assert (await school.stranger.get(SESSION, Cookie=first)).status == 401
    reply = await school.stranger.get(SESSION, Cookie=f"k12ai_session={second['k12ai_session'].value}")
    assert reply.body["session"]["user"] == "bob"


async def test_it_ends_with_its_token(school, keys, origin, known) -> None:
    page = known(school.stranger, None, Cookie=await cookie_of(school.stranger, token=school.tokens["ann"]))
    channel = await page.channel(Origin=origin)
    keys.revoke(school.tokens["ann"])
    assert await channel.close_code() == 4401
    assert (await page.get(SESSION)).status == 401


async def test_it_expires(serve, keys, known) -> None:
    token = keys.token("ann")
    client = await serve({"access": {"session_s": 2.0}})
    page = known(client, None, Cookie=await cookie_of(client, token=token))
    channel = await page.channel(Origin=client.address)
    assert await channel.close_code() == 4401
    assert (await page.get(SESSION)).status == 401


async def test_it_survives_a_restart_of_the_server(serve, keys, known) -> None:
    token = keys.token("ann")
    first = await serve()
    cookie = await cookie_of(first, token=token)
    await first.server.close()
    first.server.closed_by_test = True
    second = await serve()
    assert (await second.get(SESSION, Cookie=cookie)).status == 200


async def test_the_oldest_sessions_make_room(serve, keys) -> None:
    token = keys.token("ann")
    admins = keys.token()
    client = await serve({"access": {"max_sessions": 8}})
    cookies = [await cookie_of(client, token=admins)]
    for _ in range(3):
        await asyncio.sleep(0.002)  # created in another millisecond
        cookies.append(await cookie_of(client, token=token))
    assert [(await client.get(SESSION, Cookie=c)).status for c in cookies] == [200, 401, 200, 200], "only one's own"


@pytest.mark.parametrize("cookie", ["x", "aaaaaaaaaaaa." + "A" * 43, "a.b.c", '"', "aaaaaaaaaaaa." + "%" * 43, ""])
async def test_a_forged_cookie_is_nothing(school, cookie) -> None:
    assert (await school.stranger.get(SESSION, Cookie=f"k12ai_session={cookie}")).status == 401


async def test_a_token_goes_before_a_cookie(school) -> None:
    cookie = await cookie_of(school.stranger, token=school.tokens["ann"])
    reply = await school.bob.get(SESSION, Cookie=cookie)
    assert reply.body["session"]["user"] == "bob"
    order = school.bob.order("train.start", user="bob", script="print(1)")
    assert (await school.bob.post(TRAIN, order, Cookie=cookie)).status == 202, "no page: nothing to prove"


async def test_what_is_no_login(school) -> None:
    for body, status in (
        ({}, 400),
        ({"token": school.tokens["ann"], "username": "ann", "password": "x"}, 400),
        ({"token": "nonsense"}, 401),
        ({"token": 5}, 400),
        ({"username": "ann"}, 400),
        ({"username": "ann", "password": "anything at all"}, 401),
        ({"token": school.tokens["ann"], "more": 1}, 400),
    ):
        reply = await school.stranger.post(SESSION, body)
        assert reply.status == status, body
        assert "Set-Cookie" not in reply.headers
        assert school.tokens["ann"] not in json.dumps(reply.message)


async def test_a_stranger_sends_no_large_body(school) -> None:
    reply = await school.stranger.post(SESSION, {"token": "x" * 20_000})
    assert (reply.status, reply.message["error"]["code"]) == (413, 100011)
    assert "16384 are allowed" in reply.message["error"]["message"]


async def test_no_other_page_logs_anybody_in(school) -> None:
    """Else it could have somebody work in a session of the attacker's."""
    reply = await school.stranger.post(SESSION, {"token": school.tokens["ann"]}, Origin="http://evil.example")
    assert reply.status == 403
    assert "Set-Cookie" not in reply.headers


async def test_there_is_nothing_to_end_without_one(school) -> None:
    assert (await school.ann.request("DELETE", SESSION)).status == 404
