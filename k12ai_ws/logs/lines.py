"""Bytes in any split -> finished lines, and the passing states of lines that are redrawn."""

import base64
import codecs
import re
from dataclasses import dataclass, field

from k12ai_ws.wire.bodies import Json

from .ansi import STRAY, UP, complete, moving, plain
from .limits import Limits

_REDRAW = re.compile(r"(\r+|\x08+|\x0b)")


@dataclass(slots=True)
class Split:
    """What one chunk finished: lines without their ends, and `(index, texts)` of states drawn over before line `index`.

    `truncated` counts the bytes that the line bound cut from these lines.
    """

    lines: list[str] = field(default_factory=list)
    passing: list[tuple[int, list[str]]] = field(default_factory=list)
    truncated: int = 0


class LineSplitter:
    """Splits one stream. Bounded whatever comes: it keeps one line, cut at the bound, and one incomplete sequence.

    A line that is redrawn (carriage return, backspaces, cursor up) is one line: the last state that shows anything.
    """

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.line_chars
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""  # an incomplete sequence at the end
        self._segment = ""  # the line as drawn since its last redraw
        self._back = 0  # how many characters backspaces went back; what is drawn next replaces them
        self._cut = 0  # bytes cut from the segment
        self._kept = ""  # the last state drawn over that showed anything
        self._kept_cut = 0
        self._reopened = False  # the cursor went up: this line was given out before

    def feed(self, data: bytes) -> Split:
        """The lines that these bytes finish."""
        return self._text(self._decoder.decode(data.translate(None, STRAY)))

    def close(self) -> Split:
        """The last line, where it had no end."""
        split = self._text(self._decoder.decode(b"", final=True), final=True)
        if self._segment or self._kept:
            self._finish(split)
        return split

    def _text(self, text: str, *, final: bool = False) -> Split:
        split = Split()
        if self._held:
            text = self._held + text
            self._held = ""
        drawn = moving(text)
        if drawn or "\x07" in text:
            end = len(text) if final else complete(text)
            self._held, text = text[end:], plain(text[:end])
            drawn = moving(text)
        pieces = text.split("\n")
        last = pieces.pop()
        if pieces:
            self._first(pieces, split)
            if drawn:
                for piece in pieces[1:]:
                    self._draw(piece, split)
                    self._finish(split)
            else:
                del pieces[0]
                if pieces and len(max(pieces, key=len)) > self._limit:
                    for piece in pieces:
                        self._append(piece)
                        self._finish(split)
                else:
                    split.lines += pieces
        if last:
            self._draw(last, split)
        return split

    def _first(self, pieces: list[str], split: Split) -> None:
        self._draw(pieces[0], split)
        self._finish(split)

    def _append(self, text: str) -> None:
        room = self._limit - len(self._segment)
        if len(text) > room:
            self._cut += len(text[room:].encode("utf-8", "replace"))
            text = text[:room]
        self._segment += text

    def _draw(self, piece: str, split: Split) -> None:
        if not self._back and "\x08" not in piece and UP not in piece:
            if "\r" not in piece:
                self._append(piece)
                return
            if self._redrawn(piece, split):
                return
        for part in _REDRAW.split(piece):
            if not part:
                continue
            if part[0] == "\x08":
                self._back += len(part)
            elif part[0] in "\r\x0b":
                self._drawn_over(split)
                if part == UP:
                    self._kept, self._kept_cut, self._reopened = "", 0, True
            elif self._back >= len(self._segment):
                self._drawn_over(split)
                self._append(part)
            else:
                if self._back:
                    self._segment, self._back = self._segment[: -self._back], 0
                self._append(part)

    def _redrawn(self, piece: str, split: Split) -> bool:
        """Draws a piece with nothing but carriage returns in it, all at once. False where a bound cuts something."""
        *over, last = (self._segment + piece).split("\r")
        if self._cut or max(map(len, over), default=0) > self._limit or len(last) > self._limit:
            return False
        shown = [state for state in over if state and not state.isspace()]
        if shown:
            split.passing.append((len(split.lines), shown))
            self._kept, self._kept_cut = shown[-1], 0
        self._segment = last
        return True

    def _drawn_over(self, split: Split) -> None:
        if self._segment and not self._segment.isspace():
            split.passing.append((len(split.lines), [self._segment]))
            self._kept, self._kept_cut = self._segment, self._cut
        self._segment, self._cut, self._back = "", 0, 0

    def _finish(self, split: Split) -> None:
        line, cut = self._segment, self._cut
        if self._kept and (not line or line.isspace()):
            line, cut = self._kept, self._kept_cut
        if not self._reopened or (line and not line.isspace()):
            split.lines.append(line)
            split.truncated += cut
        self._segment, self._cut, self._back = "", 0, 0
        self._kept, self._kept_cut, self._reopened = "", 0, False

    def dump(self) -> Json:
        """The state, as JSON."""
        pending, _ = self._decoder.getstate()
        return [
            base64.b64encode(pending).decode(),
            self._held,
            self._segment,
            self._cut,
            self._back,
            self._kept,
            self._kept_cut,
            self._reopened,
        ]

    def load(self, state: Json) -> None:
        """Goes on from a dumped state."""
        pending, self._held, self._segment, self._cut, self._back, *kept = state
        self._kept, self._kept_cut, self._reopened = kept
        self._decoder.setstate((base64.b64decode(pending), 0))
