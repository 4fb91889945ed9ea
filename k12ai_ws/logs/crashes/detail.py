"""A finished crash as the contract's error detail."""

from collections.abc import Sequence

from k12ai_ws.logs.limits import Limits
from k12ai_ws.logs.tracebacks.report import fingerprint, raw_of
from k12ai_ws.wire.bodies import Json

from .block import CrashBlock, Part
from .kind import Kind

_SLURM_TYPES = {"TIME LIMIT": "TimeLimit", "PREEMPTION": "Preempted", "NODE FAILURE": "NodeFailure"}


def crash_detail(block: CrashBlock, kind: Kind, limits: Limits, roots: Sequence[str] | None) -> dict[str, Json]:
    """The whole detail: the exception printed last-raised on top, the ones that caused it in `chain`, oldest first."""
    parts = _ordered(block.parts)
    detail = _one(parts[-1], kind, limits, roots)
    detail["chain"] = [{**_one(part, kind, limits, roots), "relation": kind.relation} for part in parts[:-1]]
    detail["language"] = kind.language
    if block.count > 1:
        detail["count"] = block.count
    if block.rank is not None:
        detail["rank"] = block.rank
    detail["fingerprint"] = fingerprint(detail)
    detail["raw"] = raw_of(block.raw, limits)
    if block.cut:
        detail["truncated"] = block.cut
    return detail


def _ordered(parts: Sequence[Part]) -> list[Part]:
    """Oldest first, as far as the print tells which caused which."""
    out: list[Part] = []
    for part in parts:
        if part.older:
            out.insert(0, part)
        else:
            out.append(part)
    return out


def _one(part: Part, kind: Kind, limits: Limits, roots: Sequence[str] | None) -> dict[str, Json]:
    text = "\n".join(part.text).rstrip()
    if text.startswith("\n"):  # R breaks a long line right behind the colon
        text = text.lstrip()
    frames = [_frame(place, kind, roots) for place in part.frames]
    name = _SLURM_TYPES.get(part.exc_type, part.exc_type) if kind.language == "slurm" else part.exc_type
    out: dict[str, Json] = {
        "exc_type": name,
        "exc_text": text[: limits.text_chars],
        "traceback": frames[::-1] if kind.inner_first else frames,
    }
    if len(text) > limits.text_chars:
        out["truncated"] = len(text) - limits.text_chars
    return out


def _frame(place: Sequence[Json], kind: Kind, roots: Sequence[str] | None) -> dict[str, Json]:
    file, line, func = place
    library = kind.library is not None and bool(kind.library.match(func) or kind.library.match(file))
    placed = not roots or not file.startswith("/") or any(file.startswith(root) for root in roots)
    return {
        "filename": file,
        "linenum": line,
        "funcname": func,
        "source": "",
        "in_app": not library and placed,
    }
