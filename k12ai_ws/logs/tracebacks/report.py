"""A finished traceback as the contract's error detail: rank, fingerprint and the raw text beside the exception."""

import hashlib
import re
from collections.abc import Sequence

from k12ai_ws.logs.limits import Limits
from k12ai_ws.wire.bodies import Json

from . import syntax
from .block import Block
from .detail import exception_detail, frames_of

_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_SLASH = re.compile(r"[/\\]")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def block_detail(block: Block, limits: Limits, roots: Sequence[str] | None) -> dict[str, Json]:
    """The whole detail of a finished block."""
    fatal = block.kind == "fatal"
    detail = _fatal(block, limits, roots) if fatal else exception_detail(block.parts, limits, roots)
    if block.parts[-1].exc_type is None:
        detail["incomplete"] = True
    rank = syntax.rank_of(block.prefix)
    if rank is not None:
        detail["rank"] = rank
    detail["fingerprint"] = fingerprint(detail)
    raw = "\n".join(block.raw)
    if len(raw) > limits.raw_chars:
        half = limits.raw_chars // 2
        raw = f"{raw[:half]}\n[... {len(raw) - 2 * half} characters ...]\n{raw[-half:]}"
    detail["raw"] = raw
    if block.cut:
        detail["truncated"] = block.cut
    return detail


def _fatal(block: Block, limits: Limits, roots: Sequence[str] | None) -> dict[str, Json]:
    """What faulthandler printed: the current thread's stack, most recent call first there, last here."""
    part = block.parts[-1]
    lines: list[str] = []
    inside = False
    for line in part.frames:
        if line.startswith(("Current thread", "Thread 0x")):
            if lines:
                break
            inside = True
        elif inside and syntax.FRAME.match(line):
            lines.append(line)
    frames = frames_of(lines, limits, roots)[::-1]
    return {"exc_type": part.exc_type, "exc_text": "\n".join(part.text), "traceback": frames, "chain": []}


def fingerprint(detail: dict[str, Json]) -> str:
    """16 hex digits that stay the same over line numbers, addresses and numbers in the text, and library changes."""
    lines = [str(detail.get("exc_type") or "")]
    frames = detail.get("traceback") or []
    own = [frame for frame in frames if frame["in_app"]] or frames[-1:]
    lines += [
        f"{_SLASH.split(frame['filename'])[-1]}:{frame['funcname']}:{frame['source'].strip()}" for frame in own[-20:]
    ]
    first = str(detail.get("exc_text") or "").split("\n", 1)[0][:300]
    lines.append(_NUMBER.sub("0", _ADDRESS.sub("0x0", first)))
    lines += [str(link.get("exc_type")) for link in detail.get("chain") or []]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:16]
