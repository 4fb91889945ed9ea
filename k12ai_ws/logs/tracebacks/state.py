"""What is known of one traceback while it is being read. All of it is JSON, so that another process can read on."""

from dataclasses import dataclass, field

from k12ai_ws.wire.bodies import Json

from . import syntax
from .part import Part


@dataclass(slots=True)
class BlockState:
    """The state of one traceback."""

    prefix: str = ""
    pattern: str = ""
    kind: str = "python"  # or "fatal", what faulthandler prints
    tentative: bool = False  # began with a line that nothing announced: perhaps no error at all
    harmless: bool = False  # announced as one that ends no process
    logged: bool = False  # right after a log record, or a report itself: the program may go on after a silence
    state: str = "frames"  # frames | box | cells | text | members | between | group | fatal | whole
    parts: list[Part] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    size: int = 0
    cut: int = 0  # lines that a bound cut from the middle of `raw`
    foreign: int = 0
    tail: list[str] = field(default_factory=list)  # lines that may turn out to be notes
    group_lines: list[str] = field(default_factory=list)
    opened: bool = False  # the group's first member has begun
    closed: bool = False  # the last line was a ruler that may close the group
    quoted: bool = False
    ruler: str = ""
    owed: int = 0  # lines of the text that the source's own literal still promises
    whole: bool = False  # the text is complete: the literal says so
    single: bool = False  # Python's own exception out of an expression: its text is one line
    headless: bool = False  # the text begins with a line's end: its first line is still to come
    told: list[str] = field(default_factory=list)  # further lines of the text, as the worker's own traceback has them
    listing: bool = False  # the code says that a list stands below the text's first line
    lead: str = ""  # how the line before the traceback begins
    count: str = ""  # how far the bar had come that was drawn there
    nested: bool = False  # inside a traceback that is part of a text
    raised: bool = False  # by a `raise` of something made before: what follows may well be notes
    width: int = 0  # of the box that the frames stood in, in cells: rich wraps the text there
    drawn: str = ""  # the last line of a text in such a box's company, as it was drawn
    pending: str = ""  # the beginning of something that goes on in the next line
    ready: list[Json] = field(default_factory=list)  # the finished details of tracebacks that stood in one line

    @property
    def indented(self) -> bool:
        """Whether blanks alone stand before each of its lines."""
        return bool(self.prefix) and not self.prefix.strip()

    @property
    def part(self) -> Part:
        """The exception that is being read."""
        return self.parts[-1]

    def sources(self) -> list[str]:
        """The code lines of the last frame."""
        out: list[str] = []
        for line in reversed(self.part.frames[-40:]):
            if syntax.FRAME.match(line):
                break
            if not syntax.is_carets(line):
                out.append(line.strip())
        return out[::-1]
