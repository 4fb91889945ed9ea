"""What a client may send, and how: `[server]` and `[channel]`."""

from typing import Annotated

from pydantic import Field

from .section import Bytes, Count, Seconds, Section


class ServerSettings(Section):
    """`[server]`: where it listens, and what a client may send."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. There is no authentication yet: keep it on loopback.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8170, description="TCP port; 0 takes any free one.")
    max_body_bytes: Bytes = Field(default=1 << 20, description="Largest request body, in bytes.")
    body_timeout_s: Seconds = Field(
        default=30.0, description="A request's body must have arrived within so many seconds."
    )
    max_requests_running: Count = Field(
        default=256, description="REST requests handled at one time; more are answered 429."
    )


class ChannelSettings(Section):
    """`[channel]`: the WebSocket."""

    max_connections: Count = Field(default=10_000, description="Open WebSockets; more are closed with 1013.")
    max_frame_bytes: Bytes = Field(
        default=256 << 10, description="Largest frame from a client, in bytes; more closes with 1009."
    )
    max_subscriptions: Count = Field(default=64, description="Subscriptions and statistics streams per connection.")
    buffer_bytes: Bytes = Field(
        default=1 << 20, description="Unsent bytes per connection before it is fed from the store instead."
    )
    ping_interval_s: Seconds = Field(default=30.0, description="Seconds between pings.")
    pong_timeout_s: Seconds = Field(
        default=30.0, description="Seconds without a pong before the connection is closed with 4408."
    )
    bookmark_s: Seconds = Field(default=30.0, description="Seconds of silence before a subscription gets a bookmark.")
