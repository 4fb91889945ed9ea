"""One traceback while it is being read, line by line: where each exception's text ends, and where it all ends."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict

from k12ai_ws.logs.limits import Limits
from k12ai_ws.wire.bodies import Json

from . import drawn, syntax
from .detail import exception_detail
from .groups import GroupReader
from .part import Part, Verdict, shrink
from .prose import TextReader
from .syntax import GROUP_HEADER

_GROUP_MARGIN = re.compile(r"\s*[|+]")
_BARE_HEADS = ("File ", "Cell ", "Input")
_FATAL_LINE = re.compile(
    r"\s*$|Current thread |Thread 0x|\s+File |\s+<|\s+\.\.\.|Extension modules|Python runtime state"
)


class Block(TextReader):
    """Reads one traceback."""

    __slots__ = ()

    # ------------------------------------------------------------------ reading

    def take(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        """Reads one line (its prefix gone). `ordinary` knows metrics, progress bars and log records."""
        verdict: Verdict = getattr(self, f"_in_{self.state}")(line, limits, ordinary)
        if verdict == "mine":
            self._keep(line, limits)
        return verdict

    @property
    def just_begun(self) -> bool:
        """Whether the plain header of a first traceback is all that was read."""
        return self.state == "frames" and len(self.raw) == 1 and not (self.prefix or self.tentative or self.width)

    def has_room_for(self, frames: Sequence[str], limits: Limits) -> bool:
        """Whether no bound would cut anything."""
        size = self.size + 2 * sum(map(len, frames))
        return len(self.raw) + len(frames) <= limits.block_lines and size <= 2 * limits.block_chars

    def take_frames(self, frames: Sequence[str]) -> None:
        """Reads lines that `are_usual`, right after the header."""
        self.part.frames += frames
        self.raw += frames
        self.size += 2 * sum(map(len, frames))

    def _keep(self, line: str, limits: Limits) -> None:
        self.raw.append(line)
        self.size += 2 * len(line)  # here, and in a list of its part
        if len(self.raw) > limits.block_lines or self.size > 2 * limits.block_chars:
            cut, self.size = shrink(self.raw, self.group_lines, self.parts, limits)
            self.cut += cut

    def _in_frames(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        frames = self.part.frames
        if line[:1] in " \t" or line.startswith("> File "):
            return self._in_frame(line, frames, ordinary)
        if not line.strip():
            return "mine"
        if self.width and drawn.PLAIN_BOX.match(line.rstrip()):
            self.state, self.pending = "box", drawn.SYNTAX
            return "mine"
        if self._holds_a_traceback(line):
            return "mine"
        if syntax.header_at(line) >= 0 or drawn.BOX.match(line):
            return "end"
        found = syntax.exception_line(line.rstrip() if self.width else line, self.sources())
        if found:
            if self.tentative and not found[0].endswith(("SyntaxError", "IndentationError", "TabError")):
                return "end"
            self.tentative = False
            self.begin_text(*found)
            self.drawn = line
            return "mine"
        self.foreign += 1
        return "end" if self.foreign > limits.foreign_lines or self.tentative else "foreign"

    def _holds_a_traceback(self, line: str) -> bool:
        """Whether this is an exception whose text begins with a traceback: `RuntimeError: Traceback ...`."""
        if syntax.header_at(line) <= 0 or not syntax.bare(line) or self.tentative:
            return False
        found = syntax.exception_line(line, self.sources())
        if found:
            self.begin_text(*found)
            self.nested, self.whole, self.owed = True, False, 0
        return found is not None

    def _in_frame(self, line: str, frames: list[str], ordinary: Callable[[str], bool]) -> Verdict:
        if self.tentative and len(self.raw) > 6:
            return "end"
        if line.startswith("> "):
            frames.clear()  # loguru shows the whole stack; the exception's own begins at the mark
            line = "  " + line[2:]
        head = syntax.FRAME.match(line)
        if head is None and line.lstrip()[:5] in _BARE_HEADS and (bare := syntax.BARE_FRAME.match(line)):
            line = f'  File "{bare[1] or bare[2]}", line {bare[3]}' + f", in {bare[4] or '<module>'}"
            head = bare
        if head:
            self.pending = ""
        elif self.pending or syntax.VALUE.match(line):
            self.pending = "values"  # what variables were, below the code: until the next frame
            return "mine"
        elif line[:4].strip() and not syntax.REPEATED.match(line) and "\t" not in line[:4] and ordinary(line):
            return "foreign"  # Python indents code by four
        frames.append(line)
        return "mine"

    def _in_box(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        if drawn.is_bottom(line):
            self.pending = drawn.place(self.part.frames, self.pending)
            self.state = "frames"
            return "mine"
        content = drawn.inside(line)
        if content is None:
            self.foreign += 1
            return "end" if self.foreign > limits.foreign_lines else "foreign"
        self.pending = drawn.boxed(self.part.frames, self.pending, content, self.width)
        return "mine"

    def _in_cells(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        frames = self.part.frames
        if self.tentative and len(self.raw) == 1 and line[:1] not in (" ", "-"):
            return "end"  # no code below it: only a mention of a place
        if drawn.celled(frames, line):
            return "mine"
        found = syntax.exception_line(line, self.sources())
        if found and (not self.pending or found[0].rpartition(".")[2] == self.pending):
            if self.tentative and not any(source[:4] == "    " for source in frames):
                return "end"
            self.tentative = False
            self.begin_text(*found)
            return "mine"
        self.foreign += 1
        return "end" if self.foreign > limits.foreign_lines or self.tentative else "foreign"

    def _in_members(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        """A member of a group in a box of rich's: what is in it is a traceback of its own."""
        if line[:1] in ("╰", "└") or (line[:2] == "+-" and drawn.is_bottom(line)):
            self._close_members(limits)
            return "mine"
        if drawn.inside(line) is None:
            return "foreign"
        self.group_lines.append(line)
        return "mine"

    def _close_members(self, limits: Limits) -> None:
        inner = Block(parts=[Part()], width=max(8, self.width - 4))
        for line in self.group_lines[1:]:
            content = drawn.inside(line) or ""
            at = 0 if drawn.BOX.match(content) else -1
            if at == 0 and inner.state == "frames" and not inner.part.frames:
                inner.open_at(content, at, fresh=False)
            elif inner.take(content, limits, lambda _: False) == "end":
                inner.tail.append(content)
        inner.finish(limits, why="close")
        if inner.part.exc_type:
            self.part.group.append(exception_detail(inner.parts, limits, None))
        self.state, self.group_lines = "text", []

    def _in_between(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        if not line.strip():
            return "mine"
        at = 0 if drawn.BOX.match(line) or drawn.CELLS.match(line) else syntax.header_at(line)
        if at >= 0:
            self.open_at(line, at)
            return "mine"
        if drawn.PRINTED.match(line):
            self.open_at(line, 0)
            return self._in_cells(line, limits, ordinary)
        found = syntax.exception_line(line, [])
        if found:
            self.parts.append(Part())
            self.begin_text(*found)
            return "mine"
        return "end"

    def open_at(self, line: str, at: int, *, fresh: bool = True) -> None:
        """A header: the frames of one more exception follow."""
        if fresh:
            self.parts.append(Part())
        self.tentative, self.pending, self.width = False, "", 0
        if line.startswith(GROUP_HEADER, at):
            self.state, self.group_lines = "group", [line[at:]]
        elif drawn.BOX.match(line, at):
            self.state, self.width = "box", drawn.width_of(line[at:].rstrip())
        elif head := drawn.CELLS.match(line, at):
            self.state, self.pending = "cells", head[1].rpartition(".")[2]
        elif drawn.PRINTED.match(line, at):
            self.state = "cells"
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

    def _in_whole(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        """After a traceback that stood in one line: only whether something follows is of interest."""
        return "end" if line.strip() else "mine"

    # ------------------------------------------------------------------ ending

    def finish(self, limits: Limits, *, why: str) -> list[str]:
        """Nothing more comes. `why`: "close" (the log is over), "dying" (what follows is the end of a process),
        "record" (a log record follows), "idle", or "line". What waits is the exception's, or is returned, to be read
        as ordinary lines.
        """
        if self.state == "group":
            self._close_group(limits)
        elif self.state == "members":
            self._close_members(limits)
        elif self.state == "box":
            self.pending = drawn.place(self.part.frames, self.pending)
        owned = (
            why in ("close", "dying")
            or (why == "record" and (self.logged or self.raised))
            or (why == "idle" and not self.logged)
        )
        if owned and not self.harmless and not self.tentative:
            self.settle()
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


def are_usual(frames: Sequence[str], limits: Limits, ordinary: Callable[[str], bool]) -> bool:
    """Whether a block would take each of these lines, after its header, as a line of its frames."""
    read, expected = Block(parts=[Part()]), Block(parts=[Part()])
    if any(read.take(line, limits, ordinary) != "mine" for line in frames):
        return False
    expected.take_frames(frames)
    return read == expected
