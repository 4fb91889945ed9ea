"""What Tornado refuses by itself, in the contract's words."""

from tornado.web import HTTPError, RequestHandler

from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code

METHODS = ("GET", "POST", "DELETE")


def refused_by_tornado(handler: RequestHandler, status: int, error: BaseException | None) -> Fault:
    """No such route, a method that a route does not have, a malformed request. Sets Allow where that is due."""
    path = handler.request.path
    if status == 405:
        has = (m for m in METHODS if getattr(type(handler), m.lower()) is not getattr(RequestHandler, m.lower()))
        allowed = ", ".join(has)
        handler.set_header("Allow", allowed)
        return Fault(Code.VALUE_INVALID, f"{path} takes {allowed}, not {handler.request.method}")
    if status == 404:
        return Fault(Code.NOT_FOUND, f"there is nothing at {path}; docs/rest.md lists the routes")
    if isinstance(error, HTTPError) and status < 500:
        return Fault(Code.VALUE_INVALID, error.log_message or "bad request")
    return Fault(Code.UNKNOWN, "the server failed at this request; its log says how")
