"""Tracebacks that are drawn rather than printed: rich's boxes, IPython's and stackprinter's numbered code.

Their frames are turned into the lines that Python itself would have printed, so that one reader understands them all.
Sources: the documentation and the output of `rich.traceback`, `IPython.core.ultratb` (5 to 9) and `stackprinter`.
"""

import re
import unicodedata

from .syntax import NAME

BOX = re.compile(r"[╭┌+][─-]+ Traceback \(")
"""The top of rich's box. Its title is cut where the box is narrow."""
PLAIN_BOX = re.compile(r"[╭┌+][─-]{8,}[╮┐+]$")
"""A box without a title: the place of a syntax error."""
MEMBER_BOX = re.compile(r"[╭┌+][─-]+ Sub-exception #\d+ [─-]+[╮┐+]$")
_BOTTOM = re.compile(r"[╰└+][─-]+[╯┘+]?$")
CELLS = re.compile(rf"({NAME}(?:\.{NAME})*) {{2,}}Traceback \(most recent call last\)$")
"""The head of IPython's: the exception's name, and behind it what is coming."""
PRINTED = re.compile(r'File ".{1,1000}", line \d+, in \S.*$')
"""The head of a frame as stackprinter writes it."""

SYNTAX = "▲"
"""Pending in a box that shows the place of a syntax error."""
_POINTED = re.compile(r"(?:(❱|>|\\u2771)|  ?) *(\d+)(?: (.*))?$")
_HIDDEN = re.compile(r"\s*\.\.\. (\d+) frames? hidden \.\.\.")
_PLACE = re.compile(r"(.+):(\d+)(?: in (\S.*))?$")
_NOWHERE = re.compile(r"in (\S.*):(\d+)$")
_ARROW = re.compile(r"-{1,10}> ?(\d+)(?: (.*))?$")
_NUMBERED = re.compile(r"\s*\d+(?: .*)?$|\s*\(\.\.\.\)$")
_SIMILAR = re.compile(r"\s+\[\.\.\. skipping similar frames: .* \((\d+) times\)\]$")
_CELL_HEADS = (
    re.compile(r"File (?P<file>[^\"].*?):(?P<line>\d+)(?:, in (?P<func>\S.*))?$"),
    re.compile(r"(?P<file>(?:Cell|Input) In ?\[\d+\]), line (?P<line>\d+)(?:, in (?P<func>\S.*))?$"),
    re.compile(r"(?P<file>(?:Cell|Input) In ?\[\d+\]|[~/<]\S*|[A-Za-z]:\\\S*) in (?P<func>\S.*)$"),
    re.compile(r"(?P<file>(?:Cell|Input) In ?\[\d+\]), in (?P<func>\S.*)$"),
    re.compile(r'File "(?P<file>.+)", line (?P<line>\d+), in (?P<func>\S.*)$'),
)
_UNKNOWN = "line 0,"


def width_of(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def is_bottom(line: str) -> bool:
    """Whether a box closes here."""
    return bool(_BOTTOM.match(line.rstrip()))


def inside(line: str) -> str | None:
    """What stands between a box's sides, or None where the line shows no side."""
    line = line.rstrip()
    if line[:1] not in ("│", "|") or not line:
        return None
    body = line[1:-1] if len(line) > 1 and line[-1] == line[0] else line[1:]
    return body[1:].rstrip()


def boxed(frames: list[str], pending: str, content: str, width: int) -> str:
    """Reads one line of a box into `frames`. `pending`: a path that may go on in the next line, or `❱` after the
    marked code line, which may. Returns what is pending now.
    """
    if pending == SYNTAX and content and content[0] != " ":
        content = " " + content
    if not content or content[0] in "╭│╰┌└+|":  # blank, or the box of the local variables
        return place(frames, pending)
    hidden = _HIDDEN.match(content)
    if hidden:
        frames.append(f"  [... {hidden[1]} frames hidden ...]")
        return ""
    code = _POINTED.match(content)
    if code:
        place(frames, pending)
        if not code[1]:
            return ""
        frames.append("    " + _alone((code[3] or "").lstrip("│ ")).rstrip())
        return "❱"
    if content[0] == " ":
        if pending == "❱" and frames:
            frames[-1] += " " + content.lstrip("│ ")  # word wrap
            return pending
        if pending.startswith(SYNTAX):
            if found := _PLACE.match(content.strip()):
                frames.append(f'  File "{found[1]}", line {found[2][:9]}')
            elif content.strip(" ▲") and frames and frames[-1].startswith("  File "):
                frames.append("    " + content.strip())
            return pending
        return place(frames, pending)
    if _NOWHERE.match(content):
        place(frames, pending)
        return place(frames, content)
    if pending == "❱":
        pending = ""
    full = width_of(pending) >= width - 4
    return (pending + ("" if full or not pending else " ") + content.strip())[-4096:]


def _alone(code: str) -> str:
    """The code without the box of the local variables, which stands beside it where the console is wide enough."""
    if code[-1:] not in ("│", "╮", "╯"):
        return code
    sides = [at for side in ("  │", "  ╭", "  ╰") if (at := code.find(side)) >= 0]
    return code[: min(sides)] if sides else code


def place(frames: list[str], pending: str) -> str:
    """The frame that a finished `path:line in function` names. Returns what is pending then: nothing."""
    if nowhere := _NOWHERE.match(pending):
        frames.append(f'  File "<string>", line {nowhere[2][:9]}, in {nowhere[1]}')
    elif found := _PLACE.match(pending):
        function = f", in {found[3]}" if found[3] else ""
        frames.append(f'  File "{found[1]}", line {found[2][:9]}{function}')
    return ""


def celled(frames: list[str], line: str) -> bool:
    """Reads one line of an IPython or stackprinter traceback into `frames`; False where it shows none of either."""
    if not line.strip():
        return True
    arrow = _ARROW.match(line)
    if arrow:
        if frames and _UNKNOWN in frames[-1]:
            frames[-1] = frames[-1].replace(_UNKNOWN, f"line {arrow[1][:9]},")
        frames.append("    " + (arrow[2] or "").strip())
        return True
    if _NUMBERED.match(line):
        return True
    if similar := _SIMILAR.match(line):
        frames.append(f"  [Previous line repeated {similar[1]} more times]")
        return True
    for pattern in _CELL_HEADS:
        if found := pattern.match(line):
            groups = found.groupdict()
            number = f"line {groups['line'][:9]}" if groups.get("line") else "line 0"
            frames.append(f'  File "{groups["file"]}", {number}, in {_function(groups["func"] or "<module>")}')
            return True
    if line[:4] == "    " and frames and frames[-1].startswith("  File "):
        frames.append(line)
    return line[0] in " \t"


def _function(signature: str) -> str:
    """`Net.forward(self, x)` -> `forward`: what Python itself calls the function."""
    name = signature.partition("(")[0].strip()
    return name if name.startswith("<cell") else name.rpartition(".")[2]


def joint(before: str, line: str, width: int) -> str | None:
    """What rich took out where it broke a text at its console's width: a space or nothing; None where `line` is a line
    of its own. `before` is the line before it, as drawn.
    """
    if not width or not line or line[0] == " ":
        return None
    first = width_of(line.split(" ", 1)[0])
    core = before.rstrip()
    if width_of(before) > width:  # filled up with spaces: a column of a log
        return " " if width_of(core) + 1 + first > width else None
    if core != before:
        return " " if width_of(before) + first > width else None
    if width_of(before) == width:
        word = width_of(before.rpartition(" ")[2]) + first
        return "" if word > width or not before.isascii() else " "
    return None
