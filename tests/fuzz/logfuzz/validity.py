"""Whether an event is one that the contract allows."""

import math
from collections.abc import Iterator
from numbers import Real

import orjson

from k12ai_ws.logs.batch import event_json
from k12ai_ws.logs.limits import Limits
from k12ai_ws.wire.bodies import Fault, Json, LogEvent, LogLines, Metrics, Progress
from k12ai_ws.wire.codes import Code

NAME_CHARS = 200
"""No log's metric is called longer."""
MESSAGE_CHARS = 4_000
DESC_CHARS = 1_000
KNOWN_CODES = frozenset(int(code) for code in Code)


def wrong(event: LogEvent, limits: Limits) -> Iterator[str]:
    """What is wrong with an event, in words."""
    try:
        orjson.dumps(event_json(event))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        yield f"it is no JSON: {error!r}"
    if isinstance(event, Metrics):
        yield from _metrics(event, limits)
    elif isinstance(event, Progress):
        yield from _progress(event)
    elif isinstance(event, LogLines):
        yield from _lines(event, limits)
    elif isinstance(event, Fault):
        yield from _fault(event, limits)
    else:
        yield f"a {type(event).__name__} comes out of no log"


def _number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _metrics(event: Metrics, limits: Limits) -> Iterator[str]:
    if not event.values:
        yield "metrics without a metric"
    if len(event.values) > limits.names:
        yield f"{len(event.values)} metrics in one event"
    for name, value in event.values.items():
        if not isinstance(name, str) or not name.strip() or len(name) > NAME_CHARS or not name.isprintable():
            yield f"a metric's name is {name!r:.300}"
        if value is not None and not _number(value):
            yield f"a metric's value is {value!r:.100}"


def _progress(event: Progress) -> Iterator[str]:
    if not _number(event.value) or not 0 <= event.value <= 1:
        yield f"progress.value is {event.value!r}"
    for what in ("current", "total", "eta_s", "rate"):
        value = getattr(event, what, None)
        if value is not None and not (_number(value) and value >= 0):
            yield f"progress.{what} is {value!r}"
    for what in ("unit", "desc"):
        text = getattr(event, what)
        if text is not None and (not isinstance(text, str) or not text or len(text) > DESC_CHARS):
            yield f"progress.{what} is {text!r:.300}"


def _lines(event: LogLines, limits: Limits) -> Iterator[str]:
    if not event.lines or len(event.lines) > limits.lines_per_event:
        yield f"{len(event.lines)} lines in one event"
    if event.stream not in ("stdout", "stderr") or event.truncated < 0:
        yield f"stream {event.stream!r}, truncated {event.truncated}"
    for line in event.lines:
        if len(line) > limits.line_chars:
            yield f"a line of {len(line)} characters"
        if any(end in line for end in "\n\r\x08\x0b\x1b\x00"):
            yield f"a control character in a line: {line!r:.200}"


def _fault(event: Fault, limits: Limits) -> Iterator[str]:
    if event.severity not in ("error", "warning") or int(event.code) not in KNOWN_CODES:
        yield f"severity {event.severity!r}, code {event.code!r}"
    if event.message is not None and (not event.message or len(event.message) > MESSAGE_CHARS):
        yield f"a message of {len(event.message)} characters"
    if event.message and ("is switched off for this job" in event.message or "本任务中已停用" in event.message):
        yield f"a parser raised: {event.message}"
    detail = event.detail
    if "traceback" in detail:
        yield from _exception(detail, limits, 0)
        if len(detail.get("raw") or "") > limits.raw_chars + 100:
            yield f"detail.raw has {len(detail['raw'])} characters"
        if not detail.get("fingerprint"):
            yield "no fingerprint"
        if "rank" in detail and not (isinstance(detail["rank"], int) and 0 <= detail["rank"] < 2**63):
            yield f"rank is {detail['rank']!r:.100}"
        size, most = len(orjson.dumps(dict(detail), default=str)), 6 * (4 * limits.block_chars + 50_000)
        if size > most:
            yield f"a detail of {size} bytes, more than {most}"


def _exception(detail: Json, limits: Limits, depth: int) -> Iterator[str]:
    kind = detail.get("exc_type")
    if kind is not None and (not isinstance(kind, str) or not kind):
        yield f"exc_type is {kind!r}"
    if not isinstance(detail.get("exc_text"), str) or len(detail["exc_text"]) > limits.text_chars:
        yield f"exc_text is {detail.get('exc_text')!r:.100}"
    if len(detail["traceback"]) > limits.frames:
        yield f"{len(detail['traceback'])} frames"
    for frame in detail["traceback"]:
        good = isinstance(frame["filename"], str) and isinstance(frame["funcname"], str) and "source" in frame
        line = frame["linenum"]
        if not good or not isinstance(frame["in_app"], bool) or not (isinstance(line, int) and line >= 0):
            yield f"a frame is {frame!r:.300}"
    for note in detail.get("notes", ()):
        if not isinstance(note, str):
            yield f"a note is {note!r:.100}"
    for link in detail.get("chain", ()):
        if link.get("relation") not in ("cause", "context"):
            yield f"a relation is {link.get('relation')!r:.100}"
    if depth < 200:
        for inner in (*detail.get("chain", ()), *detail.get("group", ())):
            yield from _exception(inner, limits, depth + 1)
