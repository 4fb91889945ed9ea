"""Events as plain lines of text. Light enough for `k12ai parse`: it needs nothing but words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .words import Words

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a job prints must not steer the reader's terminal."""


def printable(text: object) -> str:
    r"""The text on one line, with control and bidirectional characters spelled out.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def number(value: object) -> str:
    """A metric's value, short; None (not finite) as `nan`."""
    if value is None:
        return "nan"
    return (
        f"{value:.4g}"
        if isinstance(value, float) and not value.is_integer()
        else f"{value:g}"
        if isinstance(value, float)
        else printable(value)
    )


def event_lines(kind: str, body: Mapping[str, Any], words: Words) -> list[str]:
    """The lines that show the body of an event of this type."""
    match kind:
        case "status":
            return [status_line(body, words)]
        case "metrics":
            return ["metrics  " + "  ".join(f"{printable(k)}={number(v)}" for k, v in body.items())]
        case "progress":
            return [progress_line(body)]
        case "log":
            return [f"{body.get('stream', 'stdout')}| {printable(line)}" for line in body.get("lines", ())]
        case "error":
            return list(error_lines(body, words))
        case _:
            return [f"{kind}  {printable(dict(body))}"]


def status_line(body: Mapping[str, Any], words: Words) -> str:
    """`status  failed (exit_code 1): ...`."""
    facts = [str(body["reason"])] if body.get("reason") and body["reason"] != "completed" else []
    facts += [f"{name} {body[name]}" for name in ("exit_code", "signal") if body.get(name)]
    note = f" ({', '.join(facts)})" if facts else ""
    message = f": {printable(body['message'])}" if body.get("message") else ""
    return f"{words('status')}  {words(str(body.get('value')))}{note}{message}"


def progress_line(body: Mapping[str, Any]) -> str:
    """`progress  45 %  9/20 epochs  Epoch 9/20  3 s left`."""
    parts = [f"progress  {round(100 * float(body['value'])):3d} %"]
    if body.get("current") is not None and body.get("total") is None:
        parts = [f"progress  {number(body['current'])} {body.get('unit') or ''}".rstrip()]
    elif body.get("current") is not None:
        parts.append(f"{number(body['current'])}/{number(body['total'])}{' ' + str(body.get('unit') or '')}".rstrip())
    if body.get("desc"):
        parts.append(printable(body["desc"]))
    if body.get("rate"):
        parts.append(f"{number(body['rate'])} {body.get('unit') or ''}/s".replace(" /s", "/s"))
    if body.get("eta_s") is not None:
        parts.append(f"{round(body['eta_s'])} s left")
    return "  ".join(parts)


def error_lines(body: Mapping[str, Any], words: Words) -> Iterator[str]:
    """What happened, what its code means, the user's own lines, and what it came from."""
    detail: Mapping[str, Any] = body.get("detail") or {}
    rank = f" [rank {detail['rank']}]" if "rank" in detail else ""
    yield f"{words(str(body.get('severity', 'error')))} {body.get('code')}  {printable(body.get('descr', ''))}{rank}"
    raised = exception_text(detail)
    message = body.get("message")
    if message and printable(message) not in raised:
        yield f"  {printable(message)}"
    for number_, cause in enumerate(detail.get("chain") or ()):
        relation = cause.get("relation")
        yield f"  {exception_text(cause)}"
        yield from frame_lines(cause.get("traceback") or (), words)
        yield f"  -- {words('caused_by' if relation == 'cause' else 'while_handling')} ({number_ + 1})"
    if raised:
        yield f"  {raised}"
    yield from frame_lines(detail.get("traceback") or (), words)
    for note in detail.get("notes") or ():
        yield f"  {printable(note)}"
    for member in detail.get("group") or ():
        yield f"  | {exception_text(member)}"
    for field in detail.get("fields") or ():
        line = f"{printable(field.get('loc'))}: {printable(field.get('msg'))}"
        if line not in printable(message or ""):
            yield f"  {line}"


def exception_text(detail: Mapping[str, Any]) -> str:
    """`ValueError: ...`, or nothing where it is no exception."""
    kind, text = detail.get("exc_type"), detail.get("exc_text")
    return printable(f"{kind}: {text}" if kind and text else kind or "")


def own_frame(traceback: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The innermost frame of the user's own code; of a traceback that does not tell, the innermost of all."""
    own = [frame for frame in traceback if frame.get("in_app", True)]
    return own[-1] if own else traceback[-1] if traceback else None


def frame_lines(traceback: Sequence[Mapping[str, Any]], words: Words) -> Iterator[str]:
    """The frames of the user's own code, outermost first; how many of libraries were left out."""
    own = [frame for frame in traceback if frame.get("in_app", True)] or list(traceback[-1:])
    for frame in own:
        yield f"    {printable(frame.get('filename'))}:{frame.get('linenum')} {printable(frame.get('funcname') or '')}"
        if frame.get("source"):
            yield f"        {printable(frame['source'])}"
    if len(traceback) > len(own):
        yield f"    {words('frames_hidden', n=len(traceback) - len(own))}"
