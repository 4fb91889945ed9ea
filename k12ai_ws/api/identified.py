"""Every request has an id: the caller's own (`X-Request-ID`) where it is one, else a new one. The answer repeats it."""

import re
from collections.abc import Callable

from tornado.web import RequestHandler

from k12ai_ws.serverlog import note

WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
HEADER = "X-Request-ID"


class Identified(RequestHandler):
    """A handler whose request has an id; the log's lines about it carry it too."""

    request_id = ""

    def identify(self, new_id: Callable[[], str]) -> None:
        """Finds the request's id. Called in `initialize`."""
        given = self.request.headers.get(HEADER, "")
        self.request_id = given if WELL_FORMED.fullmatch(given) else new_id()
        self.set_header(HEADER, self.request_id)

    def clear(self) -> None:
        """See RequestHandler; an error's answer has the id too."""
        super().clear()
        if self.request_id:
            self.set_header(HEADER, self.request_id)

    def prepare(self) -> None:
        """See RequestHandler: from here on the request's task says which one it is."""
        note(request_id=self.request_id)
