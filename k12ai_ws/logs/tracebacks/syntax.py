"""How tracebacks are written: the patterns of their lines, and what a log puts before a line.

Sources: CPython's `traceback.py` (3.8 to 3.14), `faulthandler.c`, `threading.excepthook`, `sys.unraisablehook`,
`logging.Formatter`, torch's `[rank0]:` and `torchrun`, docker compose's `name  | `.
"""

import ast
import re

HEADER = "Traceback (most recent call last):"
GROUP_HEADER = "  + Exception Group " + HEADER
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"
FATAL = "Fatal Python error: "

FRAME = re.compile(r'\s*File "(.*?)", line (\d+)(?:,? in (.*))?$')
REPEATED = re.compile(r"\s*\[Previous line repeated (\d+) more times?\]$")
LONE_FRAME = re.compile(r'  File ".+", line \d+$')

_NAME = r"(?:[^\W\d]\w*|<\w+>)"
EXCEPTION = re.compile(rf"(?P<type>{_NAME}(?:\.{_NAME})*)(?::(?: (?P<text>.*))?)?$", re.DOTALL)
_NO_TYPE_WORDS = """
    Epoch Step Iteration Train Test Val Valid Validation Loss Accuracy INFO WARNING WARN ERROR DEBUG CRITICAL
    FATAL Error Warning Info Debug Note Notice Hint Tip Time Total Average Mean Best File Traceback None True
    False
"""
_NO_TYPE = frozenset(_NO_TYPE_WORDS.split())
"""Words that begin a line of ordinary output."""
BARE = re.compile(
    rf"(?:{_NAME}\.)*\w*(?:Error|Exception|Interrupt|Exit|Iteration|Group|Traceback|Failure|Timeout|Refused)"
    r"(?::(?: |$)|$)"
)
"""An exception's line that nothing announces: only names that say so."""

_DOTTED = re.compile(rf"(?:{_NAME}\.)+[A-Z]\w*: ")
_BEFORE_BARE = re.compile(r"[|:\]>-] +")


def bare_at(line: str) -> int:
    """Where an unannounced exception's line begins in this line, behind its prefix; -1 where it shows none."""
    if BARE.match(line) or _DOTTED.match(line):
        return 0
    for match in _BEFORE_BARE.finditer(line, 0, 100):
        if BARE.match(line, match.end()):
            return match.end()
    return -1


_STAMP = r"\d{1,4}(?:[-/:., T]+\d{1,9})+Z?"
RECORD = re.compile(
    rf"\W{{0,3}}(?:\w{{3}} )?\W?{_STAMP}"  # begins with a time
    r"|\[?(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL|SUCCESS|TRACE)\]?\s*[:|\]\-\s]"
    r"|[IWEF]\d{4} \d\d:"
)
"""The beginning of a line that a logging library wrote."""

_MOVING = re.compile(rf"{_STAMP}|(?<=[IWEF])\d{{4}}")
_RANK = re.compile(r"\[?(?:rank|RANK|Rank)[ :=]?(\d+)\]?")

SURVIVED = ("Exception ignored in", "Exception in thread ", "Exception in callback", "Exception in Tkinter")
"""What Python says before the traceback of an exception that ends no process."""
_WORKER = re.compile(r"Process \S+:$")


DYING = re.compile(
    r"\W*(?:Exception ignored |Error in (?:sys\.excepthook|atexit)|Original exception was|terminate called|Fatal Python"
    r"|Aborted|Killed|Segmentation fault|Bus error|wandb:|srun:|slurmstepd|make(?:\[\d+\])?:|mpirun|=+$|-+$"
    r"|[IWEF]\d{4} |\[[WE]\d* |.*resource_tracker|.*leaked|.*destroy_process_group|During handling|Sentry is)"
)
"""What still comes out of a process that is ending, or of those around it: no sign that it survived an exception."""


def survived(line: str) -> bool:
    """Whether this line, right before a traceback, says that the process went on."""
    line = line.rstrip()
    return any(mark in line for mark in SURVIVED) or bool(_WORKER.search(line))


def prefix_pattern(prefix: str) -> str:
    """A pattern for what stands before each line of a block: the same but for times; its last spaces may be missing."""
    body = prefix.rstrip()
    at, out = 0, []
    for match in _MOVING.finditer(body):
        out += [re.escape(body[at : match.start()]), re.sub(r"\d+", r"\\d+", re.escape(match[0]).replace("\\", ""))]
        at = match.end()
    out.append(re.escape(body[at:]))
    spaces = len(prefix) - len(body)
    return "".join(out) + (rf"(?:\s{{{spaces}}}|\s*$)" if spaces else "")


def rank_of(prefix: str) -> int | None:
    """The rank that a prefix names: `[rank3]: ` gives 3."""
    match = _RANK.search(prefix)
    return int(match[1]) if match else None


def header_at(line: str) -> int:
    """Where a traceback's header begins in this line, or -1. Before it stands the line's prefix."""
    stripped = line.rstrip()
    if not stripped.endswith(HEADER):
        return -1
    at = len(stripped) - len(GROUP_HEADER)
    if at >= 0 and stripped.startswith(GROUP_HEADER, at):
        return at
    return len(stripped) - len(HEADER)


def exception_line(line: str, sources: list[str]) -> tuple[str, str | None] | None:
    """`(type, text)` of an exception's first line, or None where the line is other output.

    A name in small letters counts where it is dotted, or where the code of the last frame names it.
    """
    match = EXCEPTION.match(line)
    if not match:
        return None
    name = match["type"]
    last = name.rpartition(".")[2]
    if name in _NO_TYPE and not any(name in source for source in sources):
        return None
    if "." in name or last[:1].isupper() or last.startswith("_") or any(name in source for source in sources):
        text = match["text"]
        return name, text if text is not None else ("" if line.rstrip().endswith(":") else None)
    return None


def is_carets(line: str) -> bool:
    """A line of carets and tildes that points into the line above."""
    stripped = line.strip()
    return bool(stripped) and not stripped.strip("~^")


_ODD_ESCAPE = re.compile(r"\\[^\\'\"abfnrtvxuUN0-7\n]")
"""An escape that Python warns of while it parses: not worth a warning of ours."""


def literal_text(sources: list[str]) -> tuple[str | None, int]:
    """What the last frame's `raise X("...")` says of its text: the text itself where it is a literal, and else how
    many lines more than one it has at least. Nothing tells more about where a text of several lines ends.
    """
    code = "\n".join(sources).strip()
    if "raise" not in code or len(code) > 4000 or _ODD_ESCAPE.search(code):
        return None, 0
    try:
        statement = ast.parse(code).body[0]
    except (SyntaxError, ValueError, MemoryError, RecursionError, IndexError):
        return None, 0
    call = statement.exc if isinstance(statement, ast.Raise) else None
    if not isinstance(call, ast.Call) or not call.args:
        return None, 0
    first = call.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return (first.value if len(call.args) == 1 else None), 0
    if len(call.args) > 1:
        return None, 0
    return None, _newlines(first)


def _newlines(node: ast.expr) -> int:
    """Line ends in the literal parts of an f-string, a concatenation or a formatted text."""
    if isinstance(node, ast.Constant):
        return node.value.count("\n") if isinstance(node.value, str) else 0
    if isinstance(node, ast.JoinedStr):
        return sum(_newlines(value) for value in node.values)
    if isinstance(node, ast.BinOp):
        return _newlines(node.left) + (_newlines(node.right) if isinstance(node.op, ast.Add) else 0)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return _newlines(node.func.value)
    return 0
