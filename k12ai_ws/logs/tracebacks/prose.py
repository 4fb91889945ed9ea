"""An exception's text: where it goes on and where it ends, which nothing in a log says outright."""

import re
from collections.abc import Callable

from k12ai_ws.logs.limits import Limits

from . import drawn, syntax
from .part import Verdict
from .state import BlockState
from .syntax import HEADER

_CAUGHT = re.compile(r"Caught (\w{1,80}) in \w")
"""What torch's loaders and replicas put before a worker's traceback: how that one ends."""
_OF_RAY = re.compile(r"\((\w{1,80})\)$")
"""The same in the name of ray's exceptions."""
_LISTED = re.compile(r"(?:[-*•] |\d{1,2}[.)] )\S|.{0,400}:\s*$")
_NODES = "{{"
"""TensorFlow's names of a graph's nodes: a traceback of Python code in the graph follows."""


class TextReader(BlockState):
    """Reads an exception's text. What cannot be told at once waits in `tail`."""

    __slots__ = ()

    def begin_text(self, name: str, text: str | None) -> None:
        """The first line of the exception itself."""
        part = self.part
        part.exc_type, part.text = name, [text or ""]
        self.state, self.tail = "text", []
        self.quoted = self.whole = self.nested = False
        self.ruler, self.owed, self.told, self.pending = "", 0, [], ""
        self.headless = text == ""  # a colon and nothing behind it: the text begins with a line's end
        sources = self.sources()
        exact, least = syntax.literal_text(sources)
        numbered = bool(text and syntax.NUMBERED.match(text))
        self.raised = bool(sources) and (numbered or syntax.notes_likely(name, sources))
        self.single = self.raised and (numbered or syntax.single_line(name, sources))
        if exact is not None:
            lines = exact.split("\n")
            if lines[0].rstrip() == (text or "").rstrip():
                self.owed, self.whole = len(lines) - 1, True
        elif text and (told := self._told_before(name, text)):
            self.told, self.whole = told, True
        elif least and text:
            self.owed = least
        self.listing = self.owed > 0 and not self.whole and bool(text) and str(text).rstrip().endswith(":")
        if text and name == "AssertionError" and text in sources and text.startswith("assert "):
            part.text = [""]  # loguru shows the statement where the exception has no text
        self.nested = text is not None and text.startswith("ray::")

    def _told_before(self, name: str, text: str) -> list[str]:
        """The further lines of the text, where the traceback of the worker that it comes from shows all of it."""
        before = self.parts[-2] if len(self.parts) > 1 else None
        if before is None or not (before.exc_type or "").endswith("RemoteTraceback"):
            return []
        lines = before.text
        while lines and (not lines[-1].strip() or lines[-1].rstrip() in ('"""', "'''")):
            lines = lines[:-1]
        starts = [at for at, line in enumerate(lines) if line.endswith(f"{name}: {text}")]
        return lines[starts[-1] + 1 :] if starts else []

    def _in_text(self, line: str, limits: Limits, ordinary: Callable[[str], bool]) -> Verdict:
        text = self.part.text
        if self.quoted or self.ruler:
            return self._inside(line, text)
        if self.told:
            if line.rstrip() == self.told[0].rstrip():
                text.append(line)
                del self.told[0]
                return "mine"
            self.told = []
        if self.owed:
            self.owed -= 1
            self.nested = syntax.header_at(line) >= 0
            text.append(line)
            return "mine"
        if self.width and (verdict := self._wrapped(line, text)):
            return verdict
        relation = syntax.relation_of(line)
        if relation and self.nested and self._caught():
            return self._in_nested(line, text)
        if relation:
            self.absorb(as_text=not self.whole)
            self.part.relation = relation
            self.state = "between"
            return "mine"
        if syntax.header_at(line) >= 0 or drawn.BOX.match(line) or drawn.CELLS.match(line):
            return self._headed(line, text)
        if not line.strip():
            self.tail.append(line)
            return "end" if len(self.tail) > self._patience(limits) else "mine"
        if self.nested:
            return self._in_nested(line, text)
        if self.listing and not self.tail and not syntax.DYING.match(line) and not self._logged(line):
            text.append(line)
            return "mine"
        if len(text) == 1 and not text[0] and not self.tail and not self.whole and self._fenced(line, text):
            return "mine"
        if self.headless and not self.whole and not syntax.RECORD.match(line):
            self.headless = False
            text += [*self.tail, line]
            self.tail = []
            return "mine"
        if syntax.gives_up(line):
            return "foreign"  # a record of a program that gives up: what comes behind it tells
        if count := syntax.count_of(line):  # the bar drawn once more as it was: nothing went on
            return "foreign" if count == self.count else "end"
        if not self.whole and (
            (line[:1] in " \t" and (self._goes_on(text) or self._listed(line, text)))
            or (not self.tail and syntax.CONTINUES.match(line))
        ):
            text += [*self.tail, line]
            self.tail = []
            return "mine"
        if (
            ordinary(line)
            or self._again(line)
            or (line[:1].isalnum() and syntax.DYING.match(line))
            or (self.tentative and len(self.tail) > 1)
        ):
            return "end"
        self.tail.append(line)
        return "end" if len(self.tail) > self._patience(limits) else "mine"

    def _patience(self, limits: Limits) -> int:
        """How many lines that may be the text's are waited for: more of them where they are a list, or announce one."""
        if self.logged or self.harmless or len(self.tail) <= limits.tail_lines or not self._lists():
            return limits.tail_lines
        return 3 * limits.tail_lines

    def _lists(self) -> bool:
        """Whether the lines in waiting are a list, or announce one: with bullets, or all with one first word."""
        if any(map(_LISTED.match, self.tail)):
            return True
        lines = [line for line in self.tail if line.strip()]
        return len({line.split(" ", 1)[0] for line in lines}) == 1 and not any(map(str.isdigit, "".join(lines)))

    def _headed(self, line: str, text: list[str]) -> Verdict:
        """The head of a traceback: one that is part of this text, or another one."""
        if self.part.exc_type and self.part.exc_type.endswith("ExecutionError") and drawn.CELLS.match(line):
            self.nested = True  # what a notebook's runner says of a failed cell
        elif syntax.header_at(line) < 0 or (line.rstrip() != HEADER and "Original" not in line):
            return "end"
        announced = text[-1].rstrip().endswith(":") or (len(text) == 1 and text[0].startswith(_NODES))
        below = not text[0] and bool(self.tail) and self.tail[-1].rstrip().endswith(":")
        if not self.whole and (below or (announced and not self.tail)):
            self.nested = True
        if self.nested or "Original" in line:
            self.nested = True
            text += [*self.tail, line]
            self.tail = []
            return "mine"
        return "end"

    def _fenced(self, line: str, text: list[str]) -> bool:
        """Whether a text that begins below its exception's name stands between quotes or rulers."""
        if line.rstrip() in ('"""', "'''"):
            self.quoted = True
        elif syntax.RULER.match(line.rstrip()):
            self.ruler = line.rstrip()
        else:
            return False
        text.append(line)
        return True

    def _wrapped(self, line: str, text: list[str]) -> Verdict | None:
        """Undoes what rich did to a text, and to the line between two exceptions, that are wider than its console."""
        if self.pending:
            joined, self.pending = f"{self.pending} {line.strip()}", ""
            if syntax.relation_of(joined):
                return self._in_text(joined, Limits(), lambda _: False)
        if len(line.strip()) > 20 and any(whole.startswith(line.strip() + " ") for whole in syntax.SEPARATORS):
            self.pending = line.strip()
            return "mine"
        if line.startswith("[NOTE] "):
            self.part.notes.append(line[7:].rstrip())
            return "mine"
        if drawn.MEMBER_BOX.match(line.rstrip()):
            self.state, self.group_lines = "members", [line]
            return "mine"
        before, self.drawn = self.drawn, line
        if self.tail or (joint := drawn.joint(before, line, self.width)) is None:
            return None
        text[-1] = text[-1].rstrip() + joint + line.rstrip()
        return "mine"

    def _goes_on(self, text: list[str]) -> bool:
        """Whether an indented line belongs to the text: right below it, or below a line that announces it."""
        if self.tail and self.tail[-1].rstrip().endswith(":"):
            return True
        return not any(map(str.strip, self.tail)) and (not self.tail or len(text) > 1)

    def _listed(self, line: str, text: list[str]) -> bool:
        """Whether an indented line is an item of the list that the text's first line announces."""
        return (
            line[:2] == "  " and not self.whole and bool(syntax.LISTS.match(text[0])) and not syntax.RECORD.match(line)
        )

    @staticmethod
    def _logged(line: str) -> bool:
        """Whether a line is a log record, not a table's row of numbers."""
        return bool(syntax.RECORD.match(line)) and (":" in line[:24] or not line[:1].isdigit())

    def _again(self, line: str) -> bool:
        """Whether a line begins as the one before the traceback did: the program goes on to print."""
        return bool(self.lead) and syntax.lead_of(line) == self.lead

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
        found = syntax.exception_line(line, [])
        caught = self._caught()
        if found and (not caught or found[0].rpartition(".")[2] == caught):
            self.nested = self.raised = False
            self.whole = not caught and not text[0].startswith(_NODES)
        return "mine"

    def _caught(self) -> str | None:
        """How a traceback in the text ends, where the text itself says so."""
        match = _CAUGHT.match(self.part.text[0]) or _OF_RAY.search(self.part.exc_type or "")
        return match[1] if match else None

    # ------------------------------------------------------------------ ending

    def split_tail(self) -> list[str]:
        """Before a chain's separator: the lines in waiting from an exception on that has no traceback of its own. They
        are no notes of the one before, but the beginning of the chain.
        """
        for index, line in enumerate(self.tail):
            if self.state == "text" and syntax.bare(line):
                taken = self.tail[index:]
                del self.raw[len(self.raw) - len(taken) :]
                del self.tail[index:]
                return taken
        return []

    def absorb(self, *, as_text: bool) -> None:
        """The lines in waiting belong to the exception: they are its notes, or more of a text whose end is unknown."""
        while self.tail and not self.tail[-1].strip():
            self.tail.pop()
        if (self.part.exc_type or "").endswith("Group") and not syntax.SUB_EXCEPTIONS.search(self.part.text[-1]):
            ends = [i for i, line in enumerate(self.tail) if syntax.SUB_EXCEPTIONS.search(line.rstrip())]
            if ends:
                self.part.text += self.tail[: ends[0] + 1]
                self.tail, as_text = self.tail[ends[0] + 1 :], False
        if as_text:
            self.part.text += self.tail
        else:
            for line in self.tail:
                ruled = bool(self.part.notes) and bool(syntax.RULER.match(self.part.notes[-1]))
                if ruled or (line[:1] in (" ", "\t") and self.part.notes):
                    self.part.notes[-1] += "\n" + line  # a note of several lines
                else:
                    self.part.notes.append(line)
        self.tail = []

    def settle(self) -> None:
        """Everything in waiting is the exception's. Which part is text and which are notes, the code that raised it
        says; a blank line stands in a text.
        """
        blank = any(not line.strip() for line in self.tail[: self._last()])
        listed = len(self.part.text) == 1 and bool(syntax.LISTS.match(self.part.text[0]))
        if blank and not self.tail[0].strip() and (self.whole or self.single):
            return  # a blank line ended it: `print(traceback.format_exc())` adds one
        self.absorb(as_text=not self.whole and (blank or listed or not self.raised))

    def _last(self) -> int:
        """How many of the lines in waiting there are up to the last that is not blank."""
        count = len(self.tail)
        while count and not self.tail[count - 1].strip():
            count -= 1
        return count
