"""An exception's lines -> the contract's error detail: frames, text, chain, group, notes."""

import re
from collections.abc import Sequence
from functools import lru_cache

from k12ai_ws.logs.limits import Limits
from k12ai_ws.wire.bodies import Json

from . import syntax
from .part import Part

_LIBRARY = re.compile(
    r"[/\\](?:site-packages|dist-packages)[/\\]"  # installed: in the system, an environment or a project's own
    r"|[/\\]lib(?:64)?[/\\](?:python|pypy)\d(?:\.\d+)?t?[/\\]|\.zip[/\\]|^[A-Za-z]:\\[^:]{0,200}\\(?:Lib|lib\\site-packages)\\"
    r"|[/\\]Python\.framework[/\\]|[/\\]pypy[^/\\]*[/\\]lib|[/\\]\.pyenv[/\\]versions[/\\]"
    r"|[/\\](?:\.eggs|[^/\\]+\.egg)[/\\]|__autograph_generated_file|^code/__torch__|[/\\]\.vscode(?:-server)?[/\\]"
    r"|^<(?!stdin>|string>|ipython|unknown>|module>)"
)
"""Where code lies that is not the user's: libraries, the interpreter's own files, code that libraries generate."""
_REMEMBERED_CHARS = 4_000
_SUGGESTION = re.compile(r"\.? (?:Did you mean:? .{1,200}\?|(?:Or d|D)id you forget to import .{1,200}\?)$")
_SUGGESTING = ("NameError", "AttributeError", "ImportError", "ModuleNotFoundError")
"""Python adds a suggestion to what it prints of these; it is no part of their own text."""


def frames_of(lines: Sequence[str], limits: Limits, roots: Sequence[str] | None) -> list[dict[str, Json]]:
    """The frames of these lines, in their order. A frame that Python printed as repeated carries `repeated`."""
    if sum(map(len, lines)) > _REMEMBERED_CHARS:
        return _frames(lines, limits, roots)
    return [dict(frame) for frame in _remembered(tuple(lines), limits, tuple(roots) if roots else None)]


@lru_cache(maxsize=200)
def _remembered(lines: tuple[str, ...], limits: Limits, roots: tuple[str, ...] | None) -> list[dict[str, Json]]:
    """The same frames come again and again."""
    return _frames(lines, limits, roots)


def _frames(lines: Sequence[str], limits: Limits, roots: Sequence[str] | None) -> list[dict[str, Json]]:
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
        elif syntax.HIDDEN.match(line):
            close()
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
    filename = filename[:4096]
    if _LIBRARY.search(filename):
        return False
    if filename.endswith((".pyx", ".pxd", ".pxi")) and "/" in filename[1:] and filename[0] != "/":
        return False  # compiled code names its source from where the library was built
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
    hidden = sum(int(match[1][:9]) for line in part.frames if "hidden" in line and (match := syntax.HIDDEN.match(line)))
    if hidden or len(text) > limits.text_chars:
        out["truncated"] = hidden + max(0, len(text) - limits.text_chars)
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
