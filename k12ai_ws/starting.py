"""What a server takes hold of before it makes anything: its data folder, its sockets."""

import errno
import fcntl
import os
from pathlib import Path
from socket import gaierror, socket

from tornado.netutil import bind_sockets

from k12ai_ws.settings.server import ServerSettings


class StartError(Exception):
    """The server cannot start; the text says why, and what to do."""


def take_data_dir(path: Path) -> int:
    """Makes the data folder, private to this user, and locks it: one server per folder. Raises StartError."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise StartError(f"the data folder {path} cannot be used: {e.strerror}; choose another --data-dir") from e
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        os.close(lock)
        if isinstance(e, BlockingIOError):
            text = f"another server uses the data folder {path}: stop it, or choose another --data-dir"
        else:
            text = f"the data folder {path} cannot be locked: {e.strerror}; choose another --data-dir, on a local disk"
        raise StartError(text) from None
    return lock


def bind(server: ServerSettings) -> list[socket]:
    """The listening sockets. Raises StartError where the address cannot be had."""
    try:
        return list(bind_sockets(server.port, address=server.host))
    except OSError as e:
        if isinstance(e, gaierror) or e.errno == errno.EADDRNOTAVAIL:
            what = "choose another --host: a name or an address of this machine (0.0.0.0 is all of them)"
        else:
            what = "choose another --port (0 takes any free one)"
        raise StartError(f"cannot listen on {server.host}:{server.port}: {e.strerror or e}; {what}") from e
