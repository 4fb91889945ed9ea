"""The server that pages call: the command itself, in a process that is killed and started again."""

import asyncio
import contextlib
import io
import json
import os
import random
import shutil
import signal
import socket
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient

from k12ai_ws.cli import main
from k12ai_ws.launchers.process.launcher import ProcessLauncher

from .browser import PATIENCE_S

TOY = Path(__file__).parents[2] / "integration" / "toy.py"
ALL = "status,metrics,progress,log,error,info"


class Server:
    """One port and one data folder, for all lives of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data_dir = folder, folder / "data"
        self.port = free_port()
        self.scheme = "http"
        self.trusted: ssl.SSLContext | None = None
        self._site = folder / "site"
        self._settings: dict[str, str] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._http = AsyncHTTPClient(force_instance=True)
        self._install_toy()

    @property
    def origin(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def _install_toy(self) -> None:
        """The toy driver of the integration tests, found by its entry point."""
        info = self._site / "k12toy-0.1.dist-info"
        info.mkdir(parents=True)
        shutil.copy(TOY, self._site / "k12toy.py")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: k12toy\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text("[k12ai_ws]\ntoy = k12toy\n")

    def secure(self, certificate: Path, key: Path, trusted: ssl.SSLContext) -> None:
        """From its next start on it speaks TLS, with these files; `trusted` is how the tests themselves call it."""
        self.scheme, self.trusted = "https", trusted
        self._settings |= {"K12AI_SERVER__TLS_CERT": str(certificate), "K12AI_SERVER__TLS_KEY": str(key)}

    async def start(self, **settings: Mapping[str, Any]) -> None:
        """Begins a life, with the settings of the lives before and these."""
        for section, values in settings.items():
            for name, value in values.items():
                said = value if isinstance(value, str) else json.dumps(value)
                self._settings[f"K12AI_{section}__{name}".upper()] = said
        path = os.pathsep.join([str(self._site), *filter(None, [os.environ.get("PYTHONPATH")])])
        with (self.folder / "server.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "k12ai_ws.cli", "serve", "--port", str(self.port), "--launcher", "process",
                "--data-dir", str(self.data_dir), "--json",
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log,
                env=os.environ | {"PYTHONPATH": path, "K12AI_JOBS__GRACE_S": "0.5"} | self._settings,
            )  # fmt: skip
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
        assert line, self.log()
        assert json.loads(line)["address"] == self.origin

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Sends the signal, and waits for the end of this life."""
        assert self._process is not None
        self._process.send_signal(number)
        await asyncio.wait_for(self._process.communicate(), PATIENCE_S)

    def token(self, user: str) -> tuple[str, str]:
        """A new token of this user: its id, by which it is revoked, and itself."""
        made = json.loads(self._key("create", "--user", user, "--json"))
        return made["id"], made["token"]

    def revoke(self, token_id: str) -> None:
        """Ends a token; the server heeds it within a second."""
        self._key("revoke", token_id)

    def _key(self, *words: str) -> str:
        """`k12ai token`, in this process."""
        with contextlib.redirect_stdout(io.StringIO()) as said:
            assert main(["token", *words, "--data-dir", str(self.data_dir)]) == 0
        return said.getvalue()

    async def call(self, path: str, body: Any = None, token: str | None = None) -> tuple[int, bytes]:
        """A program's request: GET, or POST where there is a body."""
        answer = await self._http.fetch(
            self.origin + path, method="GET" if body is None else "POST", raise_error=False,
            body=None if body is None else json.dumps(body), request_timeout=PATIENCE_S, ssl_options=self.trusted,
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        return answer.code, answer.body

    async def train(self, script: str, user: str = "ann", uuid: str = "p", token: str | None = None) -> str:
        """Starts a job that runs this Python script; its id."""
        status, body = await self.call("/k12ai/framework/train", order(script, user, uuid), token)
        assert status == 202, body
        return str(json.loads(body)["job_id"])

    async def events(self, path: str, token: str | None = None) -> list[str]:
        """All stored events at this address over REST, each as the very text that stands in the page."""
        found: list[str] = []
        after: int | None = 0
        while after is not None:
            query = f"{'&' if '?' in path else '?'}type={ALL}&after={after}&limit=1000"
            status, body = await self.call(path + query, token=token)
            assert status == 200, body
            found += pieces(body.decode().partition('"events":[')[2])
            after = json.loads(body)["info"]["next"]
        return found

    def audit(self) -> list[dict[str, Any]]:
        """The audit log; whole once the server has ended."""
        return [json.loads(line) for line in (self.data_dir / "audit" / "audit.jsonl").read_text().splitlines()]

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    async def close(self) -> None:
        """Ends it and whatever jobs are left."""
        self._http.close()
        if self._process is not None and self._process.returncode is None:
            await self.end(signal.SIGKILL)
        if (self.data_dir / "runs").is_dir():
            launcher = ProcessLauncher(self.data_dir / "runs", grace_s=0)
            for handle in (await launcher.adopt()).values():
                await launcher.stop(handle, 0)
                await launcher.wait(handle)
                await launcher.release(handle)
            await launcher.close()


class Told:
    """A job that prints what the test tells it, and ends when it is told to: it reads a named pipe."""

    def __init__(self, folder: Path, name: str = "told") -> None:
        pipe = folder / name
        os.mkfifo(pipe)
        self._writing = os.open(pipe, os.O_RDWR)  # both, so that nobody waits for the other to open it
        self.script = (
            f"for line in open({str(pipe)!r}, encoding='utf-8'):\n"
            "    if line == 'end\\n': break\n"
            "    print(line, end='', flush=True)"
        )

    def tell(self, *lines: str) -> None:
        os.write(self._writing, "".join(f"{line}\n" for line in lines).encode())

    def end(self) -> None:
        self.tell("end")

    def close(self) -> None:
        os.close(self._writing)


def order(script: str, user: str = "ann", uuid: str = "p") -> dict[str, Any]:
    """The body of a request that starts a job."""
    return {
        "op": "train.start", "user": user, "service_name": "toy", "service_uuid": uuid,
        "service_params": {"script": script},
    }  # fmt: skip


def pieces(listed: str) -> list[str]:
    """The members of a JSON array, each as it is written; `listed` goes on behind the array's opening bracket."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while listed[at] != "]":
        at += listed[at] == ","
        _, end = decoder.raw_decode(listed, at)
        found.append(listed[at:end])
        at = end
    return found


def free_port() -> int:
    """Not one of those that the kernel gives away by itself: nobody else gets it while the server is away."""
    given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(20000, given), 100) if given > 20100 else [0]:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return int(tried.getsockname()[1])
    raise AssertionError("there is no free port")
