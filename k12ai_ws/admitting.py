"""Who may come in: `[access]` and the tokens of the data folder become the gate. `undo` learns how each ends."""

import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from socket import socket

from k12ai_ws.access.addresses import Proxies
from k12ai_ws.access.audit import FOLDER as AUDIT_FOLDER
from k12ai_ws.access.audit import Audit, AuditFiles
from k12ai_ws.access.binding import UnsafeBinding, is_exposed, require_safe
from k12ai_ws.access.file import NAME as ACCESS_FILE
from k12ai_ws.access.file import AccessError
from k12ai_ws.access.gate import Gate
from k12ai_ws.access.keyring import KeyRing
from k12ai_ws.settings import Settings
from k12ai_ws.starting import StartError


async def open_access(settings: Settings, undo: AsyncExitStack, clock_ms: Callable[[], int]) -> KeyRing:
    """The tokens, users and sessions, whatever the server's mode: one may be made while it runs."""
    keys = KeyRing(settings.data_dir / ACCESS_FILE, clock_ms)
    undo.push_async_callback(keys.close)
    try:
        await keys.start()
    except AccessError as e:
        raise StartError(str(e)) from e
    return keys


def make_gate(
    settings: Settings,
    sockets: Iterable[socket],
    keys: KeyRing,
    undo: AsyncExitStack,
    *,
    has_tls: bool,
    clock_ms: Callable[[], int],
) -> Gate:
    """Who may come in. Raises StartError where strangers could."""
    access, proxies = settings.access, Proxies(settings.server.trusted_proxies)
    exposed = is_exposed(str(bound.getsockname()[0]) for bound in sockets)
    if exposed:
        try:
            require_safe(
                settings.server.host,
                mode=access.mode,
                lets_anybody_in=keys.book.lets_anybody_in(clock_ms()),
                has_tls=has_tls,
                has_proxies=bool(proxies),
            )
        except UnsafeBinding as e:
            raise StartError(str(e)) from e
    files = AuditFiles(settings.data_dir / AUDIT_FOLDER, access.audit_bytes, access.audit_files)
    audit = Audit(files, clock_ms)
    undo.push_async_callback(audit.close)
    gate = Gate(access, keys, audit, proxies=proxies, exposed=exposed, clock_ms=clock_ms, now=time.monotonic)
    undo.callback(gate.close)
    return gate
