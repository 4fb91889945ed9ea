"""Other people's pages: an origin of its own, that the server knows nothing of."""

import contextlib
from collections.abc import AsyncIterator

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from .page import FRONT_END


class Elsewhere(RequestHandler):
    """A page that may do all that a page may."""

    def get(self) -> None:
        self.finish(f"<!doctype html><title>elsewhere</title><script>\n{FRONT_END}\n</script>")


@contextlib.asynccontextmanager
async def other_site() -> AsyncIterator[int]:
    """Its port, on this machine."""
    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([("/", Elsewhere), ("/favicon.ico", Elsewhere)], log_function=lambda _: None))
    server.add_sockets(sockets)
    try:
        yield int(sockets[0].getsockname()[1])
    finally:
        server.stop()
        await server.close_all_connections()
