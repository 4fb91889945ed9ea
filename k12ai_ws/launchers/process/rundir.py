"""A run's directory: what lies in it, and who holds its lock.

    <runs_dir>/<job_id>/      mode 0700
        lock                  held (flock) by the launching server and then by the supervisor, for its whole life
        control               a FIFO on which the supervisor is asked to stop: lines of `stop <grace in seconds>`
        state.json            written right before the command is started: who supervises, and the run's marker
        journal               all that the job printed (see `recording/journal.py`)
        exit.json             how it ended: the fields of `wire.job.Exit`; written last, and once
        supervisor.log        only where the supervisor itself broke

The server takes the lock and hands it to the supervisor as an open file, so there is no moment in which a run is on
its way and its lock is free. What the files say is therefore exact:

- lock held: the run is starting, running or ending;
- lock free, no state.json: it never started, and never will;
- lock free, exit.json: it ended so;
- lock free, state.json, no exit.json: its supervisor was killed, and nobody saw the end.

Standard library only: the supervisor imports this.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

LOCK: Final = "lock"
CONTROL: Final = "control"
STATE: Final = "state.json"
BROKEN: Final = "supervisor.log"

MARKER: Final = "K12AI_RUN"
"""The environment variable by which a run's processes are known when their supervisor is gone."""


def take_lock(run: Path, *, patience_s: float = 0.0) -> int | None:
    """The run's lock as an open file descriptor (the caller closes it), or None where someone else holds it.

    A look by `is_held` holds it for an instant; `patience_s` outwaits that. The directory must exist.
    """
    until = time.monotonic() + patience_s
    while True:
        fd = os.open(run / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
        except OSError:
            os.close(fd)
            raise
        else:
            if os.fstat(fd).st_nlink:
                return fd
            os.close(fd)  # the file was removed between the open and the lock: this is another run's past
            continue
        if time.monotonic() >= until:
            return None
        time.sleep(0.002)


def is_held(run: Path) -> bool:
    """Whether someone holds the run's lock: its supervisor lives, or is being started."""
    try:
        fd = os.open(run / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that two who look do not see each other
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
