"""Starting the job's command: fork, then in the child all that must be so before the command runs.

Standard library only: the supervisor imports this.
"""

import contextlib
import ctypes
import errno
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
_OOM_SCORE: Final = b"500"
"""Where the machine runs out of memory, the job goes before its server and its supervisor."""

NOT_FOUND: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENOEXEC, errno.EISDIR, errno.ELOOP})
"""What `execve` answers where the fault is the command's, not the machine's."""


class StartError(Exception):
    """The command did not start. `exit_code` is the shell's: 127 not found, 126 not executable, or not started."""

    def __init__(self, message: str, exit_code: int, *, command_not_found: bool) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.command_not_found = command_not_found


_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int | bytes) -> None:
    argument = value if isinstance(value, bytes) else ctypes.c_ulong(value)
    if _libc.prctl(option, argument, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def become_subreaper() -> None:
    """Orphans among this process's descendants become its children, so that none can hide. Raises OSError."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_NAME, b"k12ai-run\0")


def start(argv: Sequence[str], env: Mapping[str, str], cwd: str, stdout: int, stderr: int) -> int:
    """Starts the command in a process group of its own, which dies with this process; returns its id.

    Its standard input is empty. Raises StartError where it cannot be run, OSError where it cannot be forked.
    """
    told, tell = os.pipe()  # closes by itself when the command is executed
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _run(argv, env, cwd, (stdout, stderr, tell), parent)
    os.close(tell)
    try:
        answer = b"".join(iter(lambda: os.read(told, 256), b""))
    finally:
        os.close(told)
    if answer:
        os.waitpid(pid, 0)
        step, number = answer.decode("ascii").split()
        raise _explain(step, int(number), argv, env, cwd)
    return pid


def _run(argv: Sequence[str], env: Mapping[str, str], cwd: str, pipes: tuple[int, int, int], parent: int) -> NoReturn:
    stdout, stderr, tell = pipes
    step = "prepare"
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        for fd, to in ((null, 0), (stdout, 1), (stderr, 2)):
            os.dup2(fd, to)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError), Path("/proc/self/oom_score_adj").open("wb", buffering=0) as file:
            file.write(_OOM_SCORE)
        os.umask(0o077)
        step = "chdir"
        os.chdir(cwd)
        step = "exec"
        for number in range(1, signal.NSIG):
            with contextlib.suppress(OSError, ValueError):  # SIGKILL, SIGSTOP and libc's own
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606 - running the driver's command is what this is for
    except OSError as error:
        os.write(tell, f"{step} {error.errno or 0}".encode("ascii"))
    except BaseException:  # noqa: BLE001 - a forked child must end here, whatever happened
        os.write(tell, f"{step} 0".encode("ascii"))
    finally:
        os._exit(127)


def _explain(step: str, number: int, argv: Sequence[str], env: Mapping[str, str], cwd: str) -> StartError:
    what, why = argv[0], os.strerror(number) if number else "unknown error"
    if step == "chdir":
        return StartError(f"the working directory {cwd} cannot be entered: {why}", 126, command_not_found=False)
    if step != "exec" or number not in NOT_FOUND:
        return StartError(f"the command {what!r} could not be started: {why}", 126, command_not_found=False)
    if "/" in what:
        where = Path(cwd, what)
        if number == errno.ENOENT and where.exists():
            text = f"the command {what!r} names an interpreter in its first line (#!) that does not exist"
        elif number in (errno.ENOENT, errno.ENOTDIR):
            text = f"the command {what!r} was not found: there is no such file"
        else:
            text = f"the command {what!r} cannot be executed: {why}"
    elif number in (errno.ENOENT, errno.ENOTDIR):
        text = f"the command {what!r} was not found in PATH={env.get('PATH', '')}"
    else:
        text = f"the command {what!r} cannot be executed: {why} (PATH={env.get('PATH', '')})"
    return StartError(text, 127 if number in (errno.ENOENT, errno.ENOTDIR) else 126, command_not_found=True)
