"""Finds tracebacks in one stream's lines, several at once where several processes write into it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from k12ai_ws.logs.limits import Limits
from k12ai_ws.wire.bodies import Json, Severity

from . import drawn, lookback, syntax
from .block import Block, are_usual
from .embedded import embedded_details
from .hints import has_hint
from .part import Part
from .report import block_detail

_DRAWN = re.compile(rf"{drawn.BOX.pattern}|(?<![^\s|\]])(?={drawn.CELLS.pattern})")
_RUN, _RUN_CHARS, _USUAL = 200, 4_000, 100
"""Most lines that are taken at once, their characters, and how many different ones are remembered."""
_QUOTING = ">#* \t"
"""A traceback behind these alone is quoted: nobody died of it here and now."""
_LOOK_BACK = 16
"""Ordinary lines remembered: the beginning of a chain may be among them, which only its separator gives away."""


@dataclass(frozen=True, slots=True)
class Report:
    """One finished traceback: the contract's error detail, and how bad it is."""

    detail: dict[str, Json]
    severity: Severity


class TracebackRecogniser:
    """Reads one stream. `feed` gives back, in order, the lines that belong to no traceback and the finished reports.

    A report waits until it is known whether it goes on: the next line says so, or `idle`, or the end of the log.
    `ordinary` tells metric, progress and log lines from those that may belong to an exception's text. `hinted` may tell
    which lines have one of `HINTS` in them.
    """

    def __init__(
        self,
        limits: Limits,
        ordinary: Callable[[str], bool],
        app_roots: Sequence[str] | None = None,
        hinted: Callable[[str], bool] | None = None,
    ) -> None:
        self._limits = limits
        self._ordinary = ordinary
        self._hinted = hinted or has_hint
        self._roots = app_roots
        self._blocks: list[Block] = []
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._recent: list[str] = []
        self._usual: dict[tuple[str, ...], bool] = {}  # frames -> whether each line is a frame's; a memo, no state

    @property
    def _before(self) -> str:
        """The last line that went by and said anything."""
        return next((line for line in reversed(self._recent) if line), "")

    def _went_by(self, *lines: str) -> None:
        self._recent = [*self._recent, *lines][-_LOOK_BACK:]

    @property
    def open(self) -> Sequence[Block]:
        """The tracebacks that are being read, kept up to date: while there is one, every line counts."""
        return self._blocks

    def remember(self, lines: Sequence[str]) -> None:
        """Ordinary lines went by: what stands right before a traceback says whether the process survived it."""
        if lines:
            self._recent = [*self._recent, *lines[-_LOOK_BACK:]][-_LOOK_BACK:]

    def feed(self, line: str) -> list[str | Report]:
        """What this line gives."""
        for index, block in enumerate(self._blocks):
            text = self._stripped(block, line)
            if text is None:
                if not (block.indented and block.state == "text" and line.strip()):
                    continue
                del self._blocks[index]  # no longer indented: something else
                return [*self._finished(block, "line", line), *self.feed(line)]
            if syntax.relation_of(text) and (taken := block.split_tail()):
                del self._blocks[index]
                out = self._finished(block, "line", taken[0])
                for again in (*(block.prefix + kept for kept in taken), line):
                    out += self.feed(again)
                return out
            verdict = block.take(text, self._limits, self._ordinary)
            if verdict == "mine":
                return []
            if verdict == "foreign":
                return self._loose(line, skip=index)
            del self._blocks[index]
            return [*self._finished(block, "line", line), *self.feed(line)]
        return self._loose(line)

    def run(self, lines: Sequence[str], start: int) -> int:
        """Takes the frames of a traceback that has just begun, all at once, where they are as usual. The number of
        lines taken: they give nothing. The same tracebacks come again and again.
        """
        if len(self._blocks) != 1 or not self._blocks[0].just_begun:
            return 0
        end = start
        while end < len(lines) and end - start < _RUN and lines[end][:2] == "  ":
            end += 1
        if end == start or end == len(lines):
            return 0
        frames = tuple(lines[start:end])
        if sum(map(len, frames)) > _RUN_CHARS or not self._blocks[0].has_room_for(frames, self._limits):
            return 0
        usual = self._usual.get(frames)
        if usual is None:
            if len(self._usual) >= _USUAL:
                self._usual.clear()
            usual = self._usual[frames] = are_usual(frames, self._limits, self._ordinary)
        if not usual:
            return 0
        self._blocks[0].take_frames(frames)
        return len(frames)

    def _stripped(self, block: Block, line: str) -> str | None:
        """The line without the block's prefix, or None where it is not of this block."""
        if not block.prefix:
            return line
        match = self._pattern(block.pattern).match(line)
        if match:
            return line[match.end() :]
        if len(block.raw) > 1:
            return None
        if line.startswith(('  File "', "  |   File", "  | ")):
            block.prefix = block.pattern = ""  # only the first line had one
            return line
        if block.count and (at := line.find('  File "', 1, 100)) > 0:  # the first line's was drawn over by a bar
            block.prefix, block.pattern = line[:at], syntax.prefix_pattern(line[:at])
            return line[at:]
        return None

    def _pattern(self, pattern: str) -> re.Pattern[str]:
        compiled = self._patterns.get(pattern)
        if compiled is None:
            if len(self._patterns) > 4 * self._limits.open_blocks:
                self._patterns.clear()
            compiled = self._patterns[pattern] = re.compile(pattern)
        return compiled

    def _loose(self, line: str, skip: int = -1) -> list[str | Report]:
        """A line of no open block: it begins one, or is ordinary."""
        block = self._begun(line) if self._hinted(line) else None
        if block is None:
            self._went_by(line)
            return [line]
        out: list[str | Report] = []
        if len(self._blocks) >= self._limits.open_blocks:
            out += self._finished(self._blocks.pop(0), "line", "")
        if not block.prefix:
            self._blocks.append(block)
        else:
            self._blocks.insert(0, block)
        return out

    def _begun(self, line: str) -> Block | None:
        at = syntax.header_at(line)
        if at >= 0:
            return self._announced(line, at)
        if "raceback" in line and (found := _DRAWN.search(line, 0, 400)):
            return self._announced(line, found.start())
        if line.rstrip().endswith(syntax.SEPARATORS):
            return self._looked_back(line)
        if (details := embedded_details(line, self._details)) is not None:
            block = self._block("", Block(kind="embedded", state="whole", ready=details, parts=[Part()], raw=[line]))
            block.logged = True
            return block
        if (fatal := self._fatal(line)) is not None:
            return fatal
        if self._blocks and any(not block.prefix for block in self._blocks):
            return None
        if syntax.LONE_FRAME.match(line):
            return Block(tentative=True, parts=[Part(frames=[line])], raw=[line])
        if drawn.PRINTED.match(line):
            block = Block(tentative=True)
            block.open_at(line, 0)
            block.tentative = True
            drawn.celled(block.part.frames, line)
            block.raw.append(line)
            return block
        if syntax.bare(line) and (named := syntax.exception_line(line, [])):
            block = self._block("", Block(tentative=True, parts=[Part()], raw=[line]))
            block.begin_text(*named)
            return block
        return None

    def _looked_back(self, line: str) -> Block | None:
        """A chain whose first exception has no traceback and a name that nothing told from ordinary output: it stands
        among the last lines.
        """
        prefix, separator = lookback.split(line)
        pattern = self._pattern(syntax.prefix_pattern(prefix)) if prefix else None
        found = lookback.find(self._recent, pattern)
        if found is None:
            return None
        named, lines = found
        block = self._block(prefix, Block(parts=[Part()], raw=[*lines, separator]))
        lookback.begin(block, named, lines, separator)
        return block

    def _details(self, lines: Sequence[str]) -> list[Json]:
        """The tracebacks in a text that stood in one line."""
        inner = TracebackRecogniser(self._limits, lambda _: False, self._roots)
        items = [item for line in lines for item in inner.feed(line)] + inner.close()
        return [item.detail for item in items if isinstance(item, Report)]

    def _fatal(self, line: str) -> Block | None:
        found = syntax.fatal_at(line)
        if found is None:
            return None
        at, kind = found
        part = Part(exc_type=kind, text=[line[at:]])
        block = self._block(line[:at], Block(kind="fatal", state="fatal", parts=[part], raw=[line[at:]]))
        block.logged = block.logged or kind == syntax.LATE
        return block

    def _announced(self, line: str, at: int) -> Block:
        prefix = line[:at] if at <= 400 and not line[:at].endswith("Original ") else ""
        block = self._block(prefix, Block())
        block.open_at(line, at)
        block.raw.append(line[at:])
        return block

    def _block(self, prefix: str, block: Block) -> Block:
        block.prefix, block.pattern = prefix, syntax.prefix_pattern(prefix) if prefix else ""
        before = self._before
        if prefix and (match := self._pattern(block.pattern).match(before)):
            before = before[match.end() :]
        block.harmless = syntax.survived(before) or (bool(prefix.strip()) and not prefix.strip(_QUOTING))
        block.lead = syntax.lead_of(before)
        block.count = syntax.count_of(prefix) or syntax.count_of(before)
        block.logged = bool(syntax.RECORD.match(self._before))
        return block

    def _finished(self, block: Block, why: str, line: str) -> list[str | Report]:
        """The report of a block that is over, and the lines that turned out to be none of its own."""
        ended = why
        if why == "line" and syntax.DYING.match(line[:300]):
            ended = "dying"
        elif why == "line" and (syntax.RECORD.match(line) or (block.lead and syntax.lead_of(line) == block.lead)):
            ended = "record"
        released = block.finish(self._limits, why=ended)
        if block.tentative:
            lines = [block.prefix + text for text in block.raw + released]
            self._went_by(*lines)
            return list(lines)
        if len(block.raw) == 1 and block.kind == "python" and (why == "line" or block.foreign):
            return [block.prefix + text for text in block.raw + released]  # a header, and nothing below it
        after = next((text for text in released if text.strip()), line)
        went_on = (why == "line" or bool(released)) and bool(after.strip()) and not syntax.DYING.match(after[:300])
        mild = block.harmless or went_on or (why == "idle" and block.logged)
        self._went_by(*released or block.raw[-1:])
        severity: Severity = "warning" if mild else "error"
        details = block.ready or [block_detail(block, self._limits, self._roots)]
        out: list[str | Report] = [Report(detail, severity) for detail in details]
        if block.ready:  # a record of its own: it may say more than the traceback
            out += block.raw[:1]
        return [*out, *(block.prefix + text for text in released)]

    def idle(self) -> list[str | Report]:
        """Nothing came for a while: what is complete goes out."""
        return self._flush("idle")

    def close(self) -> list[str | Report]:
        """The log is over."""
        return self._flush("close")

    def _flush(self, why: str) -> list[str | Report]:
        out: list[str | Report] = []
        kept: list[Block] = []
        for block in self._blocks:
            if why == "idle" and block.state not in ("text", "fatal", "whole"):
                kept.append(block)
            else:
                out += self._finished(block, why, "")
        self._blocks[:] = kept
        return out

    def dump(self) -> Json:
        """The state, as JSON."""
        return [self._recent, [block.dump() for block in self._blocks]]

    def load(self, state: Json) -> None:
        """Goes on from a dumped state."""
        recent, blocks = state
        self._recent = list(recent)
        self._blocks[:] = [Block.restored(block) for block in blocks]
