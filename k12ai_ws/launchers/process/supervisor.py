"""The supervisor: the program between the server and one job. It starts the job's command, writes down all that the
command prints, ends it when asked or when its time is up, leaves no process behind, and records how it ended.

It outlives the server: it has a session of its own, holds the run's lock (see `rundir.py`) and needs nobody. It starts
as `python -I -S -c BOOT <package root> <run directory>` with three files open: 2, on which it says that it is ready or
why it is not; 3, the lock; 4, its orders, a JSON object (`Orders`).

It never gives up for want of disk space: while the journal cannot be written it reads no more from the job, so that
the job pauses in its next print, and tries again. Standard library only: it starts without site-packages.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Final, NamedTuple

from k12ai_ws.launchers.recording.files import EXIT, JOURNAL, write_json
from k12ai_ws.launchers.recording.journal import JournalWriter

from . import child, proc
from .output import RETRY_S, Output, now_ms
from .rundir import BROKEN, CONTROL, MARKER, STATE

BOOT: Final = "import sys; sys.path.append(sys.argv[1]); from k12ai_ws.launchers.process.supervisor import main; main()"
SAY_FD: Final = 2
LOCK_FD: Final = 3
ORDERS_FD: Final = 4
READY: Final = b"ready\n"

_LINGER_S: Final = 10.0
"""How long processes that survive SIGKILL (in uninterruptible sleep) and pipes that stay open are waited for."""
_OOM_LOOK_S: Final = 5.0
"""How often the machine's count of out-of-memory kills is looked at: one that is older is not this job's."""


class Orders(NamedTuple):
    """What to run and within which bounds. Times in seconds, sizes in bytes."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    marker: str
    grace_s: float
    time_limit_s: float | None
    max_log_bytes: int


class Supervisor:
    """One run, from the start of its command to the record of its end."""

    def __init__(self, run: Path, orders: Orders) -> None:
        self._run, self._orders = run, orders
        self._output = Output(JournalWriter(run / JOURNAL, orders.max_log_bytes))
        self._pid = 0
        self._status: int | None = None
        self._started_ms = self._ended_ms = 0
        self._kill_at: float | None = None
        self._limit_at: float | None = None
        self._killed = self._oom_killed = self._stop_delivered = self._timed_out = self._told_to_end = False
        self._oom_kills = proc.oom_kills()
        self._oom_looked_at = time.monotonic()
        self._message: str | None = None
        # Read and write, so that it never reads as closed when a server that wrote to it goes away.
        self._control = os.open(run / CONTROL, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._asked = b""
        self._wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self._output.watch(self._control)
        self._output.watch(self._wake)

    def start(self) -> None:
        """Starts the command. Raises child.StartError, OSError."""
        self._started_ms = now_ms()
        me = proc.read(os.getpid())
        state = {"supervisor": os.getpid(), "supervisor_start": me.start if me else 0, "started_ms": self._started_ms}
        # Not forced to the disk: if the machine goes down, the run goes with it either way.
        write_json(self._run / STATE, state | {"marker": self._orders.marker}, durable=False)
        env = self._orders.env | {MARKER: self._orders.marker}
        ends = self._output.pipes()
        try:
            self._pid = child.start(self._orders.argv, env, self._orders.cwd, *ends)
        finally:
            for end in ends:
                os.close(end)
        if self._orders.time_limit_s is not None:
            self._limit_at = time.monotonic() + self._orders.time_limit_s

    def supervise(self) -> None:
        """Until the command has ended, nothing of it is left, and all it printed is in the journal."""
        while self._status is None:
            self._step(self._patience())
            self._reap()
            self._keep_time()
        self.kill_rest()
        until = time.monotonic() + _LINGER_S
        while self._output.open:
            self._step(0.1)
            if self._output.blocked:
                until = time.monotonic() + _LINGER_S
            elif time.monotonic() > until:
                self._note("a process outside the run held its output open: what it printed later is not in the log")
                break
        self._output.finish()

    def record(self, failure: child.StartError | None = None) -> None:
        """Writes how it ended; waits for the disk as long as it takes."""
        status = self._status
        end: dict[str, Any] = {
            "exit_code": os.WEXITSTATUS(status) if status is not None and os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else None,
            "oom_killed": self._oom_killed,
            "timed_out": self._timed_out,
            "stop_delivered": self._stop_delivered,
            "command_not_found": False,
            "started_ms": self._started_ms,
            "ended_ms": self._ended_ms or now_ms(),
            "message": self._message,
        }
        if failure:
            end |= {"exit_code": failure.exit_code, "message": failure.message}
            end["command_not_found"] = failure.command_not_found
        while True:
            try:
                write_json(self._run / EXIT, end)
            except FileNotFoundError:  # someone removed the run's directory: there is nobody left to tell
                return
            except OSError:
                time.sleep(RETRY_S)
            else:
                return

    def kill_rest(self) -> None:
        """Ends every process of the run, now: what a command leaves behind ends too, as it would in a container."""
        until = time.monotonic() + _LINGER_S
        while self._reap():
            left = self._tree()
            proc.signal_all(left, signal.SIGKILL)
            if time.monotonic() > until:
                self._note(f"{len(left)} processes of the run could not be killed")
                return
            if select.select([self._wake], [], [], 0.02)[0]:
                self._drain(self._wake)

    def _patience(self) -> float:
        """Seconds until something is to be done even if nothing happens."""
        due = self._limit_at if self._kill_at is None else self._kill_at
        return _OOM_LOOK_S if due is None else min(max(0.05, due - time.monotonic()), _OOM_LOOK_S)

    def _step(self, patience_s: float) -> None:
        """Waits for output, an end or an order, at most `patience_s` seconds, and takes it in."""
        for fd in self._output.wait(patience_s):
            if fd == self._control:
                self._obey()
            else:
                self._drain(fd)

    def _obey(self) -> None:
        *lines, self._asked = (self._asked + self._drain(self._control)).split(b"\n")
        self._asked = self._asked[-64:]  # an order is short; rubbish must not pile up
        for line in lines:
            word, _, number = line.partition(b" ")
            with contextlib.suppress(ValueError):
                if word == b"stop" and (grace := float(number)) >= 0:
                    self._reap()
                    if self._status is None:
                        self._stop_delivered = True
                        self._end(grace)

    def _on_sigterm(self, *_: object) -> None:
        self._told_to_end = True  # the wake-up pipe brings the loop here; nothing is done inside a signal handler

    def _end(self, grace_s: float) -> None:
        """SIGTERM to the whole tree now, SIGKILL after the grace; asked again, the shorter grace holds.

        Nobody is asked twice: many programs take a second SIGTERM, while they tidy up, as an order to die at once.
        """
        kill_at = time.monotonic() + grace_s
        if self._kill_at is not None:
            self._kill_at = min(self._kill_at, kill_at)
            return
        self._kill_at = kill_at
        proc.signal_all(self._tree(), signal.SIGTERM)

    def _keep_time(self) -> None:
        if self._status is not None:
            return
        if self._told_to_end:  # the machine goes down, or a person's `kill`
            self._told_to_end = False
            self._note("the run's supervisor was asked to end (SIGTERM)")
            self._end(self._orders.grace_s)
        now = time.monotonic()
        if self._limit_at is not None and now >= self._limit_at:
            self._limit_at = None
            if self._kill_at is None:
                self._timed_out = True
                self._end(self._orders.grace_s)
        if self._kill_at is not None and now >= self._kill_at:
            self._killed = True
            proc.signal_all(self._tree(), signal.SIGKILL)
        if now - self._oom_looked_at >= _OOM_LOOK_S:
            self._oom_kills, self._oom_looked_at = proc.oom_kills(), now

    def _tree(self) -> list[int]:
        return [process.pid for process in proc.descendants(os.getpid(), proc.every())]

    def _reap(self) -> bool:
        """Takes in what has ended; False when no process of the run is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._pid and self._status is None:
                self._status, self._ended_ms = status, now_ms()
                # SIGKILL alone proves nothing; with the kernel having killed for memory in these last seconds, it does.
                killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and not self._killed
                self._oom_killed = killed and proc.oom_kills() > self._oom_kills

    def _note(self, text: str) -> None:
        self._message = f"{self._message}; {text}" if self._message else text

    @staticmethod
    def _drain(fd: int) -> bytes:
        try:
            return os.read(fd, 4096)
        except BlockingIOError:
            return b""


def _close_strangers() -> None:
    """Closes what the server's process left open to its children: only our own files stay."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are enough
        if int(name) > ORDERS_FD:
            with contextlib.suppress(OSError):  # the listing's own
                os.close(int(name))


def _prepare(run: Path) -> Supervisor:
    _close_strangers()
    os.chdir("/")
    os.set_inheritable(LOCK_FD, False)
    os.umask(0o077)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(ORDERS_FD, "rb") as file:
        orders = Orders(**json.loads(file.read()))
    try:
        fcntl.flock(LOCK_FD, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ours already
    except BlockingIOError:
        raise FileExistsError(f"{run} belongs to another supervisor, which holds its lock") from None
    if (run / STATE).exists() or (run / EXIT).exists():
        raise FileExistsError(f"{run} has been run, or given up, before")
    child.become_subreaper()
    return Supervisor(run, orders)


def _say(text: bytes) -> None:
    with contextlib.suppress(OSError):  # the server that wanted to know is gone
        os.write(SAY_FD, text)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, SAY_FD)
    os.close(null)


def main() -> None:
    """The program."""
    run = Path(sys.argv[2])
    supervisor, failure = _prepare(run), None  # what is raised here goes to file 2, and so to the server
    try:
        supervisor.start()
    except child.StartError as error:
        failure = error
    except OSError as error:
        text = f"the run could not be started: {error.strerror or error} ({error.filename or run})"
        failure = child.StartError(text, 126, command_not_found=False)
    if failure and not failure.command_not_found:
        _say(f"{failure.message}\n".encode())  # first: the record may wait for the disk
        supervisor.record(failure)
        sys.exit(1)
    _say(READY)
    try:
        if not failure:
            supervisor.supervise()
        supervisor.record(failure)
    except BaseException:
        supervisor.kill_rest()
        with contextlib.suppress(OSError):
            (run / BROKEN).write_text(traceback.format_exc(), encoding="utf-8")
        raise
