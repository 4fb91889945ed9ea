"""A finished traceback -> the contract's error detail: frames, text, chain, group, notes, fingerprint."""

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from k12ai_ws.logs.limits import Limits
from k12ai_ws.wire.bodies import Json

from . import syntax
from .part import Part

if TYPE_CHECKING:
    from .block import Block

_LIBRARY = re.compile(
    r"[/\\](?:site-packages|dist-packages)[/\\]|[/\\]lib(?:64)?[/\\]python\d|[/\\]Lib[/\\]|^<(?!stdin>|string>|ipython)"
)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_SUGGESTION = re.compile(r"\.? (?:Did you mean:? .{1,200}\?|(?:Or d|D)id you forget to import .{1,200}\?)$")
_SUGGESTING = ("NameError", "AttributeError", "ImportError", "ModuleNotFoundError")
"""Python adds a suggestion to what it prints of these; it is no part of their own text."""
_SLASH = re.compile(r"[/\\]")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def frames_of(lines: Sequence[str], limits: Limits, roots: Sequence[str] | None) -> list[dict[str, Json]]:
    """The frames of these lines, in their order. A frame that Python printed as repeated carries `repeated`."""
    frames: list[dict[str, Json]] = []
    code: list[str] = []

    def close() -> None:
        if frames and code:
            frames[-1]["source"] = _source(code)
        code.clear()

    for line in lines:
        match = syntax.FRAME.match(line)
        if match:
            close()
            name = match[1]
            frames.append(
                {
                    "filename": name,
                    "linenum": int(match[2][:9]),
                    "funcname": (match[3] or "").strip(),
                    "source": "",
                    "in_app": in_app(name, roots),
                }
            )
        elif repeated := syntax.REPEATED.match(line):
            close()
            if frames:
                frames[-1]["repeated"] = int(repeated[1][:9])
        elif frames:
            code.append(line)
    close()
    if len(frames) > limits.frames:
        half = limits.frames // 2
        del frames[half : len(frames) - half]
    return frames


def _source(code: list[str]) -> str:
    """The code lines under a frame, without the markers under them and without their common indentation."""
    kept = [line for i, line in enumerate(code) if not (i and syntax.is_carets(line))]
    indent = min((len(line) - len(line.lstrip()) for line in kept if line.strip()), default=0)
    return "\n".join(line[indent:].rstrip() for line in kept).strip("\n")


def in_app(filename: str, roots: Sequence[str] | None) -> bool:
    """Whether a file is the user's own code, not a library's. `roots`, where given, say where that code lives."""
    if _LIBRARY.search(filename):
        return False
    return not roots or not filename.startswith("/") or any(filename.startswith(root) for root in roots)


def exception_detail(parts: Sequence[Part], limits: Limits, roots: Sequence[str] | None) -> dict[str, Json]:
    """The last of these exceptions with the ones before it as its `chain`, oldest first."""
    detail = _one(parts[-1], limits, roots)
    detail["chain"] = [
        {**_one(part, limits, roots), "relation": part.relation or "context"}
        for part in parts[:-1]
        if part.exc_type or part.frames
    ]
    return detail


def _one(part: Part, limits: Limits, roots: Sequence[str] | None) -> dict[str, Json]:
    text = "\n".join(part.text)
    suggestion = _SUGGESTION.search(text) if (part.exc_type or "") in _SUGGESTING else None
    if suggestion:
        text = text[: suggestion.start()]
    out: dict[str, Json] = {
        "exc_type": part.exc_type,
        "exc_text": text[: limits.text_chars],
        "traceback": frames_of(part.frames, limits, roots),
    }
    if len(text) > limits.text_chars:
        out["truncated"] = len(text) - limits.text_chars
    if suggestion:
        out["suggestion"] = suggestion[0].lstrip(". ")
    if part.group:
        out["group"] = _placed(part.group, roots) if roots else part.group
    if part.notes:
        out["notes"] = list(part.notes)
    return out


def _placed(members: list[Json], roots: Sequence[str]) -> list[Json]:
    """The members of a group with `in_app` as these roots say."""
    out = []
    for member in members:
        frames = [{**frame, "in_app": in_app(frame["filename"], roots)} for frame in member["traceback"]]
        placed = {**member, "traceback": frames, "chain": _placed(member.get("chain", []), roots)}
        if "group" in member:
            placed["group"] = _placed(member["group"], roots)
        out.append(placed)
    return out


def block_detail(block: "Block", limits: Limits, roots: Sequence[str] | None) -> dict[str, Json]:
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


def _fatal(block: "Block", limits: Limits, roots: Sequence[str] | None) -> dict[str, Json]:
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
