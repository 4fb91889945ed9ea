"""The envelope around every answer and every event, and its bytes.

Field order is fixed, so the same event always encodes to the same bytes; `seq` is spliced in at the end by the
store, which alone knows it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from .bodies import Body, Json
from .codes import Language

VERSION = "0.1.0"
"""The version of the message format (the field `version`)."""
MAX_FLOAT_BITS = 1024
"""An integer of so many bits is beyond the largest float."""


def rfc3339(at_ms: int) -> str:
    """`at_ms` (milliseconds since the epoch, UTC) as RFC 3339 with offset and milliseconds.

    >>> rfc3339(0)
    '1970-01-01T00:00:00.000+00:00'
    """
    seconds, ms = divmod(at_ms, 1000)
    return datetime.fromtimestamp(seconds, UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{ms:03d}+00:00")


def envelope(
    body: Body,
    *,
    tag: str,
    op: str,
    at_ms: int,
    user: str = "",
    service_uuid: str = "",
    language: Language = "en",
    extra: Mapping[str, Json] | None = None,
) -> dict[str, Json]:
    """One message of the contract. `extra` adds `service_name`, `job_id`, `id` where they are known."""
    message: dict[str, Json] = {
        "version": VERSION,
        "type": body.type,
        "tag": tag,
        "op": op,
        "user": user,
        "service_uuid": service_uuid,
        "timestamp": at_ms,
        "datetime": rfc3339(at_ms),
        body.type: body.body(language),
    }
    message.update(extra or {})
    return message


def encode(message: Json) -> bytes:
    """The message as UTF-8 JSON. Raises TypeError for what JSON cannot carry.

    Text that Python could not decode (lone surrogates, as in the names of odd files) gets U+FFFD in their place, and an
    integer of more than 64 bits becomes a float: an event about strange data must not fail for being strange.
    """
    try:
        return orjson.dumps(message)
    except TypeError:
        try:
            return orjson.dumps(_plain(message))
        except RecursionError as e:
            raise TypeError("the value is nested too deeply for JSON") from e


def _plain(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, int) and not -(1 << 63) <= value < (1 << 64):
        return float(value) if value.bit_length() < MAX_FLOAT_BITS else None
    if isinstance(value, Mapping):
        return {_plain(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def with_seq(encoded: bytes, seq: int) -> bytes:
    """The encoded message with its sequence number as the last field.

    >>> with_seq(b'{"type":"log"}', 7)
    b'{"type":"log","seq":7}'
    """
    return b'%b,"seq":%d}' % (encoded[:-1], seq)


def with_id(encoded: bytes, request_id: str | None) -> bytes:
    """The encoded message with the `id` of the channel request that it answers, if there was one.

    >>> with_id(b'{"type":"info"}', "7")
    b'{"type":"info","id":"7"}'
    """
    return encoded if request_id is None else b'%b,"id":%b}' % (encoded[:-1], orjson.dumps(request_id))
