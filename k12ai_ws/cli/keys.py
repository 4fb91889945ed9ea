"""The access file as the commands `token` and `user` use it, whether a server runs or not."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .exits import CommandFailed

if TYPE_CHECKING:
    from k12ai_ws.access.file import AccessFile
    from k12ai_ws.settings import Settings


@contextlib.contextmanager
def access_file(settings: "Settings", *, make: bool = False) -> Iterator["AccessFile"]:
    """The data folder's access file; where there is none, it is made if `make`. Raises CommandFailed."""
    from k12ai_ws.access.file import NAME, AccessError, AccessFile

    folder = settings.data_dir
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        raise CommandFailed(f"{folder} belongs to another user: call this as the user that the server runs as")
    if not make and not os.path.lexists(folder / NAME):
        raise CommandFailed(f"nobody has made a token or a user in {folder}: name the server's folder with --data-dir")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _as_owner(folder), contextlib.closing(AccessFile(folder / NAME)) as file:
            yield file
    except (AccessError, OSError) as e:
        raise CommandFailed(str(e)) from e


@contextlib.contextmanager
def _as_owner(folder: Path) -> Iterator[None]:
    """Root acts as the folder's owner meanwhile: a link that the server's user left there leads root nowhere, and what
    is made is the server's.
    """
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(os.getgid())
        os.setgroups(groups)


def note(settings: "Settings", op: str, **facts: object) -> None:
    """Writes into the audit log that whoever is logged in on this machine did this. Raises CommandFailed."""
    import time

    from k12ai_ws.access.audit import FOLDER, AuditFiles, entry

    files = AuditFiles(settings.data_dir / FOLDER, settings.access.audit_bytes, settings.access.audit_files)
    line = entry(op, "ok", time.time_ns() // 1_000_000, None, local_uid=os.getuid(), **facts)
    try:
        with _as_owner(settings.data_dir):
            files.append([line])
    except OSError as e:
        raise CommandFailed(f"it is done, but the audit log cannot be written: {e}") from e


def utc(at_ms: int | None) -> str:
    """`2026-11-23 09:15:02`, or nothing."""
    from k12ai_ws.wire.envelope import rfc3339

    from .output import short_time

    return "" if at_ms is None else short_time(rfc3339(at_ms))
