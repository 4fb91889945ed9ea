"""Where the server listens and what a client may send: `[server]`, `[channel]` and `[sse]`."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import Field, field_validator

from .section import Bytes, Count, Seconds, Section

PER_ADDRESS = "Of one address; no default: as many as in all where the server listens on loopback, else a quarter."


class ServerSettings(Section):
    """`[server]`: where it listens, and what a client may send."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. There is no authentication yet: keep it on loopback.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8170, description="TCP port; 0 takes any free one.")
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="Proxies before the server, as addresses or networks: their X-Forwarded-For says whose request it "
        "is. Nobody else's is believed.",
    )
    max_body_bytes: Bytes = Field(default=1 << 20, description="Largest request body, in bytes; more is answered 413.")
    body_timeout_s: Seconds = Field(
        default=30.0, description="A request's body must have arrived within so many seconds; else it is answered 408."
    )
    max_requests_running: Count = Field(
        default=256, description="REST requests handled at one time; more are answered 429."
    )
    max_requests_running_per_address: Count | None = Field(default=None, description=PER_ADDRESS)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            try:
                ip_network(entry, strict=False)
            except ValueError:
                raise ValueError(
                    f"{entry!r} is no address or network, such as 10.0.0.7, 10.0.0.0/8 or fd00::/8"
                ) from None
        return value


class LimitsSettings(Section):
    """`[limits]`: what all clients together, or one address, may take of the server, and how long it waits for them."""

    max_connections: Count = Field(
        default=12_000, description="Open TCP connections; more are answered 429 and closed."
    )
    max_connections_per_address: Count | None = Field(default=None, description=PER_ADDRESS)
    max_header_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=64 << 10, description="Request line and headers, in bytes; more is answered 431."
    )
    max_query_bytes: Count = Field(
        default=8192, description="What stands in a URL behind the `?`, in bytes; more is answered 414."
    )
    max_filter_values: Annotated[int, Field(ge=1, le=16)] = Field(
        default=16, description="Values in both lists of a filter together (8 each at most); more is refused: 100102."
    )
    header_timeout_s: Seconds = Field(
        default=20.0, description="A connection's first request must have come, with all its headers, within so long."
    )
    keep_alive_s: Seconds = Field(
        default=75.0, description="Every further one must have, counted from the answer before; else it is closed."
    )
    send_timeout_s: Seconds = Field(
        default=60.0,
        description="Who takes nothing of an answer or event stream that waits for him for so long is cut off. A "
        "WebSocket has its pings.",
    )


class ChannelSettings(Section):
    """`[channel]`: the WebSocket."""

    max_connections: Count = Field(default=10_000, description="Open WebSockets; more are closed with 1013.")
    max_connections_per_address: Count | None = Field(default=None, description=PER_ADDRESS)
    max_frame_bytes: Bytes = Field(
        default=256 << 10, description="Largest frame from a client, in bytes; more closes with 1009."
    )
    max_subscriptions: Count = Field(default=64, description="Subscriptions and statistics streams per connection.")
    buffer_bytes: Bytes = Field(
        default=1 << 20,
        description="Unsent bytes per connection (WebSocket or event stream) before it is fed from the store instead.",
    )
    ping_interval_s: Seconds = Field(default=30.0, description="Seconds between pings.")
    pong_timeout_s: Seconds = Field(
        default=30.0, description="Seconds without a pong before the connection is closed with 4408."
    )
    bookmark_s: Seconds = Field(
        default=30.0, description="Seconds of silence before a subscription or an event stream gets a bookmark."
    )


class SseSettings(Section):
    """`[sse]`: event streams (server-sent events)."""

    max_streams: Count = Field(default=5000, description="Open event streams; more are answered 429.")
    max_streams_per_address: Count | None = Field(default=None, description=PER_ADDRESS)
    retry_s: Seconds = Field(
        default=2.0,
        description="How long browsers wait before they come back when the server goes away; each is told a time "
        "between this and three times as much, so that not all come at once.",
    )
