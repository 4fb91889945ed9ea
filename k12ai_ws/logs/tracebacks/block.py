"""One traceback while it is being read, line by line: where each exception's text ends, and where it all ends."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from k12ai_ws.logs.limits import Limits
from k12ai_ws.wire.bodies import Json

from . import syntax
from .groups import GroupReader
from .part import Part, Verdict, shrink
from .syntax import CAUSE, CONTEXT, GROUP_HEADER, HEADER

_GROUP_MARGIN = re.compile(r"\s*[|+]")
_RULER = re.compile(r"([=\-*#_~])\1{9,}$")
_FATAL_LINE = re.compile(
    r"\s*$|Current thread |Thread 0x|\s+File |\s+<|\s+\.\.\.|Extension modules|Python runtime state"
)


@dataclass(slots=True)
class Block:
    """The state of one traceback. All of it is JSON, so that another process can read on."""

    prefix: str = ""
    pattern: str = ""
    kind: str = "python"  # or "fatal", what faulthandler prints
    tentative: bool = False  # began with a line that nothing announced: perhaps no error at all
    harmless: bool = False  # announced as one that ends no process
    logged: bool = False  # right after a log record
    state: str = "frames"  # frames | text | between | group | fatal
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
    nested: bool = False  # inside a traceback that is part of a text

    # ------------------------------------------------------------------ reading

    def take(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        """Reads one line (its prefix gone). `ordinary` knows metrics, progress bars and log records."""
        verdict: Verdict = getattr(self, f"_in_{self.state}")(line, limits, ordinary)
        if verdict == "mine":
            self._keep(line, limits)
        return verdict

    def _keep(self, line: str, limits: Limits) -> None:
        self.raw.append(line)
        self.size += 2 * len(line)  # here, and in a list of its part
        if len(self.raw) > limits.block_lines or self.size > 2 * limits.block_chars:
            cut, self.size = shrink(self.raw, self.group_lines, self.parts, limits)
            self.cut += cut

    @property
    def part(self) -> Part:
        """The exception that is being read."""
        return self.parts[-1]

    def _in_frames(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        if line[:1] in " \t":
            if self.tentative and len(self.raw) > 6:
                return "end"
            self.part.frames.append(line)
            return "mine"
        if not line.strip():
            return "mine"
        if syntax.header_at(line) >= 0:
            return "end"
        found = syntax.exception_line(line, self._sources())
        if found:
            if self.tentative and not found[0].endswith(("SyntaxError", "IndentationError", "TabError")):
                return "end"
            self.tentative = False
            self.begin_text(*found)
            return "mine"
        self.foreign += 1
        return "end" if self.foreign > limits.foreign_lines or self.tentative else "foreign"

    def _sources(self) -> list[str]:
        """The code lines of the last frame."""
        out: list[str] = []
        for line in reversed(self.part.frames[-40:]):
            if syntax.FRAME.match(line):
                break
            if not syntax.is_carets(line):
                out.append(line.strip())
        return out[::-1]

    def begin_text(self, name: str, text: str | None) -> None:
        """The first line of the exception itself."""
        part = self.part
        part.exc_type, part.text = name, [text or ""]
        self.state, self.tail = "text", []
        self.quoted = self.whole = self.nested = False
        self.ruler, self.owed = "", 0
        exact, least = syntax.literal_text(self._sources())
        if exact is not None:
            lines = exact.split("\n")
            if lines[0].rstrip() == (text or "").rstrip():
                self.owed, self.whole = len(lines) - 1, True
        elif least and text:
            self.owed = least

    def _in_text(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        text = self.part.text
        blank = not line.strip()
        if self.quoted or self.ruler:
            return self._inside(line, text)
        if self.owed:
            self.owed -= 1
            self.nested = syntax.header_at(line) >= 0
            text.append(line)
            return "mine"
        if line.rstrip() in (CAUSE, CONTEXT):
            self._absorb_tail(as_text=not self.whole)
            self.part.relation = "cause" if line.rstrip() == CAUSE else "context"
            self.state = "between"
            return "mine"
        if syntax.header_at(line) >= 0:
            if line.rstrip() != HEADER and "Original" not in line:
                return "end"
            if text[-1].rstrip().endswith(":") and not self.tail and not self.whole:
                self.nested = True
            if self.nested or "Original" in line:
                self.nested = True
                text += [*self.tail, line]
                self.tail = []
                return "mine"
            return "end"
        if blank:
            self.tail.append(line)
            return "end" if len(self.tail) > limits.tail_lines else "mine"
        if self.nested:
            return self._in_nested(line, text)
        if len(text) == 1 and not text[0] and not self.tail and not self.whole and line[:1] != " ":
            if line.rstrip() in ('"""', "'''"):
                self.quoted = True
                text.append(line)
                return "mine"
            if _RULER.match(line.rstrip()):
                self.ruler = line.rstrip()
                text.append(line)
                return "mine"
        if line[:1] in " \t" and not self.whole and self._goes_on(text):
            text += [*self.tail, line]
            self.tail = []
            return "mine"
        if ordinary(line) or (self.tentative and len(self.tail) > 1):
            return "end"
        self.tail.append(line)
        return "end" if len(self.tail) > limits.tail_lines else "mine"

    def _goes_on(self, text: list[str]) -> bool:
        """Whether an indented line belongs to the text: right below it, or below a line that announces it."""
        if self.tail and self.tail[-1].rstrip().endswith(":"):
            return True
        return not any(map(str.strip, self.tail)) and (not self.tail or len(text) > 1)

    def _inside(self, line: str, text: list[str]) -> Verdict:
        """In a text between quotes (a remote traceback) or rulers (torchrun's summary)."""
        text.append(line)
        stripped = line.rstrip()
        if self.quoted and stripped in ('"""', "'''"):
            self.quoted, self.whole = False, True
        elif self.ruler and stripped == self.ruler:
            self.ruler, self.whole = "", True
        return "mine"

    def _in_nested(self, line: str, text: list[str]) -> Verdict:
        """In a traceback that stands in the text: its frames, then its exception's line, then the text is over."""
        text += [*self.tail, line]
        self.tail = []
        if line[:1] not in " \t":
            self.nested = False
            self.whole = True
        return "mine"

    def _in_between(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        if not line.strip():
            return "mine"
        at = syntax.header_at(line)
        if at >= 0:
            self.open_at(line, at)
            return "mine"
        found = syntax.exception_line(line, [])
        if found:
            self.parts.append(Part())
            self.begin_text(*found)
            return "mine"
        return "end"

    def open_at(self, line: str, at: int) -> None:
        """A header: the frames of one more exception follow."""
        self.parts.append(Part())
        self.tentative = False
        if line.startswith(GROUP_HEADER, at):
            self.state, self.group_lines = "group", [line[at:]]
        else:
            self.state = "frames"

    def _in_group(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        if not _GROUP_MARGIN.match(line):
            # Before 3.13 Python draws no margin before the further lines of a text, nor before "[Previous line ...".
            self.foreign += 1
            if self.closed or self.foreign > limits.foreign_lines or (not line.strip() and not self.opened):
                self._close_group(limits)
                return self._in_text(line, limits, ordinary) if self.part.exc_type else "end"
        elif line.startswith(GROUP_HEADER):  # only an outermost one begins with "+": another group
            self._close_group(limits)
            return "end"
        else:
            self.foreign = 0
            self.opened = self.opened or "+-+-" in line
            # A group that is the last member of another one closes for both: only the next line tells.
            self.closed = self.opened and "+-" in line and not line.strip("+- ")
        self.group_lines.append(line)
        return "mine"

    def add_text(self, line: str) -> None:
        """A line that can only be more of the last exception's text (or of its frames, while they last)."""
        if self.state == "text":
            self.part.text += [*self.tail, line]
            self.tail, self.owed = [], max(0, self.owed - 1)
        else:
            self.part.frames.append(line)

    def _close_group(self, limits: Limits) -> None:
        relation = self.part.relation
        inner = GroupReader(self.group_lines, limits, lambda: Block(parts=[Part()])).block()
        self.parts[-1:] = inner.parts or [Part(relation=relation)]
        self.group_lines, self.opened, self.closed, self.foreign = [], False, False, 0
        self.state, self.tail, self.whole, self.owed = "text", [], True, 0
        self.quoted = self.nested = False
        self.ruler = ""

    def _in_fatal(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        if not _FATAL_LINE.match(line):
            return "end"
        self.part.frames.append(line)
        return "end" if len(self.part.frames) > limits.block_lines else "mine"

    # ------------------------------------------------------------------ ending

    def split_tail(self) -> list[str]:
        """Before a chain's separator: the lines in waiting from an exception on that has no traceback of its own. They
        are no notes of the one before, but the beginning of the chain.
        """
        for index, line in enumerate(self.tail):
            if self.state == "text" and syntax.BARE.match(line):
                taken = self.tail[index:]
                del self.raw[len(self.raw) - len(taken) :]
                del self.tail[index:]
                return taken
        return []

    def _absorb_tail(self, *, as_text: bool = False) -> None:
        """The lines in waiting belong to the exception: they are its notes, or more of a text whose end is unknown."""
        while self.tail and not self.tail[-1].strip():
            self.tail.pop()
        if as_text:
            self.part.text += self.tail
        else:
            self.part.notes += self.tail
        self.tail = []

    def finish(self, limits: Limits, *, end_of_log: bool) -> list[str]:
        """Nothing more comes. At the end of a log what waits are notes; otherwise they are returned, to be read as
        ordinary lines.
        """
        if self.state == "group":
            self._close_group(limits)
        if end_of_log and not self.harmless and not self.tentative:
            self._absorb_tail()
        released = [line for line in self.tail if line.strip()]
        if released:
            del self.raw[len(self.raw) - len(self.tail) :]
        self.tail = []
        return released

    # ------------------------------------------------------------------ state

    def dump(self) -> Json:
        """The state, as JSON."""
        return asdict(self)

    @classmethod
    def restored(cls, state: Json) -> "Block":
        """The block of a dumped state."""
        return cls(**{**state, "parts": [Part(**part) for part in state["parts"]]})
