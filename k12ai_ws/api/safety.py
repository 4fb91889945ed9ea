"""Headers that keep browsers from doing with an answer what it is not meant for, and those that answer theirs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code

from .origins import CSRF_HEADER, is_allowed

ANSWERS: Final = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
"""On every answer: JSON that no page shows, frames or executes. The server's own pages need a policy of their own."""
KEPT: Final = (
    *ANSWERS,
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Strict-Transport-Security",
    "Vary",
)
"""What an answer that is more than one (an event stream) has of these headers, too."""
HSTS: Final = "max-age=31536000"
EXPOSED: Final = "Retry-After, WWW-Authenticate, X-Request-ID"


def cors(origin: str | None, allowed: tuple[str, ...], *, preflight: bool = False) -> Mapping[str, str]:
    """For pages of other origins that the operator allows: they call with a token, never with a cookie."""
    vary = {"Vary": "Origin"} if allowed else {}
    if origin is None or not is_allowed(origin, allowed):
        return vary
    found = vary | {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": EXPOSED,
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    if preflight:
        found |= {
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Allow-Headers": "Accept-Language, Authorization, Content-Type, Idempotency-Key, "
            f"Last-Event-ID, {CSRF_HEADER}, X-Request-ID",
            "Access-Control-Max-Age": "600",
        }
    return found


def of_fault(fault: Fault) -> Mapping[str, str]:
    """What HTTP wants beside an error: how to authenticate, or when to come again."""
    found = {}
    if fault.code == Code.NOT_AUTHENTICATED:
        found["WWW-Authenticate"] = 'Bearer realm="k12ai"'
    wait = fault.detail.get("retry_after_s")
    if fault.code == Code.TOO_MANY and isinstance(wait, int):
        found["Retry-After"] = str(wait)
    return found
