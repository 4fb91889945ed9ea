"""A finished traceback as the contract's error detail: rank, fingerprint and the raw text beside the exception."""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

from k12ai_ws.logs.limits import Limits
from k12ai_ws.logs.ranks import rank_of
from k12ai_ws.wire.bodies import Json

from . import syntax
from .block import Block
from .detail import exception_detail, frames_of

_PASSING = re.compile(
    r"0x[0-9a-fA-F]+"
    r"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|\b(?=[a-f]*\d)[0-9a-f]{8,64}\b"
    r"|(?:/private)?(?:/tmp|/var/tmp|/var/folders|/dev/shm)/[^\s'\":,;)]{1,400}"
    r"|[A-Za-z]:\\[^\s'\"]{0,200}\\Temp\\[^\s'\":,;)]{1,400}"
    r"|(?<=__autograph_generated_file)\w+"
)
"""Addresses, identifiers and temporary paths."""
_INNER = re.compile(r"Traceback \(most recent call last\)|^ray::|^in user code:")
_SLASH = re.compile(r"[/\\]")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def block_detail(block: Block, limits: Limits, roots: Sequence[str] | None) -> dict[str, Json]:
    """The whole detail of a finished block."""
    fatal = block.kind == "fatal"
    detail = _fatal(block, limits, roots) if fatal else exception_detail(block.parts, limits, roots)
    if block.parts[-1].exc_type is None:
        detail["incomplete"] = True
    rank = rank_of(block.prefix)
    if rank is not None:
        detail["rank"] = rank
    detail["fingerprint"] = fingerprint(detail)
    detail["raw"] = raw_of(block.raw, limits)
    if block.cut:
        detail["truncated"] = block.cut + detail.get("truncated", 0)
    return detail


def raw_of(lines: Sequence[str], limits: Limits) -> str:
    """The lines as one text, its middle cut where it is too long."""
    raw = "\n".join(lines)
    if len(raw) > limits.raw_chars:
        half = limits.raw_chars // 2
        raw = f"{raw[:half]}\n[... {len(raw) - 2 * half} characters ...]\n{raw[-half:]}"
    return raw


def _fatal(block: Block, limits: Limits, roots: Sequence[str] | None) -> dict[str, Json]:
    """What faulthandler printed: the current thread's stack, most recent call first there, last here."""
    part = block.parts[-1]
    threads: list[list[str]] = []
    current: list[str] | None = None
    for line in part.frames:
        if line.startswith(("Current thread", "Thread 0x")):
            threads.append([])
            if line.startswith("Current thread"):
                current = threads[-1]
        elif threads and syntax.FRAME.match(line):
            threads[-1].append(line)
    lines = current or (threads[0] if threads else [])
    frames = frames_of(lines, limits, roots)[::-1]
    return {"exc_type": part.exc_type, "exc_text": "\n".join(part.text), "traceback": frames, "chain": []}


def fingerprint(detail: dict[str, Json]) -> str:
    """16 hex digits that stay the same over line numbers, addresses, numbers, identifiers and temporary paths in the
    text, and over changes of libraries; another exception, another text or another place gives others.
    """
    lines = [str(detail.get("exc_type") or "")]
    frames = detail.get("traceback") or []
    own = [frame for frame in frames if frame["in_app"]] or frames[-1:]
    for frame in own[-20:]:
        remembers = len(frame["filename"]) + len(frame["source"]) < _REMEMBERED_CHARS
        place = (_remembered if remembers else _place)(frame["filename"], frame["funcname"], frame["source"])
        if place != lines[-1]:  # how deep a recursion went is no difference
            lines.append(place)
    text = str(detail.get("exc_text") or "")
    lines.append(_steady(text.split("\n", 1)[0][:300]))
    if _INNER.search(text):
        lines += _inner_place(text)
    lines += [str(link.get("exc_type")) for link in detail.get("chain") or []]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:16]


def _place(filename: str, funcname: str, source: str) -> str:
    return f"{_steady(_SLASH.split(filename)[-1])}:{funcname}:{source.strip()}"


_remembered = lru_cache(maxsize=500)(_place)
"""The same places come again and again."""
_REMEMBERED_CHARS = 1_000


def _steady(text: str) -> str:
    """The text without what differs from run to run."""
    return _NUMBER.sub("0", _PASSING.sub("0", text))


def _inner_place(text: str) -> list[str]:
    """The last frame's function and the last exception of a traceback that stands in a text."""
    lines = [line for line in text.split("\n")[-60:] if line.strip()]
    functions = [match[3] or "" for line in lines if (match := syntax.FRAME.match(line))]
    last = next((line for line in reversed(lines) if syntax.exception_line(line.strip(), [])), lines[-1])
    return [*functions[-1:], _steady(last.strip()[:300])]
