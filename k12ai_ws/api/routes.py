"""The one table of routes."""

from importlib.metadata import version
from typing import Any, NamedTuple

from tornado.routing import URLSpec
from tornado.web import Application

from .access_log import AccessLog
from .connections import Connections
from .context import Context
from .events import AllEventsHandler, EventsHandler, JobEventsHandler
from .handlers import (
    FrameworkHandler,
    HealthHandler,
    JobHandler,
    JobsHandler,
    NotFoundHandler,
    ReadyHandler,
    ServicesHandler,
    StatsHandler,
)
from .handshake import ChannelHandler
from .metrics import MetricsHandler
from .openapi.handler import Document, OpenApiHandler
from .operations import Operations
from .sessions import SessionHandler
from .sse_frames import event_framing
from .sse_streams import Streams


class Route(NamedTuple):
    """A method, a path with its variables in braces, and who answers."""

    method: str
    path: str
    handler: type[Any]


ROUTES = (
    Route("GET", "/k12ai/framework/services", ServicesHandler),
    Route("GET", "/k12ai/framework/jobs", JobsHandler),
    Route("GET", "/k12ai/framework/jobs/{job_id}", JobHandler),
    Route("GET", "/k12ai/framework/jobs/{job_id}/events", JobEventsHandler),
    Route("GET", "/k12ai/events", AllEventsHandler),
    Route("POST", "/k12ai/framework/{task}", FrameworkHandler),
    Route("POST", "/k12ai/platform/stats", StatsHandler),
    Route("GET", "/k12ai/session", SessionHandler),
    Route("POST", "/k12ai/session", SessionHandler),
    Route("DELETE", "/k12ai/session", SessionHandler),
    Route("GET", "/k12ai/ws", ChannelHandler),
    Route("GET", "/health", HealthHandler),
    Route("GET", "/ready", ReadyHandler),
    Route("GET", "/metrics", MetricsHandler),
    Route("GET", "/openapi.json", OpenApiHandler),
)

VARIABLES = {"{job_id}": "([A-Za-z0-9][A-Za-z0-9_.-]{0,63})", "{task}": "([a-z][a-z0-9_]{0,63})"}


def pattern(path: str) -> str:
    """The path as a regular expression for Tornado."""
    for name, expression in VARIABLES.items():
        path = path.replace(name, expression)
    return path


def make_application(context: Context, connections: Connections, streams: Streams) -> Application:
    """Tornado's application over the table."""
    operations = Operations(context)
    rest: dict[str, Any] = {"context": context, "operations": operations}
    channel = rest | {"connections": connections}
    events = rest | {"streams": streams, "frame": event_framing(context.hub.epoch)}

    def needs(handler: type[Any]) -> dict[str, Any]:
        if handler is ChannelHandler:
            return channel
        return events if issubclass(handler, EventsHandler) else rest

    return Application(
        [URLSpec(pattern(r.path), r.handler, needs(r.handler)) for r in ROUTES],
        default_handler_class=NotFoundHandler,
        default_handler_args=rest,
        document=Document(
            [(r.method, r.path) for r in ROUTES], VARIABLES, lambda: context.jobs.registry, version("k12ai_ws")
        ),
        log_function=AccessLog({r.handler: r.path for r in ROUTES}, context.metrics.counted),
    )
