"""Who may do what: `[access]`."""

from typing import Annotated, Literal

from pydantic import Field

from .section import Bytes, Count, Seconds, Section

Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SECRET_NAMES = (
    "*password*",
    "*passwd*",
    "*passphrase*",
    "pwd",
    "*_pwd",
    "*secret*",
    "*credential*",
    "*authorization*",
    "*api_key*",
    "*apikey*",
    "*access_key*",
    "*private_key*",
    "*cookie*",
    "auth",
    "token",
    "*_token",
    "!bos_token",
    "!cls_token",
    "!eos_token",
    "!mask_token",
    "!pad_token",
    "!sep_token",
    "!unk_token",
)


class AccessSettings(Section):
    """`[access]`: who may do what."""

    mode: Literal["auto", "required", "off"] = Field(
        default="auto",
        description="Whether requests need a token. required: always. off: never, and then only on loopback. auto: on "
        "loopback from the first token or user on that was ever made, elsewhere and behind trusted proxies always.",
    )
    session_s: Seconds = Field(default=43_200.0, description="Seconds until a page's session ends.")
    max_sessions: Count = Field(default=1000, description="Sessions in all; beyond that the oldest end.")
    requests_per_s: Rate = Field(
        default=100.0, description="Requests and frames a second of one token, session or user, in the long run."
    )
    request_burst: Count = Field(default=1000, description="How many of them may come at one time.")
    address_requests_per_s: Rate = Field(
        default=500.0, description="Requests a second from one address, in the long run; where tokens are needed."
    )
    address_request_burst: Count = Field(default=5000, description="How many of them may come at one time.")
    failures_per_minute: Rate = Field(
        default=10.0, description="Wrong tokens and passwords a minute from one address, and for one user's name."
    )
    open_metrics: bool = Field(
        default=False, description="Whether /metrics needs no token, where other requests need one."
    )
    redact: tuple[str, ...] = Field(
        default=SECRET_NAMES,
        description="Names of fields that hold secrets, which are never shown: * stands for any text, ! before a "
        "pattern takes names out again.",
    )
    audit_bytes: Bytes = Field(default=10 << 20, description="Size at which a file of the audit log is put aside.")
    audit_files: Count = Field(default=10, description="Files of the audit log that are kept, the current one too.")
