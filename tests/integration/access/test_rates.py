"""How often somebody may ask, and how often somebody may be wrong."""

import asyncio

JOBS, SESSION, STATS = "/k12ai/framework/jobs", "/k12ai/session", "/k12ai/platform/stats"
SLOW = {"requests_per_s": 0.01, "request_burst": 5}


def too_many(reply):
    assert (reply.status, reply.message["error"]["code"]) == (429, 100108), reply.message
    assert int(reply.headers["Retry-After"]) >= 1


async def test_a_tokens_requests_are_counted_and_others_go_on(serve, keys, known) -> None:
    tokens = keys.token("ann"), keys.token("bob")
    client = await serve({"access": SLOW})
    ann, bob = (known(client, token) for token in tokens)
    assert [(await ann.get(JOBS)).status for _ in range(5)] == [200] * 5
    too_many(await ann.get(JOBS))
    assert (await bob.get(JOBS)).status == 200


async def test_frames_count_as_requests(serve, keys, known) -> None:
    token = keys.token("ann")
    client = known(await serve({"access": SLOW}), token)
    channel = await client.channel()
    for number in range(4):
        assert (await channel.ping(str(number)))["type"] == "info"
    channel.send({"tag": "channel", "op": "ping", "id": "5"})
    answer = await channel.next()
    assert answer["error"]["code"] == 100108
    assert answer["error"]["detail"]["retry_after_s"] >= 1


async def test_an_addresses_requests_are_counted(serve, keys, known) -> None:
    client = await serve({"access": {"mode": "required", "address_requests_per_s": 0.01, "address_request_burst": 3}})
    assert [(await client.get(JOBS)).status for _ in range(4)] == [401, 401, 401, 429]


async def test_who_needs_no_token_is_not_counted(serve) -> None:
    client = await serve({"access": SLOW | {"address_requests_per_s": 0.01, "address_request_burst": 1}})
    assert {(await client.get(JOBS)).status for _ in range(20)} == {200}


async def test_wrong_tokens_are_counted_and_right_ones_come_in_all_the_same(school, keys) -> None:
    wrong = "Bearer k12ai_aaaaaaaaaaaa_" + "A" * 43
    statuses = [(await school.stranger.get(JOBS, Authorization=wrong)).status for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert (await school.ann.get(JOBS)).status == 200, "the same address, as behind a school's router"
    noted = [e for e in keys.audit() if e["op"] == "authenticate"]
    assert len(noted) == 10, "what is refused for its number fills no log"


async def test_passwords_are_counted_by_address_and_the_right_one_waits_too(serve, keys) -> None:
    keys.password("ann", "correct horse")
    client = await serve({"access": {"failures_per_minute": 3.0}})
    right = {"username": "ann", "password": "correct horse"}
    assert (await client.post(SESSION, right)).status == 200
    answers = [await client.post(SESSION, {"username": "ann", "password": f"wrong {n}"}) for n in range(3)]
    assert [a.status for a in answers] == [401] * 3
    too_many(await client.post(SESSION, right))


async def test_a_user_who_is_not_there_is_answered_as_one_who_is(serve, keys) -> None:
    keys.password("ann", "correct horse")
    client = await serve()
    answers = [
        await client.post(SESSION, {"username": name, "password": "wrong wrong"})
        for name in ("ann", "nobody", "\u00fcn\u00ef", "", "a" * 64, "ann\u0000")
    ]
    assert {a.status for a in answers} == {401}
    assert len({str(a.body) for a in answers}) == 1


async def test_a_flood_of_passwords_is_bounded_and_the_loop_goes_on(serve, keys) -> None:
    keys.password("ann", "correct horse")
    client = await serve({"access": {"failures_per_minute": 1000.0}})
    flood = [
        asyncio.ensure_future(client.post(SESSION, {"username": f"u{n}", "password": "wrong wrong"})) for n in range(30)
    ]
    assert (await client.get("/health")).status == 200
    statuses = [(await one).status for one in flood]
    assert set(statuses) <= {401, 429}
    assert 429 in statuses
