"""Where the server listens and what a client may send: `[server]`, `[channel]` and `[sse]`."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from .section import Bytes, Count, Seconds, Section, absolute

PER_ADDRESS = "Of one address; no default: as many as in all on loopback without trusted proxies, else a quarter."


class ServerSettings(Section):
    """`[server]`: where it listens, and what a client may send."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. One that other machines reach needs tokens, and TLS: docs/security.md.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8170, description="TCP port; 0 takes any free one.")
    tls_cert: Path | None = Field(
        default=None, description="Certificate (PEM, with its chain) for TLS of the server's own; no default: none."
    )
    tls_key: Path | None = Field(default=None, description="The certificate's private key (PEM).")
    tls_check_s: Seconds = Field(
        default=60.0, description="Seconds between two looks at whether the certificate was renewed."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Names by which clients may call, as in the header Host, without a port. On loopback they come to "
        "localhost and 127.0.0.1; elsewhere, with none named here, any name is taken.",
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(),
        description="Other origins whose pages may call with a token, such as https://school.example; a page of the "
        "server's own origin always may.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="Addresses or networks of proxies with TLS in front of the server. Their X-Forwarded-For and "
        "X-Forwarded-Proto are believed; where the server has no TLS of its own, others must come through them.",
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
                network = ip_network(entry, strict=False)
            except ValueError:
                raise ValueError(
                    f"{entry!r} is no address or network, such as 10.0.0.7, 10.0.0.0/8 or fd00::/8"
                ) from None
            if network.prefixlen == 0:
                raise ValueError(
                    f"{entry!r} is everybody, who could say whose request theirs is; name the proxies alone"
                )
        return value

    @field_validator("tls_cert", "tls_key")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value and absolute(value)

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parts = urlsplit(text)
            if parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != text or not parts.netloc:
                raise ValueError(f"{text!r} is no origin, such as https://school.example or http://localhost:3000")
        return tuple(text.lower() for text in value)

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not text or set(text) & set("/*@ \t") or (":" in text and not text.startswith("[")):
                raise ValueError(f"{text!r} is no host's name, such as ai.school.example (without a port)")
        return tuple(text.lower().strip("[]") for text in value)


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
