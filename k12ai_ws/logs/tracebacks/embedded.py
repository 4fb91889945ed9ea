"""Tracebacks within one line: the strings of JSON log records, and structlog's own form of an exception."""

import ast
import json
import re
from collections.abc import Callable, Iterator

from k12ai_ws.wire.bodies import Json

from .syntax import CAUSE, CONTEXT, HEADER, ODD_ESCAPE

Read = Callable[[list[str]], list[Json]]
"""Lines of a text -> the error details of the tracebacks in it."""
_ESCAPED = re.compile(r"Traceback \(most recent call last\):\\n")
_QUOTES = "\"'"
_LONGEST = 65_536
_DEEPEST = 6


def embedded_details(line: str, read: Read) -> list[Json] | None:
    """The error details of the tracebacks that a single line holds, or None where it holds none.

    `read` reads the text that stands in the line.
    """
    if len(line) > _LONGEST:
        return None
    escaped = _ESCAPED.search(line)
    if not escaped and '"exc_type"' not in line:
        return None
    at = line.find("{")
    if at >= 0 and line.rstrip().endswith("}"):
        try:
            record = json.loads(line[at:])
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            return _of_record(record, read) or None
    text = _unquoted(line, escaped.start()) if escaped else None
    return (read(_storable(text).split("\n")) or None) if text else None


def _of_record(record: dict[str, Json], read: Read) -> list[Json]:
    texts = sorted((text for text in _texts(record, 0) if HEADER + "\n" in text), key=len)
    if texts:  # the same traceback may stand in several fields, and the message before it
        return read(_storable(texts[0]).split("\n"))
    for value in record.values():
        if isinstance(value, list) and value and all(isinstance(item, dict) and "exc_type" in item for item in value):
            return read(_storable("\n".join(_structured(value))).split("\n"))
    return []


def _storable(text: str) -> str:
    """The text with what UTF-8 cannot carry replaced: JSON and Python may escape half a surrogate."""
    return text.encode("utf-8", "replace").decode()


def _texts(value: Json, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list) and depth < _DEEPEST:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, depth + 1)


def _unquoted(line: str, at: int) -> str | None:
    """The string literal around this place of a line, read as Python or JSON would; None where it has no end."""
    start = max(line.rfind(quote, 0, at) for quote in _QUOTES)
    if start < 0:
        return None
    end = start + 1
    while end < len(line) and line[end] != line[start]:
        end += 2 if line[end] == "\\" else 1
    if ODD_ESCAPE.search(line, start, end):
        return None
    try:
        value = ast.literal_eval(line[start : end + 1])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _structured(stacks: list[dict[str, Json]]) -> list[str]:
    """structlog's `dict_tracebacks` as Python would have printed it; the newest exception comes first there."""
    out: list[str] = []
    for index in range(len(stacks) - 1, -1, -1):
        stack = stacks[index]
        out.append(HEADER)
        for frame in stack.get("frames") or []:
            if isinstance(frame, dict):
                place = f"line {frame.get('lineno') or 0}, in {frame.get('name') or '<module>'}"
                out.append(f'  File "{frame.get("filename")}", {place}')
                out += [f"    {frame['line']}"] if frame.get("line") else []
        value = str(stack.get("exc_value") or "")
        out.append(f"{stack.get('exc_type')}: {value}" if value else str(stack.get("exc_type")))
        out += [str(note) for note in stack.get("exc_notes") or []]
        if index:
            cause = stack.get("is_cause")
            out += ["", CAUSE if cause else CONTEXT, ""]
    return out
