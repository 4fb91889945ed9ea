"""A line, and a count, for every HTTP request that was answered."""

import logging
from collections.abc import Mapping

from tornado.web import RequestHandler

from k12ai_ws.serverlog import about, current
from k12ai_ws.telemetry.counted import Counted

from .identified import Identified

QUIET = frozenset({"/health", "/ready", "/metrics"})
"""What is asked every few seconds: its lines are for who looks for them."""
UNMATCHED = "unmatched"
"""The route of a path that there is not: paths themselves are any number, and make no label."""
MAX_PATH = 200

log = logging.getLogger(__name__)


class AccessLog:
    """Called by Tornado with each handler that has answered. The query is never written: it may hold a secret."""

    def __init__(self, routes: Mapping[type[RequestHandler], str], counted: Counted) -> None:
        """`routes`: handler -> the route's template."""
        self._routes = routes
        self._counted = counted

    def __call__(self, handler: RequestHandler) -> None:
        """Counts the request, and says it."""
        request, status, seconds = handler.request, handler.get_status(), handler.request.request_time()
        method, path, route = request.method or "", request.path, self._routes.get(type(handler), UNMATCHED)
        self._counted.request(route, method, status, seconds)
        level = logging.WARNING if status >= 500 else logging.INFO
        if route in QUIET:
            level = logging.DEBUG
        if not log.isEnabledFor(level):
            return
        path = path if len(path) <= MAX_PATH else f"{path[:MAX_PATH]}... ({len(path)} characters)"
        fields = {"method": method, "path": path, "route": route, "status": status, "seconds": round(seconds, 6)}
        ids = current()._asdict()
        if isinstance(handler, Identified):  # what is answered before its body came is answered by no task of its own
            ids["request_id"] = handler.request_id
        with about(**ids):
            log.log(level, "%s %s %d in %.1f ms", method, path, status, 1000 * seconds, extra={"fields": fields})
