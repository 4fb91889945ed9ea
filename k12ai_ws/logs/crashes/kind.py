"""What one kind of crash looks like, as data: how it begins, goes on and ends, and what it says of the process."""

import re
from dataclasses import dataclass
from enum import Enum


class Policy(Enum):
    """What a finished crash amounts to."""

    FATAL = "fatal"
    """It ended its process, whatever other processes print after it."""
    OPEN = "open"
    """What follows decides: ordinary output says that the program went on, and makes it a warning."""
    LAST = "last"
    """It counts only as the last thing in the log; with ordinary output after it, it was none."""
    ECHO = "echo"
    """A shell's word on how a process ended: nothing new right after a crash or an exception."""
    SUMMARY = "summary"
    """A launcher's word on its processes: nothing new where an error was reported before."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of crash. Patterns are matched at the beginning of a line, behind its prefix.

    Groups that count, in `begin` and the others: `type`, `text`, `rank`, and a place: `file`, `line`, `func`.
    """

    name: str
    needles: tuple[str, ...]
    """One of these stands in the first line: tried before its pattern."""
    begin: re.Pattern[str]
    policy: Policy
    language: str
    exc_type: str = ""
    """Where no group says the type."""
    head: re.Pattern[str] | None = None
    """A further line that says the text (`  what():  ...`)."""
    more: re.Pattern[str] | None = None
    """Further lines that only belong to it."""
    later: re.Pattern[str] | None = None
    """Further lines that only belong to it once its text is over."""
    frame: re.Pattern[str] | None = None
    mild: bool = False
    """Of a summary: ordinary output after it says that the program went on, and makes it a warning."""
    named_above: bool = False
    """A frame's function stands in the line above its place."""
    inner_first: bool = True
    """The innermost frame is printed first."""
    link: re.Pattern[str] | None = None
    """Begins the exception that caused the one above it."""
    following: re.Pattern[str] | None = None
    """Begins an exception that the one above it caused."""
    back: re.Pattern[str] | None = None
    """Ends the frames of the exception that `link` began: those of the one before it follow."""
    relation: str = "cause"
    """What the earlier of two of its exceptions is to the later one."""
    proof: re.Pattern[str] | None = None
    """Must come, or it was no crash at all. A frame is proof as well where there is `frame`."""
    end: re.Pattern[str] | None = None
    """The last line; it proves that the process ended."""
    text_lines: int = 0
    """How many lines of any form may follow the first one: more of its text, if what belongs to it comes after them."""
    free_text: bool = False
    """More of the text needs no proof: at the end of the log the lines that wait are text."""
    before: re.Pattern[str] | None = None
    """The text stands in one of the last lines before the first."""
    counted: bool = False
    """The first line comes many times over: one event, counted."""
    main_thread: str = ""
    """In another thread (group `thread`) the policy is OPEN."""
    vague: bool = False
    """Python's own exceptions may begin so: only what the reader of tracebacks leaves can be of this kind."""
    library: re.Pattern[str] | None = None
    """Files and functions that are not the user's own."""


def pattern(text: str) -> re.Pattern[str]:
    """A compiled pattern."""
    return re.compile(text)
