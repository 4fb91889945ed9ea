"""A server that wants tokens, and callers that have some."""

import asyncio
import contextlib
import io
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from k12ai_ws.cli import main

PATIENCE_S = 90.0


class Keys:
    """`k12ai token` and `k12ai user` on a data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str, stdin: str = "", code: int = 0) -> Any:
        """Runs the command in this process; test_commands has it run in its own."""
        out, err, before = io.StringIO(), io.StringIO(), sys.stdin
        sys.stdin = io.StringIO(stdin)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    ended = main([*words, "--data-dir", str(self.folder), "--json"])
                except SystemExit as e:
                    ended = int(e.code or 0)
        finally:
            sys.stdin = before
        assert ended == code, err.getvalue()
        return json.loads(out.getvalue()) if out.getvalue() else err.getvalue()

    def token(self, user: str | None = None, *more: str) -> str:
        """A new token of this user, or an admin's."""
        whose = ["--admin"] if user is None else ["--user", user]
        return self("token", "create", *whose, *more)["token"]

    def revoke(self, token: str) -> None:
        self("token", "revoke", token.split("_")[1])

    def password(self, user: str, password: str, *more: str) -> None:
        self("user", "add", user, *more, stdin=f"{password}\n")

    def audit(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / "audit").glob("audit.jsonl*"), reverse=True)
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Of the data folder that `serve` takes."""
    return Keys(tmp_path / "data")


@pytest.fixture
async def known(serve: Any) -> AsyncIterator[Callable[..., Any]]:
    """`known(client, token)`: the same server's client, which sends this token (None: none) with everything."""
    made: list[Any] = []

    def make(client: Any, token: str | None, **always: str) -> Any:
        sent = ({} if token is None else {"Authorization": f"Bearer {token}"}) | always
        base = type(client)

        class Known(base):  # type: ignore[misc, valid-type]
            async def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
                return await super().request(method, path, body, **sent | headers)

            async def raw(self, path: str, **headers: str) -> Any:
                return await super().raw(path, **sent | headers)

            async def handshake(self, source: str | None = None, **headers: str) -> Any:
                return await super().handshake(source, **sent | headers)

            async def listen(self, path: str, **more: Any) -> Any:
                return await super().listen(path, **sent | more)

        made.append(Known(client.address))
        return made[-1]

    yield make
    for client in made:
        await client.close()


class School:
    """Three callers of one server: an admin, ann and bob; and one whom nobody knows."""

    admin: Any
    ann: Any
    bob: Any
    stranger: Any
    tokens: dict[str, str]


@pytest.fixture
async def school(serve: Any, keys: Keys, known: Callable[..., Any]) -> School:
    school = School()
    school.tokens = {"admin": keys.token(), "ann": keys.token("ann"), "bob": keys.token("bob")}
    client = await serve()
    school.stranger = client
    school.admin, school.ann, school.bob = (known(client, school.tokens[name]) for name in ("admin", "ann", "bob"))
    return school


@pytest.fixture
def until() -> Callable[..., Any]:
    """`await until(client, path, status, **headers)`: asks until this is the status; what the command changes, a
    running server heeds within a second.
    """

    async def ask(client: Any, path: str, status: int, **headers: str) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while (reply := await client.get(path, **headers)).status != status:
            assert time.monotonic() < deadline, reply.message
            await asyncio.sleep(0.05)
        return reply

    return ask
