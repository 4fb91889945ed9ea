"""TLS of the server's own: its certificate is read at the start, and again, without a restart, when it was renewed."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable

from k12ai_ws.settings.server import ServerSettings
from k12ai_ws.starting import StartError

log = logging.getLogger(__name__)


def own_tls(server: ServerSettings) -> ssl.SSLContext | None:
    """What the settings' certificate and key make. Raises StartError where they cannot be used."""
    cert, key = server.tls_cert, server.tls_key
    if cert is None:
        if key is not None:
            raise StartError("server.tls_key needs server.tls_cert, the certificate that belongs to it")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ValueError) as e:  # ssl.SSLError is an OSError
        raise StartError(f"TLS: {cert} (server.tls_cert) and {key or cert} (server.tls_key) cannot be used: {e}") from e
    return context


class Renewal:
    """Looks at the files every `server.tls_check_s` seconds. What cannot be used is said and not taken: certificate and
    key are written one after the other. Make it before the certificate is read for the first time.
    """

    def __init__(self, server: ServerSettings) -> None:
        self._server = server
        self._seen = self._look()
        self._failure = ""  # why what is there cannot be used; it is tried again with each look
        self._task: asyncio.Task[None] | None = None

    def start(self, take: Callable[[ssl.SSLContext], None]) -> Callable[[], Awaitable[None]]:
        """From here on `take` gets each renewed one, until what is returned is called."""
        if self._server.tls_cert is not None:
            self._task = asyncio.get_running_loop().create_task(self._watch(take), name="watch the certificate")
        return self._close

    async def _close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _watch(self, take: Callable[[ssl.SSLContext], None]) -> None:
        while True:
            await asyncio.sleep(self._server.tls_check_s)
            now = await asyncio.to_thread(self._look)
            if now == self._seen and not self._failure:
                continue
            self._seen = now
            try:
                context = await asyncio.to_thread(own_tls, self._server)
            except StartError as e:
                if str(e) != self._failure:
                    log.error("%s; connections go on with the certificate read before", e)
                self._failure = str(e)
                continue
            self._failure = ""
            if context is not None:
                take(context)
                log.info("TLS: %s was renewed: new connections have it", self._server.tls_cert)

    def _look(self) -> list[tuple[int, ...] | None]:
        """What tells whether a file is still the same one; None for one that cannot be read."""
        found: list[tuple[int, ...] | None] = []
        for path in (self._server.tls_cert, self._server.tls_key):
            try:
                state = None if path is None else path.stat()
            except OSError:
                state = None
            found.append(state and (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size))
        return found
