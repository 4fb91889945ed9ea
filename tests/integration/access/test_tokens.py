"""Bearer tokens through HTTP, the WebSocket and the command: who comes in, who does not, and who is thrown out."""

import base64
import contextlib
import io
import json
import sqlite3
import stat

import pytest

from k12ai_ws.cli import main

JOBS = "/k12ai/framework/jobs"


def refused(reply, code=100105, status=401):
    assert (reply.status, reply.message["type"], reply.message["error"]["code"]) == (status, "error", code)
    if status == 401:
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


def subprotocol(token):
    return "base64url.bearer.authorization.k12ai." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


async def test_without_tokens_everyone_on_loopback_is_an_admin(client) -> None:
    reply = await client.get("/k12ai/session")
    assert reply.body["session"]["by"] == "local"
    assert reply.body["session"]["admin"] is True
    assert (await client.get(JOBS, Authorization="Basic dXNlcjpwYXNz")).status == 200, "a proxy's, and nothing to us"


async def test_a_token_lets_in_and_nothing_else_does(school) -> None:
    refused(await school.stranger.get(JOBS))
    assert (await school.ann.get(JOBS)).status == 200
    good = school.tokens["ann"]
    prefix, token_id, secret = good.split("_", 2)
    head = f"{prefix}_{token_id}"
    flipped = secret[:-2] + ("A" if secret[-2] != "A" else "B") + secret[-1]
    for wrong in (
        f"Bearer {head}_{flipped}",
        f"Bearer {good}x",
        f"Bearer {good[:-1]}",
        f"Bearer {good.upper()}",
        "Bearer",
        "Bearer ",
        f"Basic {good}",
        good,
        f"Bearer {school.tokens['bob'][:18]}_{secret}",
        f"Bearer {good}, Bearer {good}",
        "Bearer \u00e9",
    ):
        reply = await school.stranger.get(JOBS, Authorization=wrong)
        assert reply.status in (401, 429), wrong
        assert secret not in json.dumps(reply.message)
    assert (await school.ann.get(JOBS, Authorization=f"bearer   {good}")).status == 200, "a scheme has no case"


async def test_every_answer_to_a_stranger_is_the_same_whatever_was_wrong(school, keys, until) -> None:
    gone = keys.token("carl")
    keys.revoke(gone)
    texts = set()
    for token in (gone, "k12ai_aaaaaaaaaaaa_" + "A" * 43, school.tokens["ann"][:-1] + "-"):
        reply = await until(school.stranger, JOBS, 401, Authorization=f"Bearer {token}")
        texts.add(reply.message["error"]["message"])
    assert len(texts) == 1


async def test_the_first_token_locks_a_running_server_and_its_last_does_not_unlock_it(
    client, keys, known, until
) -> None:
    open_channel = await client.channel()
    await open_channel.ping()
    token = keys.token()
    assert await open_channel.close_code() == 4401, "who came in unknown may not stay"
    await until(client, JOBS, 401)
    admin = known(client, token)
    assert (await admin.get(JOBS)).status == 200
    keys.revoke(token)
    await until(admin, JOBS, 401)
    refused(await client.get(JOBS))


async def test_mode_off_and_required(serve, keys) -> None:
    keys.token()
    off = await serve({"access": {"mode": "off"}})
    assert (await off.get(JOBS)).status == 200
    required = await serve({"access": {"mode": "required"}}, name="other")
    refused(await required.get(JOBS))


async def test_a_revoked_token_ends_what_is_open(school, keys, until) -> None:
    channels = [await school.ann.channel() for _ in range(2)]
    other = await school.bob.channel()
    await channels[0].subscribe("s")
    keys.revoke(school.tokens["ann"])
    for channel in channels:
        assert await channel.close_code() == 4401
    await until(school.ann, JOBS, 401)
    await other.ping()


async def test_a_token_expires_and_ends_what_is_open(school, keys, known, until) -> None:
    short = keys.token("ann", "--expires", "3s")
    client = known(school.stranger, short)
    await until(client, JOBS, 200)
    channel = await client.channel()
    await channel.ping()
    assert await channel.close_code() == 4401
    refused(await client.get(JOBS))


async def test_the_handshake_is_refused_over_http(school) -> None:
    status, _, writer = await school.stranger.handshake()
    assert status == 401
    writer.close()
    status, _, writer = await school.stranger.handshake(Authorization="Bearer nonsense")
    assert status == 401
    writer.close()


async def test_the_token_comes_as_a_subprotocol(school, until) -> None:
    offered = f"{subprotocol(school.tokens['ann'])}, v1.k12ai"
    reader, writer = await school.stranger.socket()
    writer.write(
        b"GET /k12ai/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Protocol: " + offered.encode() + b"\r\n\r\n"
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    writer.close()
    assert head.startswith("http/1.1 101")
    assert "sec-websocket-protocol: v1.k12ai\r\n" in head, "ours is chosen, and the token is not sent back"
    for bad, expected in (
        (subprotocol(school.tokens["ann"]), 400),
        (f"{subprotocol('nonsense')}, v1.k12ai", 401),
        ("base64url.bearer.authorization.k12ai.%%%, v1.k12ai", 401),
        ("base64url.bearer.authorization.k12ai., v1.k12ai", 401),
        ("v1.k12ai", 401),
    ):
        status, _, writer = await school.stranger.handshake(Sec_WebSocket_Protocol=bad)
        assert status == expected, bad
        writer.close()


@pytest.mark.parametrize("path", [f"{JOBS}?token=", f"{JOBS}?access_token=", "/health?api_key=", f"{JOBS}?user="])
async def test_a_token_in_a_url_is_refused_and_not_repeated(school, path) -> None:
    token = school.tokens["ann"]
    reply = await school.ann.get(path + token)
    assert reply.status == 400
    assert token not in json.dumps(reply.message)
    reader, writer = await school.stranger.socket()
    writer.write(f"GET /k12ai/ws?token={token} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n".encode())
    writer.write(
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert b" 400 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("size", [1000, 50_000, 200_000])
async def test_headers_of_any_size_are_refused_and_the_server_goes_on(school, size) -> None:
    for header in ("Authorization: Bearer ", "Cookie: k12ai_session=", "Sec-WebSocket-Protocol: "):
        reader, writer = await school.stranger.socket()
        head = f"GET {JOBS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}{'k' * size}\r\n\r\n"
        with contextlib.suppress(ConnectionError):
            writer.write(head.encode())
            await writer.drain()
            answer = await reader.read(100)
            assert not answer or answer.split()[1] in (b"400", b"401", b"431")
        writer.close()
    assert (await school.ann.get(JOBS)).status == 200


async def test_no_header_of_a_proxy_makes_anybody_known(school) -> None:
    for header in ("X_Forwarded_User", "X_Remote_User", "X_Forwarded_For", "Forwarded", "X_Real_IP", "X_User"):
        assert (await school.stranger.get(JOBS, **{header: "127.0.0.1"})).status == 401


async def test_hashes_alone_are_kept_and_nobody_else_reads_them(school, keys) -> None:
    file = keys.folder / "access.sqlite3"
    for path in keys.folder.glob("access.sqlite3*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((keys.folder / "audit" / "audit.jsonl").stat().st_mode) == 0o600
    raw = b"".join(path.read_bytes() for path in [file, *keys.folder.glob("access.sqlite3-*")])
    for token in school.tokens.values():
        assert token.split("_", 2)[2].encode() not in raw
    with sqlite3.connect(file) as db:
        assert {row[0] for row in db.execute("SELECT length(digest) FROM tokens")} == {32}


async def test_health_and_ready_answer_strangers_and_tell_them_little(school) -> None:
    assert (await school.stranger.get("/health")).status == 200
    reply = await school.stranger.get("/ready")
    assert reply.status == 200
    assert all(check == {"ok": True, "message": ""} for check in reply.body["checks"].values())
    assert (await school.ann.get("/ready")).body["checks"]["store"]["message"]
    assert (await school.stranger.get("/health", Authorization="Bearer nonsense")).status == 200


async def test_a_missing_route_says_no_more_to_a_stranger_than_a_route(school) -> None:
    refused(await school.stranger.get("/k12ai/nothing"))
    assert (await school.ann.get("/k12ai/nothing")).status == 404


async def test_the_last_use_is_written_down(school, keys) -> None:
    await school.ann.get(JOBS)
    await school.stranger.server.close()
    school.stranger.server.closed_by_test = True
    used = {t["user"]: t["last_used"] for t in keys("token", "list")["tokens"]}
    assert used["ann"] is not None
    assert used["bob"] is None


async def test_a_file_put_in_its_place_is_heeded(school, keys, tmp_path, until) -> None:
    """As a restored backup is: ann's token is not in it."""
    other = type(keys)(tmp_path / "elsewhere")
    other.token()
    with sqlite3.connect(other.folder / "access.sqlite3") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (other.folder / "access.sqlite3").replace(keys.folder / "access.sqlite3")
    await until(school.ann, JOBS, 401)


def test_the_command_refuses_what_is_wrong(keys) -> None:
    for words in (
        ["token", "create"],
        ["token", "create", "--user", "\u00fcn\u00ef"],
        ["token", "create", "--user", "../x"],
        ["token", "create", "--user", "ann", "--admin"],
        ["token", "create", "--admin", "--expires", "0d"],
        ["token", "create", "--admin", "--expires", "soon"],
        ["token", "create", "--admin", "--note", "a\nb"],
        ["user", "add", "a b"],
    ):
        keys(*words, code=2)
    assert "8 to 1024" in keys("user", "add", "ann", stdin="short\n", code=1)
    assert not keys.folder.exists()
    keys.token()
    assert "there is no token" in keys("token", "revoke", "nothing", code=1)
    assert keys("user", "list")["users"] == []


def test_only_what_makes_a_token_or_a_user_makes_the_file(keys) -> None:
    for folder in (False, True):
        if folder:
            keys.folder.mkdir()
        for words in (("token", "list"), ("token", "revoke", "x"), ("user", "list"), ("user", "remove", "ann")):
            assert "nobody has made a token or a user in" in keys(*words, code=1)
            assert keys.folder.exists() is folder
            assert not folder or not list(keys.folder.iterdir())


def test_the_command_lists_and_revokes(keys) -> None:
    token = keys.token("ann", "--note", "her laptop", "--expires", "30d")
    listed = keys("token", "list")["tokens"][0]
    assert (listed["user"], listed["note"], listed["state"], listed["admin"]) == ("ann", "her laptop", "active", False)
    assert listed["expires"] - listed["created"] == 30 * 86_400_000
    assert token.split("_", 2)[2] not in json.dumps(listed)
    keys.revoke(token)
    assert keys("token", "list")["tokens"] == []
    assert keys("token", "list", "--all")["tokens"][0]["state"] == "revoked"
    plain = io.StringIO()
    with contextlib.redirect_stderr(plain):
        main(["token", "list", "--data-dir", str(keys.folder)])
    assert plain.getvalue() == "1 revoked or expired: --all lists them too\n"
    ops = [(e["op"], e["token"]) for e in keys.audit()]
    assert ops == [("token.create", listed["id"]), ("token.revoke", listed["id"])]
