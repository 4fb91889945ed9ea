"""One crash while it is being read, line by line."""

import re
from dataclasses import asdict, dataclass, field
from typing import Literal

from k12ai_ws.logs.limits import Limits
from k12ai_ws.logs.ranks import prefix_end, same_source
from k12ai_ws.wire.bodies import Json

from .kind import Kind, Policy

Verdict = Literal["mine", "wait", "end", "last"]
"""Of a line: part of the crash; perhaps part of it; not part of it, and the crash is over; its last line."""
_NUMBER = re.compile(r"\[?\d{1,6}[\]:] ")
KEPT = 400
"""Most lines of one crash that are kept; the middle goes first."""


@dataclass(slots=True)
class Part:
    """One exception of a crash: type, text and the places of its frames as printed, `(file, line, func)`."""

    exc_type: str
    text: list[str] = field(default_factory=list)
    frames: list[list[Json]] = field(default_factory=list)
    older: bool = False
    """It caused the one printed before it; otherwise the one printed before caused it."""


@dataclass(slots=True)
class CrashBlock:
    """The state of one crash. All of it is JSON, so that another process can read on."""

    kind: str
    prefix: str
    policy: str
    rank: int | None = None
    parts: list[Part] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    cut: int = 0
    count: int = 1
    tail: list[str] = field(default_factory=list)  # lines that may turn out to be its text, or nothing of it
    proven: bool = False
    dead: bool = False  # its last line says that the process ended
    headed: bool = False  # `head` was read
    foreign: int = 0
    complete: bool = False  # the text can have no more lines
    at: int = 0  # the part that is being read
    rested: bool = False  # a silence followed it
    lines: list[str] = field(default_factory=list)  # whole, as they came: those that may yet be given back

    # ------------------------------------------------------------------ reading

    @property
    def part(self) -> Part:
        """The exception that is being read."""
        return self.parts[self.at]

    def stripped(self, line: str) -> str | None:
        """The line without the block's prefix, or None where it is of another process."""
        if not self.prefix:
            return line
        at = prefix_end(line)
        if not at or same_source(line[:at]) != same_source(self.prefix):
            return None
        if line[at - 1] == " " and self.prefix[-1] != " ":
            at -= 1  # the space is the text's own
        return line[at:]

    def take(self, line: str, kind: Kind, limits: Limits, whole: str) -> Verdict:
        """Reads one line, its prefix gone; `whole` has it."""
        if not self.proven and len(self.lines) > KEPT // 2:
            return "end"
        verdict = self._read(line, kind, limits)
        if verdict != "end":
            self.lines.append(whole)
            if self.proven and not self.tail and self.policy != Policy.LAST.value:
                self.lines.clear()
        return verdict

    def rests(self, kind: Kind) -> bool:
        """Nothing came for a while: its text is over. Whether it stays open, for what follows decides what it is."""
        if not self.proven or self.policy == Policy.FATAL.value:
            return False
        if self.policy != Policy.LAST.value:
            if kind.free_text:
                self.absorb()
            self.complete = self.rested = True
        return True

    def killed(self, kind: Kind) -> bool:
        """Whether it ended its process, whatever is printed after it."""
        policy = self.policy
        return self.dead or policy == Policy.FATAL.value or (policy == Policy.SUMMARY.value and not kind.mild)

    def untake(self) -> None:
        """The last line, which was to wait, is none of its own."""
        del self.tail[-1], self.lines[-1]

    def waiting(self) -> list[str]:
        """The whole lines of the tail."""
        return self.lines[len(self.lines) - len(self.tail) :]

    def _read(self, line: str, kind: Kind, limits: Limits) -> Verdict:
        if kind.proof and kind.proof.match(line):
            self.proven = True
        if kind.back and kind.back.match(line):
            self._mine(line, kind)
            self.at = max(0, self.at - 1)
            return "mine"
        if kind.head and not self.headed and (match := kind.head.match(line)):
            self.headed, self.parts[-1].text = True, [match["text"]]
            return self._mine(line, kind)
        if kind.counted and kind.begin.match(line):
            self.count += 1
            return self._mine(line, kind)
        if kind.end and (match := kind.end.match(line)):
            self._mine(line, kind)
            self.dead = True
            return "last"
        if not line.strip():
            return self._waits(line, limits.tail_lines)
        if kind.frame and (match := kind.frame.match(line)):
            above = (self.tail or self.raw)[-1]
            self._mine(line, kind)
            self._frame(match, kind, above)
            return "mine"
        for pattern in (kind.link, kind.following):
            if pattern and (match := pattern.match(line)):
                self._mine(line, kind)
                self.parts.append(part_of(match, kind, older=pattern is kind.link))
                self.at = len(self.parts) - 1
                self.complete = False
                return "mine"
        if kind.more and kind.more.match(line):
            return self._mine(line, kind)
        if self.complete and kind.later and kind.later.match(line):
            return self._mine(line, kind)
        if kind.text_lines and not self.complete:
            return self._waits(line, kind.text_lines)
        return "end"

    def claims(self, line: str, kind: Kind) -> bool:
        """Whether this line surely belongs to it."""
        return any(
            pattern is not None and pattern.match(line)
            for pattern in (kind.frame, kind.link, kind.following, kind.more, kind.head, kind.end, kind.proof)
        )

    def _waits(self, line: str, most: int) -> Verdict:
        if len(self.tail) >= most:
            return "end"
        self.tail.append(line)
        return "wait"

    def _mine(self, line: str, kind: Kind) -> Verdict:
        self.absorb()
        self._keep(line)
        self.complete = not kind.head or self.complete or (self.headed and not kind.head.match(line))
        return "mine"

    def _keep(self, line: str) -> None:
        self.raw.append(line)
        if len(self.raw) > KEPT:
            third = KEPT // 3
            self.cut += third
            del self.raw[third : 2 * third]

    def absorb(self) -> None:
        """The lines in waiting belong to it: they are more of its text."""
        for line in self.tail:
            self._keep(line)
        part = self.part
        if not self.complete:
            part.text += self.tail
            while len(part.text) > 1 and not part.text[-1].strip():
                part.text.pop()
        self.tail = []

    def _frame(self, match: re.Match[str], kind: Kind, above: str) -> None:
        found = groups_of(match)
        frames = self.part.frames
        if len(frames) >= KEPT:
            del frames[KEPT // 3 : 2 * KEPT // 3]
        func = found.get("func", "")
        if kind.named_above:
            func = _NUMBER.sub("", above.strip())
            func = func if kind.language == "rust" else func.rpartition("(")[0] or func
        frames.append([found.get("file", ""), int(found.get("line") or 0), func.removeprefix("created by ").strip()])

    # ------------------------------------------------------------------ state

    def dump(self) -> Json:
        """The state, as JSON."""
        return asdict(self)

    @classmethod
    def restored(cls, state: Json) -> "CrashBlock":
        """The block of a dumped state."""
        return cls(**{**state, "parts": [Part(**part) for part in state["parts"]]})


def groups_of(match: re.Match[str]) -> dict[str, str]:
    """The named groups that matched; `text2` of another alternative counts as `text`."""
    return {name.rstrip("0123456789"): value for name, value in match.groupdict().items() if value is not None}


def part_of(match: re.Match[str], kind: Kind, *, older: bool = False) -> Part:
    """The exception that a first line tells."""
    found = groups_of(match)
    name = " ".join(found.get("type", "").split()) or kind.exc_type
    place = found.get("file")
    frames = [[place, int(found.get("line") or 0), found.get("func", "")]] if place else []
    return Part(name, [found.get("text", "")], frames, older)


def begun(kind: Kind, match: re.Match[str], line: str, prefix: str, rank: int | None) -> CrashBlock:
    """The block that this line begins; `line` is without its prefix."""
    found = groups_of(match)
    policy = kind.policy
    thread = found.get("thread")
    if kind.main_thread and thread is not None and thread != kind.main_thread:
        policy = Policy.OPEN
    number = found.get("rank")
    part = part_of(match, kind)
    if kind.language == "shell" and kind.policy is Policy.ECHO:
        part.text = [line.strip()]
    return CrashBlock(
        kind.name,
        prefix,
        policy.value,
        rank if number is None else int(number),
        [part],
        [line],
        proven=kind.proof is None,
        lines=[prefix + line],
    )
