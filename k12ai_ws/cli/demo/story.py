"""What the demo shows: a training whose metrics arrive live, and a failing job explained."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson

from k12ai_ws.cli.exits import CommandFailed, Exit
from k12ai_ws.cli.following import follow_to_end
from k12ai_ws.cli.lines import error_lines, exception_text, own_frame, printable
from k12ai_ws.cli.output import Output
from k12ai_ws.cli.view import View, make_view
from k12ai_ws.client import Client, ClientError, Message

from .texts import TEXTS

SERVICE, USER = "k12cv", "pupil"
TRAINING = {"dataset": "digits", "model": "mlp", "epochs": 20}
BUGGY_FILE = "pupil/noise.py"
BUGGY_CODE = '''\
"""Add a little noise to every image, so that the model learns to read bad handwriting."""

import numpy as np


def augment(images, labels):
    noise = np.random.normal(0, 0.05, images.shape)
    noisy = np.clip(images + nosie, 0, 1)
    return noisy, labels
'''
"""A slip of the finger: the kind of bug that pupils have most."""
NEXT = (
    ("make serve", "next_serve"),
    ("{k12ai} services k12cv train", "next_services"),
    ("{k12ai} train k12cv --set epochs=5 --follow", "next_train"),
    ("{k12ai} train k12nlp --follow", "next_texts"),
    ("{k12ai} watch", "next_watch"),
    ("{k12ai} doctor", "next_doctor"),
)
CLEANUP_S = 20.0


class Watched:
    """A view that remembers what the story needs, and leaves the errors to the story."""

    def __init__(self, view: View, *, errors_too: bool) -> None:
        self._view = view
        self._errors_too = errors_too
        self.metrics: dict[str, Any] = {}
        self.error: Mapping[str, Any] | None = None

    def show(self, message: Message) -> None:
        """See `View`."""
        if message.type == "metrics":
            self.metrics.update(message.body)
        if message.type == "error" and message.body.get("severity") == "error":
            self.error = message.body
            if not self._errors_too:
                return
        self._view.show(message)

    def open(self) -> AbstractContextManager[object]:
        """See `View`."""
        return self._view.open()


class Story:
    """Told once, against the server at `address`, whose datasets lie in `data_dir`."""

    def __init__(self, output: Output, address: str, data_dir: Path) -> None:
        self._output = output
        self._address = address
        self._datasets = data_dir / "datasets"

    async def tell(self) -> None:
        """Raises CommandFailed where something does not go as it should, and ClientError."""
        self._head("server")
        self._say("server_ready", address=self._address)
        async with Client(self._address, language=self._output.words.language) as client:
            try:
                await self._training(client)
                await self._failing(client)
            finally:
                await _stop_all(client)
        self._head("next")
        commands = [(command.format(k12ai=_own_name()), key) for command, key in NEXT]
        width = max(len(command) for command, _ in commands)
        for command, key in commands:
            self._line(f"   {command:{width}}   {self._text(key)}")

    async def _training(self, client: Client) -> None:
        self._head("training")
        watched = await self._run(client, "digits", TRAINING, expected=Exit.OK)
        accuracy = watched.metrics.get("test_accuracy")
        if not isinstance(accuracy, float):
            raise CommandFailed("the training finished, but its log gave no test_accuracy")
        self._say("accuracy", style="bold green", accuracy=f"{accuracy:.1%}")

    async def _failing(self, client: Client) -> None:
        self._head("failing")
        path = self._datasets / BUGGY_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BUGGY_CODE, encoding="utf-8")
        self._say("buggy_file", file=BUGGY_FILE)
        for number, line in enumerate(BUGGY_CODE.splitlines(), 1):
            self._line(f"   {number:4d} | {line}", "dim")
        watched = await self._run(client, "noisy", {**TRAINING, "augment": BUGGY_FILE}, expected=Exit.FAILED)
        if watched.error is None:
            raise CommandFailed("the job failed as it should, but no error event told why")
        self._explain(watched.error)

    def _explain(self, error: Mapping[str, Any]) -> None:
        detail = error.get("detail") or {}
        frame = own_frame(detail.get("traceback") or ())
        if frame is None or not str(frame.get("filename", "")).endswith(BUGGY_FILE):
            raise CommandFailed("the error does not name the pupil's file:\n" + "\n".join(self._error_lines(error)))
        self._line("")
        self._say("code", style="bold red", code=error["code"], descr=error["descr"])
        self._say("where", file=BUGGY_FILE, line=frame["linenum"], function=frame["funcname"])
        self._line(f"      > {printable(frame['source'])}", "bold")
        self._say("what", text=exception_text(detail))
        if error.get("message") and printable(error["message"]) not in exception_text(detail):
            self._say("means", text=printable(error["message"]))

    def _error_lines(self, error: Mapping[str, Any]) -> list[str]:
        return list(error_lines(error, self._output.words))

    async def _run(self, client: Client, uuid: str, params: Mapping[str, Any], *, expected: Exit) -> Watched:
        """Starts a training over REST and shows its events from the WebSocket to its end. Raises CommandFailed."""
        body = {"op": "train.start", "user": USER, "service_name": SERVICE, "service_uuid": uuid}
        self._line("   POST /k12ai/framework/train", "cyan")
        self._line("   " + orjson.dumps({**body, "service_params": params}).decode(), "cyan")
        answer = await client.start(SERVICE, "train", user=USER, service_uuid=uuid, params=params)
        watched = Watched(make_view(self._output, "   "), errors_too=self._output.json)
        code = await follow_to_end(client, self._output, answer.job_id, view=watched)
        if code != expected:
            lines = (
                self._error_lines(watched.error)
                if watched.error
                else [f"its record: {await client.job(answer.job_id)}"]
            )
            raise CommandFailed(
                f"the job should have {'finished' if expected == Exit.OK else 'failed'}, but did not:\n"
                + "\n".join(lines)
            )
        return watched

    # ---- saying things; a program (--json) hears only the events

    def _head(self, key: str) -> None:
        self._line("")
        self._line(self._text(key), "bold")

    def _say(self, key: str, style: str = "", **values: object) -> None:
        self._line("   " + self._text(key, **values), style)

    def _line(self, text: str, style: str = "") -> None:
        if not self._output.json:
            self._output.line(text, style)

    def _text(self, key: str, **values: object) -> str:
        return TEXTS[key][self._output.words.language].format(**values)


async def _stop_all(client: Client) -> None:
    """After Ctrl-C: ends the jobs that still run, for their folder is about to go."""
    with contextlib.suppress(ClientError, TimeoutError):
        async with asyncio.timeout(CLEANUP_S):
            for job in (await client.jobs(user=USER)).jobs:
                with contextlib.suppress(ClientError):
                    job_id = str(job["job_id"])
                    await client.stop_job(job_id)
                    async for _ in client.follow_job(job_id, types=("status",)):
                        pass


def _own_name() -> str:
    """How this command was called: `k12ai`, or the path to it where it is not on PATH."""
    called = Path(sys.argv[0])
    if shutil.which("k12ai") or called.name != "k12ai":
        return "k12ai"
    return str(called.relative_to(Path.cwd()) if called.is_absolute() and called.is_relative_to(Path.cwd()) else called)
