"""How a line is spelt: for people at a terminal, or as JSON for programs that gather logs."""

import logging
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import orjson

from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.envelope import encode

from .about import About

MAX_LINE = 16 << 10
"""Characters of one message, and of one traceback: what is longer is cut, and says so."""
CONTROLS = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160))} | {10: "\\n", 13: "\\r", 9: "\t"}
"""What a client sent may stand in a message: it must not look like a line of its own, nor command a terminal."""


def json_line(record: logging.LogRecord, about: About, redact: Callable[[str], str] = str) -> str:
    """`{time, level, logger, message}`, the ids that are known, the record's `fields`, and `exception`."""
    line: dict[str, Json] = {
        "time": _time(record),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _cut(record.getMessage()),
    }
    line |= {k: v for k, v in about._asdict().items() if v} | dict(fields_of(record))
    line = {k: redact(v) if isinstance(v, str) else v for k, v in line.items()}
    if fault := _fault(record):
        line["exception"] = redact(fault)
    return encode(line).decode()


def console_line(record: logging.LogRecord, about: About, redact: Callable[[str], str] = str) -> str:
    """`TIME LEVEL logger: message [request=… job=… user=…]`, a traceback in lines of its own below."""
    ids = " ".join(f"{k.removesuffix('_id')}={v}" for k, v in about._asdict().items() if v)
    text = f"{record.getMessage()} [{ids}]" if ids else record.getMessage()
    line = f"{_time(record)} {record.levelname} {record.name}: {redact(_cut(text)).translate(CONTROLS)}"
    told = [f"  {one.translate(CONTROLS)}" for one in redact(_fault(record)).split("\n") if one]
    return "\n".join((line, *told))


def fields_of(record: logging.LogRecord) -> Mapping[str, Json]:
    """What the line says beside its message: `extra={"fields": {...}}`, JSON values."""
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, Mapping) else {}


def dropped_line(count: int, *, as_json: bool) -> str:
    """Says that so many lines are missing here."""
    text = f"{count} lines of this log were dropped here: nobody took them as fast as they came"
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    if not as_json:
        return f"{now} WARNING {__name__}: {text}"
    return orjson.dumps(
        {"time": now, "level": "warning", "logger": __name__, "message": text, "dropped": count}
    ).decode()


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _fault(record: logging.LogRecord) -> str:
    found = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else record.exc_text or ""
    if record.stack_info:
        found += record.stack_info
    return _cut(found.rstrip("\n"))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]}... ({len(text)} characters)"
