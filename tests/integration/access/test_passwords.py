"""Users who log in with a password: sessions, and the user's own document's `username` and `password`."""

import asyncio
import sqlite3
import time

import pytest

SESSION, STATS, JOBS = "/k12ai/session", "/k12ai/platform/stats", "/k12ai/framework/jobs"
RIGHT = {"username": "ann", "password": "correct horse"}
CPUS = {"query": {"cpus": True}}


@pytest.fixture
async def client(serve, keys):
    keys.password("ann", "correct horse")
    keys.password("root", "battery staple", "--admin")
    return await serve()


async def test_without_password_users_they_are_accepted_and_not_used(serve) -> None:
    client = await serve()
    assert (await client.post(STATS, {"username": "test", "password": "test", **CPUS})).status == 200


async def test_statistics_by_password(client) -> None:
    assert (await client.post(STATS, RIGHT | CPUS)).status == 200
    for wrong in (
        {"username": "ann", "password": "wrong wrong"},
        {"username": "bob", "password": "correct horse"},
        {"password": "correct horse"},
        {"username": "ann"},
        {},
    ):
        reply = await client.post(STATS, wrong | CPUS)
        assert (reply.status, reply.message["error"]["code"]) == (401, 100105), wrong
        assert "horse" not in str(reply.message)


async def test_a_password_opens_that_one_request_and_no_other(client) -> None:
    await client.post(STATS, RIGHT | CPUS)
    assert (await client.get(JOBS)).status == 401


async def test_a_wrong_password_is_wrong_beside_a_token_too(client, keys, known, until) -> None:
    ann = known(client, keys.token("ann"))
    await until(ann, JOBS, 200)
    assert (await ann.post(STATS, RIGHT | CPUS)).status == 200
    assert (await ann.post(STATS, RIGHT | CPUS | {"password": "wrong wrong"})).status == 401
    assert (await ann.post(STATS, {"username": "root", "password": "battery staple"} | CPUS)).status == 403
    channel = await ann.channel()
    ask = {"tag": "platform", "op": "stats", "id": "1", **CPUS}
    assert (await channel.ask(ask | RIGHT))["type"] == "info"
    for more in ({}, {"every": 1}):
        wrong = await channel.ask(ask | more | RIGHT | {"password": "wrong wrong", "id": "2"})
        assert wrong["error"]["code"] == 100105


async def test_a_session_by_password_ends_with_the_password(client, keys, until) -> None:
    for user, password, admin in (("ann", "correct horse", False), ("root", "battery staple", True)):
        reply = await client.post(SESSION, {"username": user, "password": password})
        assert (reply.body["session"]["user"], reply.body["session"]["admin"]) == (user, admin)
        cookie = reply.headers["Set-Cookie"].partition(";")[0]
        assert (await client.get(SESSION, Cookie=cookie)).status == 200
        if user == "ann":
            keys.password("ann", "another horse")
        else:
            keys("user", "remove", "root")
        await until(client, SESSION, 401, Cookie=cookie)
    assert (await client.post(SESSION, RIGHT)).status == 401


async def test_a_remembered_password_is_forgotten_when_it_changes(client, keys) -> None:
    assert (await client.post(STATS, RIGHT | CPUS)).status == 200
    keys.password("ann", "another horse")
    deadline = time.monotonic() + 30
    while (await client.post(STATS, RIGHT | CPUS)).status != 401:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def test_slow_hashes_alone_are_kept(keys) -> None:
    keys.password("ann", "correct horse")
    keys.password("bob", "correct horse")
    with sqlite3.connect(keys.folder / "access.sqlite3") as db:
        hashes = [row[0] for row in db.execute("SELECT hash FROM users")]
    assert len(set(hashes)) == 2, "each has its salt"
    assert all(h.startswith("scrypt$32768$8$3$") for h in hashes)
    assert b"horse" not in (keys.folder / "access.sqlite3").read_bytes()
