"""How tracebacks are written: the patterns of their lines, and what a log puts before a line.

Sources: CPython's `traceback.py` (3.8 to 3.14), `faulthandler.c`, `threading.excepthook`, `sys.unraisablehook`,
`logging.Formatter`, torch's `[rank0]:` and `torchrun`, docker compose's `name  | `.
"""

import ast
import builtins
import re
from functools import lru_cache

HEADER = "Traceback (most recent call last):"
GROUP_HEADER = "  + Exception Group " + HEADER
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"
_WHILE = "While handling the above exception, another exception occurred:"
SEPARATORS = (CAUSE, CONTEXT, _WHILE)
"""What stands between the exceptions of a chain; the last one is stackprinter's."""
FATAL = ("Fatal Python error: ", "Windows fatal exception: ")
"""How faulthandler begins."""
LATE = "Timeout"
_TIMEOUT = re.compile(r"(?:\S{0,40} )?(Timeout \(\d{1,4}:\d\d:\d\d(?:\.\d{1,6})?\)!)$")
"""How faulthandler's `dump_traceback_later` begins; the process may go on."""

FRAME = re.compile(r'\s*File "(.*?)", line (\d+)(?:,? in (.*))?$')
BARE_FRAME = re.compile(r"\s*(?:File ([^\"\s].*?):|((?:Cell|Input) In ?\[\d+\]), line )(\d+)(?:,? in (.*))?$")
"""A frame as IPython's plain style writes it."""
VALUE = re.compile(r"\s{1,400}(?:[│|] *)*(?:└|->) ")
"""What loguru and better_exceptions draw below the code: the value of a variable."""
RULER = re.compile(r"([=\-*#_~])\1{9,}$")
CONTINUES = re.compile(
    r"CUDA kernel errors might|For debugging consider passing|Compile with .TORCH_USE|Exception raised from "
    r"|frame #\d+:|\[Op:|Device-side assertions were|Original error was|Search for .cuda"
    r"|Traceback of TorchScript|\S{1,400}\.py\(\d+\): \S+$"
)
"""Further lines of texts that are well known."""
HIDDEN = re.compile(r"\s*\[\.\.\. (\d+) frames hidden \.\.\.\]$")
REPEATED = re.compile(r"\s*\[Previous line repeated (\d+) more times?\]$")
LONE_FRAME = re.compile(r'  File "[^"]+", line \d+$|  Cell In ?\[\d+\], line \d+$')

NAME = r"(?:[^\W\d]\w*|<\w+>)"
"""One part of a dotted name."""
EXCEPTION = re.compile(rf"(?P<type>{NAME}(?:\.{NAME})*(?:\(\w{{1,80}}\))?)(?::(?: (?P<text>.*))?)?$", re.DOTALL)
_NO_TYPE_WORDS = """
    Epoch Step Iteration Train Test Val Valid Validation Loss Accuracy INFO WARNING WARN ERROR DEBUG CRITICAL
    FATAL Error Warning Info Debug Note Notice Hint Tip Time Total Average Mean Best File Traceback None True
    False
"""
_NO_TYPE = frozenset(_NO_TYPE_WORDS.split())
"""Words that begin a line of ordinary output."""
BARE = re.compile(
    rf"(?:{NAME}\.)*\w*(?:Error|Exception|Interrupt|Exit|Iteration|Group|Traceback|Failure|Timeout|Refused)"
    r"(?::(?: |$)|$)"
)
"""An exception's line that nothing announces: only names that say so."""

_DOTTED = re.compile(rf"(?:{NAME}\.)+[A-Z]\w*(?:: |$)")


def bare(line: str) -> bool:
    """Whether an unannounced exception's line may begin here."""
    return bool(BARE.match(line) or _DOTTED.match(line))


LISTS = re.compile(r".{0,200}\b\d{1,6} (?:\w{1,20} )?errors?\b.{0,200}$|.{0,4000}:\s*$")
"""The first line of a text that announces further ones."""

_STAMP = r"\d{1,4}(?:[-/:., T]+\d{1,9})+Z?"
RECORD = re.compile(
    rf"\W{{0,3}}(?:\w{{3}} )?\W?{_STAMP}"  # begins with a time
    r"|\[?(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL|SUCCESS|TRACE)\]?\s*[:|\]\-\s]"
    r"|[IWEF]\d{4} \d\d:(?:\d\d:\d\d(?:\.\d{1,9})?(?=\s))?"
)
"""The beginning of a line that a logging library wrote."""

_DIGITS = re.compile(r"\d+")
_LEAD = re.compile(r"[\[({<|]\S{2,}$|\w[\w.-]{2,}[:|\]>]$")
_MOVING = re.compile(rf"{_STAMP}|(?<=[IWEF])\d{{4}}")

SURVIVED = (
    "Exception ignored in",
    "Exception in thread ",
    "Exception in callback",
    "Exception in Tkinter",
    "exception was never retrieved",
    "future: <",
    "handle: <",
    "transport: <",
    "asyncgen: <",
)
"""What Python says before the traceback of an exception that ends no process."""
_WORKER = re.compile(r"Process \S+:$")


DYING = re.compile(
    r"\W{0,8}(?:Exception ignored |Error in (?:sys\.excepthook|atexit)|Original exception was|terminate called"
    r"|Fatal Python|Aborted|Killed|Segmentation fault|Bus error|wandb:|srun:|slurmstepd|make(?:\[\d+\])?:|mpirun"
    r"|\[[^\]]{1,40}\] \[(?:INFO|ERROR)\] \[launch\.py:"  # DeepSpeed's launcher
    r"|\S{1,200}: (?:line )?\d{1,9}: +\d{1,9} (?:Aborted|Killed|Segmentation fault|Terminated|Bus error)"  # a shell
    r"|=+$|-+$|[IWEF]\d{4} |\[[WE]\d* |During handling|Sentry is"
    r"|Set the environment variable HYDRA_FULL_ERROR)"
    r"|.{0,400}(?:resource_tracker|leaked|destroy_process_group)"
)
"""What still comes out of a process that is ending, or of those around it: no sign that it survived an exception."""


_BAR = re.compile(
    r"\s{0,4}(?:[^|%\n]{0,60}: {0,4})?(?P<share>\d{1,3}%)\|(?:[^|\n]{0,300}\|\s{0,4}(?P<count>\d{1,12}/\d{1,12}))?"
)
"""A progress bar as tqdm draws it, whatever stands behind."""
_LAST_WORDS = re.compile(
    rf"(?:\W{{0,3}}(?:\w{{3}} )?\W?{_STAMP}[^A-Za-z]{{0,20}}(?:[\w.]{{1,60}}[^\w\s]? {{1,4}}(?:- )?)?)?"
    r"\[?(?:CRITICAL|FATAL)\]?(?: {0,8}[:|\-]|\s{2}|\])"
)
"""A record of the highest level."""
SUB_EXCEPTIONS = re.compile(r"\(\d{1,9} sub-exceptions?\)$")
"""How the text of a group ends."""


def fatal_at(line: str) -> tuple[int, str] | None:
    """Where faulthandler begins in this line, and the kind of what it tells: `LATE` is that of a timer's dump."""
    if late := _TIMEOUT.match(line):
        return late.start(1), LATE
    for beginning in FATAL:
        at = line.find(beginning, 0, 200 + len(beginning))
        if at >= 0:
            return at, line[at + len(beginning) :].strip() or beginning.strip(" :")
    return None


def count_of(line: str) -> str:
    """How far the bar has come that this line shows, empty where it shows none."""
    bar = _BAR.match(line) if "%|" in line else None
    return f"{bar['share']} {bar['count'] or ''}" if bar else ""


def gives_up(line: str) -> bool:
    """Whether this is a log record of the highest level."""
    return ("CRITICAL" in line or "FATAL" in line) and _LAST_WORDS.match(line) is not None


def survived(line: str) -> bool:
    """Whether this line, right before a traceback, says that the process went on."""
    line = line.rstrip()
    return any(mark in line for mark in SURVIVED) or bool(_WORKER.search(line))


def lead_of(line: str) -> str:
    """How a line begins: its first word without its numbers, where that has more to it than a number."""
    word = line[:60].split(" ", 1)[0]
    return _DIGITS.sub("0", word) if _LEAD.match(word) else ""


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


def relation_of(line: str) -> str | None:
    """What the exception above this line is to the one below: "cause" or "context"; None: no such line."""
    line = line.rstrip()
    return None if line not in SEPARATORS else "cause" if line == CAUSE else "context"


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


NUMBERED = re.compile(r"\[(?:Errno|WinError) -?\d+\] ")
"""How the text of an error of the operating system begins: one line, whoever raised it."""
_OF_PYTHON = frozenset(
    name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, BaseException) and name not in ("RuntimeError", "SystemError")
)
_RAISES_MADE = re.compile(
    r"raise(?: [a-z_][\w.]{0,60}(?: from [\w.]{1,60})?)?$"
    r"|raise [\w.]{1,200}\(f?[\"'](?![^\"']{0,20}\\n[^\"']{0,20}[\"']\.join)"
)
_CLAUSE = re.compile(r"(?:if|elif|else|try|except|finally|for|while|with|case|def|async)\b.{0,300}?:\s{0,8}(?=raise\b)")
"""What may stand before a `raise` in its line."""
ODD_ESCAPE = re.compile(r"\\(?:[^\\'\"abfnrtvxuUN0-7\n]|[4-7][0-7][0-7])")
"""An escape that Python warns of while it parses: not worth a warning of ours."""
_GLUED = re.compile(r"(?<![\w.])\d[\d_]*(?![\d_eEjJxXoObB])[A-Za-z]")
"""A number with a word right behind it (`1else`): Python warns of that too."""


def _statement(sources: list[str]) -> str:
    """The code of a frame; of `if x: raise y` only the `raise`."""
    code = "\n".join(sources).strip()
    clause = _CLAUSE.match(code)
    return code[clause.end() :] if clause else code


def literal_text(sources: list[str]) -> tuple[str | None, int]:
    """What the last frame's `raise X("...")`, or `assert x, "..."`, says of its text: the text itself where it is a
    literal, and else how many lines more than one it has at least. Nothing tells more about where a text of several
    lines ends.
    """
    code = _statement(sources)
    if "raise" not in code and not code.startswith("assert "):
        return None, 0
    if len(code) > 4000 or ODD_ESCAPE.search(code) or _GLUED.search(code):
        return None, 0
    return _raised_text(code)


@lru_cache(maxsize=200)
def _raised_text(code: str) -> tuple[str | None, int]:
    """The same code fails again and again."""
    try:
        statement = ast.parse(code).body[0]
    except (SyntaxError, ValueError, MemoryError, RecursionError, IndexError):
        return None, 0
    if isinstance(statement, ast.Assert):
        arguments = [statement.msg] if statement.msg else []
    else:
        call = statement.exc if isinstance(statement, ast.Raise) else None
        arguments = call.args if isinstance(call, ast.Call) else []
    if not arguments:
        return None, 0
    first = arguments[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return (first.value if len(arguments) == 1 else None), 0
    if len(arguments) > 1:
        return None, 0
    return None, _newlines(first)


def notes_likely(name: str, sources: list[str]) -> bool:
    """Whether further lines are rather notes than text: the code raises something made before (`raise error`) or with
    a plain text, or Python's own exception came out of an expression. A text that was computed may be of several
    lines, and so may those of compiled libraries, which are RuntimeErrors or of a type of their own.
    """
    code = _statement(sources)
    if _RAISES_MADE.match(code):
        return True
    return not code.startswith("raise") and "." not in name and name != "RuntimeError"


def single_line(name: str, sources: list[str]) -> bool:
    """Whether an exception is one of Python's own that no `raise` in sight made: its text is of one line."""
    return name in _OF_PYTHON and not _statement(sources).startswith("raise")


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
