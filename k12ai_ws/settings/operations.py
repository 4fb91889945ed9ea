"""How the server is watched and ended: `[log]` and `[shutdown]`."""

from typing import Annotated, Literal

from pydantic import Field

from .section import Section

Pause = Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)]


class LogSettings(Section):
    """`[log]`: what the server says of itself, on stderr."""

    format: Literal["auto", "console", "json"] = Field(
        default="auto",
        description="console (for people), json (an object a line), or auto: console at a terminal, else json.",
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least level that is written: debug, info, warning or error."
    )


class ShutdownSettings(Section):
    """`[shutdown]`: how long the server takes to end. Its jobs go on."""

    notice_s: Pause = Field(
        default=0.0,
        description="Seconds between /ready saying no and the end of accepting connections: for a load balancer.",
    )
    requests_s: Pause = Field(default=10.0, description="Requests under way may take so many seconds more.")
    flush_s: Pause = Field(
        default=2.0, description="Subscribers may take what is committed for so many seconds; later they resume."
    )
