"""Finds crashes in one stream's lines, several at once where several processes write into it."""

import re
from collections.abc import Callable, Sequence

from k12ai_ws.logs.limits import Limits
from k12ai_ws.logs.ranks import prefix_end, rank_of
from k12ai_ws.logs.sieve import shape_of
from k12ai_ws.logs.tracebacks import Report
from k12ai_ws.logs.tracebacks.syntax import DYING
from k12ai_ws.wire.bodies import Json

from .block import CrashBlock, begun
from .compiled import COMPILED
from .detail import crash_detail
from .kind import Kind, Policy
from .launchers import LAUNCHERS
from .native import ALLOCATOR, NATIVE
from .scripts import SCRIPTS
from .shells import SHELLS

HINTS = (
    "rror", "xception", "rrupt", " line ", "erminat", "ion fault", "Kill", "bort", "not found", "failed", "panic",
    "No such", "No module", "denied", "llegal inst", "anitizer", "(): ", "cannot exec", "parameter not set", ":in `",
    ":in '", "Watchdog", "heap out of", "Bad sys", "/breakpoint", "chunk", "tcache", "non-zero",
    "ERROR: ", "fatal: ", "o rule to make", "response from daemon", "exec format", "zsh: ", "o such file",
)  # fmt: skip
"""Without one of these a line can begin no crash."""

KINDS: tuple[Kind, ...] = (*SHELLS, *NATIVE, *LAUNCHERS, *COMPILED, *SCRIPTS)
"""In the order in which they are tried."""
_BY_NAME = {kind.name: kind for kind in KINDS}
_NEEDLES = tuple((needle, at, kind) for at, kind in enumerate(KINDS) for needle in kind.needles)

_NUMBER = {kind.name: number for number, kind in enumerate(KINDS)}

RECENT = 4
"""Ordinary lines remembered: the text of some crashes stands above what gives them away."""
ECHO_LINES = 6
"""A shell's word on its child this close below a crash is about that crash."""
SUMMARY_LINES = 2_000
"""A launcher's summary this close below an error is about that error."""
DOUBT_LINES = 50
"""So is one this close below an error that looked survived."""
FAR = 1_000_000_000
LONGEST = 16_384
"""Longer lines begin no crash."""
SHAPES = 4_096
"""Shapes of lines remembered as those that begin no crash; then all are forgotten."""
SHAPE_CHARS = 300
"""Length of the longest line of which that is remembered."""


class CrashRecogniser:
    """Reads one stream. `feed` gives back, in order, the lines that belong to no crash and the finished reports.

    `ordinary` tells metric, progress and log lines from those that may belong to a crash's text.
    """

    def __init__(self, limits: Limits, ordinary: Callable[[str], bool], app_roots: Sequence[str] | None = None) -> None:
        self._limits = limits
        self._ordinary = ordinary
        self._roots = app_roots
        self._blocks: list[CrashBlock] = []
        self._recent: list[str] = []
        self._since = FAR  # lines since the last error of this stream
        self._doubt = FAR  # lines since one that looked survived
        self._echoed = True  # that error was itself a shell's echo
        self._asked: tuple[str, CrashBlock | None] = "", None  # what `begins` was asked last, within one line's reading
        self._dull: set[bytes] = set()  # a memo, and no part of the state

    @property
    def open(self) -> Sequence[CrashBlock]:
        """The crashes that are being read, kept up to date: while there is one, every line counts."""
        return self._blocks

    def remember(self, lines: Sequence[str]) -> None:
        """Ordinary lines went by."""
        if lines:
            self._recent = [*self._recent, *lines[-RECENT:]][-RECENT:]
            self._passed(len(lines))

    def note(self, report: Report) -> None:
        """Another reader of this stream reported an error."""
        if report.severity == "error":
            self._since, self._echoed = 0, False
        else:
            self._doubt = 0

    def _passed(self, lines: int) -> None:
        self._since = min(FAR, self._since + lines)
        self._doubt = min(FAR, self._doubt + lines)

    # ------------------------------------------------------------------ reading

    def claims(self, line: str) -> bool:
        """Whether this line is surely part of a crash that is open."""
        return any(
            (text := block.stripped(line)) is not None and block.claims(text, _BY_NAME[block.kind])
            for block in self._blocks
        )

    def begins(self, line: str) -> bool:
        """Whether a crash begins here that cannot be mistaken for an exception of Python."""
        block = self.begun(line)
        self._asked = line, block
        return block is not None and not _BY_NAME[block.kind].vague

    def feed(self, line: str) -> list[str | Report]:
        """What this line gives."""
        for index, block in enumerate(self._blocks):
            text = block.stripped(line)
            if text is None:
                continue
            kind = _BY_NAME[block.kind]
            verdict = block.take(text, kind, self._limits, line)
            if verdict == "wait" and text.strip() and (self._ordinary(text) or self.begun(line)):
                block.untake()
                verdict = "end"
            if verdict == "end" and self._patient(block, kind, text):
                return self._loose(line)
            if verdict in ("mine", "wait"):
                return []
            del self._blocks[index]
            if verdict == "last":
                return self._finished(block, "last", "")
            return [*self._finished(block, "line", line), *self.feed(line)]
        return self._loose(line)

    def _patient(self, block: CrashBlock, kind: Kind, text: str) -> bool:
        """Whether the block stays open behind a line of others: it waits for the log's end, or for its own text."""
        block.foreign += 1
        if block.foreign > self._limits.foreign_lines:
            return False
        if block.policy == Policy.LAST.value:
            return bool(DYING.match(text)) and block.proven
        return kind.head is not None and not block.headed and block.foreign <= 5 and not block.tail

    def _loose(self, line: str) -> list[str | Report]:
        """A line of no open block: it begins one, or is ordinary."""
        asked, block = self._asked
        if asked is not line:
            block = self.begun(line)
        self._asked = "", None
        if block is None or self._known(block):
            self._recent = [*self._recent[1 - RECENT :], line]
            self._passed(1 if line.strip() else 0)
            return [line]
        out: list[str | Report] = []
        if len(self._blocks) >= self._limits.open_blocks:
            out += self._finished(self._blocks.pop(0), "line", "")
        if block.prefix:
            self._blocks.insert(0, block)
        else:
            self._blocks.append(block)
        return out

    def _known(self, block: CrashBlock) -> bool:
        """Whether a word on a process only repeats what was reported already."""
        if block.policy == Policy.ECHO.value:
            return self._since <= ECHO_LINES and not self._echoed
        told = self._since <= SUMMARY_LINES or self._doubt <= DOUBT_LINES
        return block.policy == Policy.SUMMARY.value and told

    def begun(self, line: str, after: int = -1) -> CrashBlock | None:
        """The block that this line begins, of a kind behind number `after`."""
        shape = shape_of(line)
        if shape in self._dull or len(line) > LONGEST:
            return None
        at, dull = -1, after < 0
        for needle, number, kind in _NEEDLES:
            if needle not in line or number <= after:
                continue
            after = number
            if at < 0:
                at = prefix_end(line)
            for start in (at, 0) if at else (0,):
                match = kind.begin.match(line, start)
                if match and (block := self._block(kind, match, line, start)):
                    return block
                dull = dull and not match
        if dull and len(line) <= SHAPE_CHARS:
            if len(self._dull) >= SHAPES:
                self._dull.clear()
            self._dull.add(shape)
        return None

    def _block(self, kind: Kind, match: "re.Match[str]", line: str, start: int) -> CrashBlock | None:
        prefix = line[:start]
        if kind.name == "signal" and match["rest"].strip() and not match["shell"]:
            return None
        block = begun(kind, match, line[start:], prefix, rank_of(prefix) if prefix else None)
        if kind.before is not None and not self._from_before(kind, block, match):
            return None
        if kind.name == "signal" and match["type"] == "Aborted":
            self._reason(block)
        return block

    def _from_before(self, kind: Kind, block: CrashBlock, match: "re.Match[str]") -> bool:
        """Takes the text from the lines above; False where neither they nor the line itself have one."""
        if "text" in match.re.groupindex and match["text"]:
            return True
        for index in range(len(self._recent) - 1, -1, -1):
            above = self._recent[index]
            found = kind.before.match(above, len(block.prefix)) if kind.before else None
            if found:
                lines = [line[len(block.prefix) :] for line in self._recent[index:]]
                block.parts[-1].text = [found["text"], *lines[1:]]
                block.raw[:0] = lines
                if "rank" in found.groupdict() and found["rank"]:
                    block.rank = int(found["rank"])
                return True
        return False

    def _reason(self, block: CrashBlock) -> None:
        """The allocator's last words may stand right above `Aborted`, without anything that gave them away."""
        above = self._recent[-1] if self._recent else ""
        if found := ALLOCATOR.match(above):
            block.parts[-1].text = [found["text"]]
            block.raw.insert(0, above)
            block.policy = Policy.FATAL.value

    # ------------------------------------------------------------------ ending

    def _finished(self, block: CrashBlock, why: str, line: str) -> list[str | Report]:
        """The report of a crash that is over, and the lines that turned out to be none of its own."""
        kind = _BY_NAME[block.kind]
        if why != "line" and kind.free_text and block.proven:
            block.absorb()
        released = [whole for text, whole in zip(block.tail, block.waiting(), strict=True) if text.strip()]
        follows = why == "line" and bool(line.strip()) and not DYING.match(line)
        went_on = follows or any(not DYING.match(text) for text in block.tail if text.strip())
        if not block.proven:
            return self._again(block, why)
        if block.policy == Policy.LAST.value and went_on:
            self._recent = block.lines[-RECENT:]
            self._passed(len(block.lines))
            return list(block.lines)
        mild = went_on and not block.killed(kind)
        report = Report(crash_detail(block, kind, self._limits, self._roots), "warning" if mild else "error")
        self._since, self._echoed = len(released), block.policy == Policy.ECHO.value
        return [report, *released]

    def _again(self, block: CrashBlock, why: str) -> list[str | Report]:
        """It was nothing of its kind: perhaps of another one that begins alike; otherwise its lines are ordinary."""
        first, *rest = block.lines
        other = self.begun(first, _NUMBER[block.kind])
        out: list[str | Report] = [first]
        if other is None or self._known(other):
            self._recent = [*self._recent[1 - RECENT :], first]
            self._passed(1)
        else:
            self._blocks.append(other)
            out = []
        for line in rest:
            out += self.feed(line)
        return out

    def settle(self) -> list[str | Report]:
        """Another reader of this stream reported an exception: what is open was before it, and is over."""
        return self._flush("line", "an exception")

    def elsewhere(self, line: str) -> list[str | Report]:
        """Another stream of the program goes on, with this line: what was followed by a silence here is over."""
        return self._flush("elsewhere", line)

    def idle(self) -> list[str | Report]:
        """Nothing came for a while: what ended its process goes out; of the rest, what follows decides what it is."""
        return self._flush("idle")

    def close(self) -> list[str | Report]:
        """The log is over."""
        return self._flush("close")

    def _flush(self, why: str, line: str = "") -> list[str | Report]:
        out: list[str | Report] = []
        kept: list[CrashBlock] = []
        while self._blocks:
            block = self._blocks.pop(0)
            stays = why == "elsewhere" and (not block.rested or bool(block.prefix))
            if stays or (why == "idle" and block.rests(_BY_NAME[block.kind])):
                kept.append(block)
            else:
                out += self._finished(block, "line" if why == "elsewhere" else why, line)
        self._blocks[:] = kept
        return out

    # ------------------------------------------------------------------ state

    def dump(self) -> Json:
        """The state, as JSON."""
        return [self._recent, self._since, self._doubt, self._echoed, [block.dump() for block in self._blocks]]

    def load(self, state: Json) -> None:
        """Goes on from a dumped state."""
        self._recent, self._since, self._doubt, self._echoed, blocks = state
        self._recent = list(self._recent)
        self._blocks[:] = [CrashBlock.restored(block) for block in blocks]
