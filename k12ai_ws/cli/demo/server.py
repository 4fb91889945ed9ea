"""The demo's server: `k12ai serve` in a process of its own, on a free port, with nothing of this user's settings."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Self

from k12ai_ws.cli.exits import CommandFailed

READY_S = 60.0
CLOSE_S = 15.0
TAIL_LINES = 30
ENDING = (signal.SIGTERM, signal.SIGHUP)


class DemoServer:
    """Up inside its context; ended with it, whatever ends the demo (Ctrl-C, SIGTERM, a closed terminal)."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.address = ""
        self._log = folder / "server.log"

    def __enter__(self) -> Self:
        """Raises CommandFailed where the server does not come up."""
        self._handlers = {number: signal.signal(number, _interrupt) for number in ENDING}
        command = [sys.executable, "-m", "k12ai_ws.cli", "serve", "--json", "--log-level", "warning"]
        command += ["--log-format", "console"]
        command += ["--host", "127.0.0.1", "--port", "0", "--data-dir", str(self.data_dir), "--launcher", "process"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("K12AI_")},
                start_new_session=True,  # a Ctrl-C in the terminal is the demo's to handle, not the server's
            )
        try:
            self.address = self._ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _ready(self) -> str:
        stdout = self._process.stdout
        if stdout is not None and select.select([stdout], [], [], READY_S)[0] and (line := stdout.readline()):
            return str(json.loads(line)["address"])
        raise CommandFailed("the server did not start; `k12ai doctor` may know why" + self.last_words())

    def last_words(self) -> str:
        """The end of the server's log, to be put after what went wrong; empty where it said nothing."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(["\nThe server's log ends with:", *lines[-TAIL_LINES:]]) if lines else ""

    def __exit__(self, *exc_info: object) -> None:
        for number in (*ENDING, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # the rest takes a moment and must not be cut off
        try:
            self._process.terminate()
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """As Ctrl-C: asyncio then cancels the story in good order, which a KeyboardInterrupt raised here would not."""
    signal.raise_signal(signal.SIGINT)
