"""What each route is for: its request, its answers and its errors. The table of routes itself is `api/routes.py`."""

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel

from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.queries import AllEventsQuery, EventsQuery, JobsQuery
from k12ai_ws.wire.requests import FrameworkRequest, SessionRequest, StatsRequest

JSON = "application/json"
PLAIN = "text/plain"
STREAM = "text/event-stream"


class Success(NamedTuple):
    """An answer that is no error: the schema of the components that it has (None: free), and its media type.

    `streamed`: with `Accept: text/event-stream` it is an event stream. `empty`: it has no body.
    """

    text: str
    schema: str | None = None
    media: str = JSON
    streamed: bool = False
    empty: bool = False


class Described(NamedTuple):
    """One route. `errors` are the codes that it may answer with, beside those that every route has."""

    operation_id: str
    summary: str
    answers: Mapping[int, Success]
    description: str = ""
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: tuple[Code, ...] = ()
    envelope: bool = True


EVERYWHERE = (
    Code.VALUE_INVALID,
    Code.NOT_AUTHENTICATED,
    Code.NOT_ALLOWED,
    Code.PAYLOAD_TOO_LARGE,
    Code.TOO_MANY,
    Code.UNKNOWN,
)
"""Codes that any request may be answered with."""
JOB_REFUSED = (
    Code.STOPPED,
    Code.KEY_MISSING,
    Code.NOT_JSON,
    Code.SERVICE_NOT_FOUND,
    Code.ENGINE_FAILED,
    Code.ALREADY_RUNNING,
    Code.NOT_FOUND,
    Code.MODEL_MISSING,
    Code.QUEUE_FULL,
    Code.MODEL_BROKEN,
    Code.DATASET_MISSING,
    Code.PREDICT_FILE_MISSING,
    Code.PARAMS_INVALID,
    Code.INPUT_FILE_MISSING,
    Code.PARAM_MISSING,
    Code.CONFIGURATION,
    Code.NOT_IMPLEMENTED,
)
PAGE = Success("A page of events; `next` is the next `after`, null at the end.", "Events", streamed=True)
LIVE = (
    "With `Accept: text/event-stream` the live stream (server-sent events): the data of each is an envelope, its id, "
    "`EPOCH:SEQ`, is what `Last-Event-ID` resumes from; `limit` is left out."
)
WEBSOCKET = """\
The channel: subscriptions, statistics and every REST request over one WebSocket (RFC 6455, version 13).

A client's frame is a JSON text `{"tag", "op", "id", ...}`; `id` comes back in the answer.
- `channel` `subscribe` with `filter` (`user`, `service_uuid`, `service_name`, `job_id`, `tag`, `type`) and `after`
  (`now`, `start`, or a `seq`, with its `epoch`): acknowledged with `{code, epoch, head, recovered}`, then events in
  order of `seq`, with no gap and no repeat. A `seq` or `epoch` that is not of this log gets 100107, and the stream
  begins at the earliest event.
- `channel` `unsubscribe`, `ping`; `framework` `{task}.start` and `{task}.stop`; `platform` `stats`, with `every` as a
  stream.
Frames from the server are envelopes as here. Close codes: 1001 the server is going away, 1007 a text that is not UTF-8,
1009 a frame that is too big, 1013 too many connections, 4401, 4403, 4408 no pong. docs/channel.md has it all.
"""

DESCRIBED: Mapping[tuple[str, str], Described] = {
    ("POST", "/k12ai/framework/{task}"): Described(
        "startOrStop",
        "Start or stop a job",
        {202: Success("The job's status: queued, starting, or of a stop stopping or stopped.", "StatusMessage")},
        "A (`user`, `service_uuid`) has one active job at a time. `{task}.stop` ends it; `service_params` is `{}`.",
        body=FrameworkRequest,
        errors=JOB_REFUSED,
    ),
    ("GET", "/k12ai/framework/services"): Described(
        "listServices",
        "What can be started, and plugins that failed to load",
        {200: Success("The services with the JSON Schema of each task's service_params.", "Services")},
    ),
    ("GET", "/k12ai/framework/jobs"): Described(
        "listJobs",
        "Jobs, newest first, page by page",
        {200: Success("A page of jobs; `next` is the `cursor` of the next one, null at the end.", "Jobs")},
        query=JobsQuery,
    ),
    ("GET", "/k12ai/framework/jobs/{job_id}"): Described(
        "getJob", "One job", {200: Success("The job.", "OneJob")}, errors=(Code.NOT_FOUND,)
    ),
    ("GET", "/k12ai/framework/jobs/{job_id}/events"): Described(
        "listEvents",
        "A job's stored events, oldest first",
        {
            200: PAGE,
            204: Success("Of a stream: the job has ended, and nothing comes after the place given.", empty=True),
        },
        f"Events of type `log` come only where `type` names them. {LIVE} It ends with the job.",
        query=EventsQuery,
        errors=(Code.NOT_FOUND, Code.EVENTS_PRUNED),
    ),
    ("GET", "/k12ai/events"): Described(
        "listAllEvents",
        "The stored events of all jobs, or of those that the query names",
        {200: PAGE},
        f"Events of type `log` come only where `type` names them. {LIVE} It begins now unless `after` says otherwise.",
        query=AllEventsQuery,
        errors=(Code.EVENTS_PRUNED,),
    ),
    ("POST", "/k12ai/platform/stats"): Described(
        "readStats",
        "Statistics of the host and of running jobs",
        {
            200: Success("The statistics.", "Stats"),
            202: Success("They will be pushed to the channel subscriptions of `username`.", "Acknowledgement"),
        },
        body=StatsRequest,
        errors=(Code.KEY_MISSING, Code.NOT_JSON),
    ),
    ("GET", "/k12ai/session"): Described(
        "whoAmI", "Who calls", {200: Success("The caller: its kind, id, user, and whether it is an admin.", "Session")}
    ),
    ("POST", "/k12ai/session"): Described(
        "logIn",
        "Make a session for a page",
        {200: Success("The session; its cookie is HttpOnly. What changes something needs `csrf_header`.", "Session")},
        "Give either `token`, or `username` and `password` of a user that the operator made.",
        body=SessionRequest,
        errors=(Code.KEY_MISSING, Code.NOT_JSON),
    ),
    ("DELETE", "/k12ai/session"): Described(
        "logOut",
        "End the session that the request came with",
        {200: Success("It is ended, and its cookie cleared.", "Acknowledgement")},
        errors=(Code.NOT_FOUND,),
    ),
    ("GET", "/k12ai/ws"): Described(
        "openChannel",
        "The channel, a WebSocket",
        {101: Success("The connection is a WebSocket from here on.", empty=True)},
        WEBSOCKET,
    ),
    ("GET", "/health"): Described("health", "Whether the process lives", {200: Success("It does.", "Acknowledgement")}),
    ("GET", "/ready"): Described(
        "ready",
        "Whether jobs can be run now",
        {200: Success("Every check passed.", "Ready")},
        "503 where a check fails; `error.detail` has the same checks.",
        errors=(Code.ENGINE_FAILED,),
    ),
    ("GET", "/metrics"): Described(
        "metrics",
        "What the server measures, for Prometheus",
        {200: Success("Prometheus' text format, or OpenMetrics where `Accept` asks for it.", None, PLAIN)},
    ),
    ("GET", "/openapi.json"): Described("openapi", "This document", {200: Success("OpenAPI 3.1.")}, envelope=False),
}
