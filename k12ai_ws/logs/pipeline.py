"""The whole reading of one job's log: bytes in, events out. No I/O, no clock, no threads."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from k12ai_ws.wire.bodies import Fault, Json, LogEvent, LogLines, Metrics, Progress, Stream
from k12ai_ws.wire.codes import Code, Language

from . import classify as meaning
from .advice import BOOK, AdviceBook
from .bars import SIGNS as BAR_SIGNS
from .bars import read_progress
from .faults import HINTS, FaultRecogniser
from .findings import Findings, broken
from .limits import Limits
from .lines import LineSplitter, Split
from .parser import Found, LogParser
from .presets import UnknownPreset, compose
from .presets.pairs import PairReader
from .progress import ProgressMeter
from .sieve import Sieve, SignsError, Use, signs_of
from .tracebacks import Report
from .tracebacks.syntax import RECORD

__all__ = ["Pipeline", "SignsError", "UnknownPreset"]

VERSION = 3
"""Of the dumped state."""
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


class Pipeline:
    """Reads one job's log.

    `parsers`: presets by name, or parser objects, which must be new: they hold the state of one log. `classify` may
    give a better code for an error (a driver's own); one that raises is switched off like a parser. `book` has the
    advice, a driver's own before the built-in (`classify.book_with`); one that raises is left for the built-in.
    `language` is that of the messages. `app_roots`: folders of the user's own code, where they are known. Raises
    UnknownPreset, SignsError.
    """

    def __init__(
        self,
        parsers: Sequence[LogParser | str],
        *,
        classify: Callable[[Fault], int | None] | None = None,
        book: AdviceBook = BOOK,
        language: Language = "en",
        limits: Limits | None = None,
        app_roots: Sequence[str] | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._parsers = compose(parsers)
        self._signs = [signs_of(parser) for parser in self._parsers]
        self._off: set[int] = set()
        self._classify = classify
        self._book = book
        self._language: Language = language
        self._splitters = {stream: LineSplitter(self._limits) for stream in STREAMS}
        self._recognisers = {
            stream: FaultRecogniser(self._limits, self._ordinary, app_roots, self._hinted) for stream in STREAMS
        }
        self._sieve = self._made_sieve()
        self._pairs = PairReader()
        self._meter = ProgressMeter(self._limits)
        self._findings = Findings(self._limits, self._language)
        self._printed = False

    # ------------------------------------------------------------------ the door

    def feed(self, data: bytes, *, stream: Stream = "stdout", at_ms: int = 0) -> list[LogEvent]:
        """The events that these bytes of a stream give; `at_ms` is when they were printed (ms since the epoch)."""
        out: list[LogEvent] = list(self._meter.tick(at_ms))
        self._read(self._splitters[stream].feed(data), stream, at_ms, out)
        return out

    def idle(self, *, at_ms: int) -> list[LogEvent]:
        """Nothing came for a while: what is complete but was held back."""
        out: list[LogEvent] = []
        for stream in STREAMS:
            self._items(self._recognisers[stream].idle(), stream, at_ms, out)
        out += self._meter.flush(at_ms)
        return out

    def close(self, *, at_ms: int) -> list[LogEvent]:
        """The log is over: everything that was held back, in order."""
        out: list[LogEvent] = []
        for stream in STREAMS:
            self._read(self._splitters[stream].close(), stream, at_ms, out)
            self._items(self._recognisers[stream].close(), stream, at_ms, out)
        for index in range(len(self._parsers)) if self._printed else ():
            self._report(self._ask(index, None), "stdout", at_ms, out)
        out += self._meter.flush(at_ms)
        return out

    def dump(self) -> Json:
        """The whole state, as JSON values: another pipeline, made the same way, goes on after exactly these bytes."""
        return {
            "version": VERSION,
            "splitters": {stream: self._splitters[stream].dump() for stream in STREAMS},
            "recognisers": {stream: self._recognisers[stream].dump() for stream in STREAMS},
            "meter": self._meter.dump(),
            "parsers": [parser.state for parser in self._parsers],
            "off": sorted(self._off),
            "findings": self._findings.dump(),
            "printed": self._printed,
        }

    def load(self, state: Json) -> None:
        """Goes on from a dumped state. Raises ValueError where it is of another version or of other parsers."""
        version = state.get("version") if isinstance(state, dict) else None
        if version != VERSION or len(state["parsers"]) != len(self._parsers):
            raise ValueError(f"the state is not of this reader: version {version}, expected {VERSION}")
        for stream in STREAMS:
            self._splitters[stream].load(state["splitters"][stream])
            self._recognisers[stream].load(state["recognisers"][stream])
        self._meter.load(state["meter"])
        for parser, parser_state in zip(self._parsers, state["parsers"], strict=True):
            parser.state = json.loads(json.dumps(parser_state))
        if (off := set(state["off"])) != self._off:
            self._off = off
            self._sieve = self._made_sieve()
        self._findings.load(state["findings"])
        self._printed = state["printed"]

    # ------------------------------------------------------------------ inside

    def _made_sieve(self) -> Sieve:
        in_use = {i: signs for i, signs in enumerate(self._signs) if i not in self._off}
        return Sieve("|".join(map(re.escape, HINTS)), BAR_SIGNS, in_use)

    def _read(self, split: Split, stream: Stream, at_ms: int, out: list[LogEvent]) -> None:
        lines = split.lines
        self._printed = self._printed or bool(lines)
        for other, recogniser in self._recognisers.items():
            if other != stream and recogniser.open:
                self._items(recogniser.elsewhere(lines), other, at_ms, out)
        for start in range(0, len(lines), self._limits.lines_per_event):
            cut = split.truncated if not start else 0
            out.append(LogLines(stream, lines[start : start + self._limits.lines_per_event], cut))
        if split.passing:
            at = 0
            for index, states in split.passing:
                if index > at:
                    self._lines(lines[at:index], stream, at_ms, out)
                    at = index
                out += self._meter.draw(stream, states, at_ms)
            lines = lines[at:]
        if lines:
            self._lines(lines, stream, at_ms, out)

    def _lines(self, lines: list[str], stream: Stream, at_ms: int, out: list[LogEvent]) -> None:
        recogniser, sieve = self._recognisers[stream], self._sieve
        done = self._through_faults(lines, 0, stream, at_ms, out) if recogniser.open else 0
        for index, use in sieve.useful(lines):
            if index < done:
                continue
            if use.fault:
                recogniser.remember(lines[done:index])
                done = self._through_faults(lines, index, stream, at_ms, out)
            else:
                self._ordinary_line(lines[index], use, stream, at_ms, out)
        recogniser.remember(lines[done:])

    def _through_faults(self, lines: list[str], at: int, stream: Stream, at_ms: int, out: list[LogEvent]) -> int:
        """Feeds the line at this index, and those after it while a fault's report is open. The index after them."""
        recogniser = self._recognisers[stream]
        while at < len(lines):
            self._items(recogniser.feed(lines[at]), stream, at_ms, out)
            at += 1
            at += recogniser.run(lines, at)
            if not recogniser.open:
                break
        return at

    def _ordinary(self, line: str) -> bool:
        """Whether a line after an exception is output of its own: a log record, a progress bar or metrics."""
        if RECORD.match(line):
            return True
        use = self._sieve.use(line)
        if use.bar and read_progress(line):
            return True
        return bool(use.parsers) and any(reading.values() is not None for reading in self._pairs.read(line))

    def _hinted(self, line: str) -> bool:
        """Whether an error may begin with this line."""
        return self._sieve.use(line).fault

    def _items(self, items: Iterable[str | Report], stream: Stream, at_ms: int, out: list[LogEvent]) -> None:
        for item in items:
            if isinstance(item, str):
                self._ordinary_line(item, self._sieve.use(item), stream, at_ms, out)
            else:
                out.append(self._fault(item, out))

    def _ordinary_line(self, line: str, use: Use, stream: Stream, at_ms: int, out: list[LogEvent]) -> None:
        parsers = use.parsers
        if use.bar:
            found: Sequence[Found] = ()
            if parsers and self._parsers[parsers[0]].exclusive:  # rules come first: one may read this bar
                found, parsers = self._ask(parsers[0], line), parsers[1:]
            if not any(isinstance(item, Progress) for item in found):
                out += self._meter.draw(stream, [line], at_ms)
            if self._report(found, stream, at_ms, out):
                return
        for index in parsers:
            found = self._ask(index, line)
            if found and self._report(found, stream, at_ms, out) and self._parsers[index].exclusive:
                return

    def _ask(self, index: int, line: str | None) -> Sequence[Found]:
        """What a parser says to a line, or (None) to the log's end. One that raises is switched off for this job: its
        bug must not end the reading.
        """
        if index in self._off:
            return ()
        parser = self._parsers[index]
        try:
            found = parser.close() if line is None else parser.feed(line)
            return () if found is None else list(found)
        except Exception as error:  # noqa: BLE001 - any bug of any plugin's parser
            self._off.add(index)
            self._sieve = self._made_sieve()
            return [broken(f"the log parser {type(parser).__name__}", error, self._language)]

    def _report(self, found: Iterable[Found], stream: Stream, at_ms: int, out: list[LogEvent]) -> bool:
        """Whether metrics were found."""
        metrics = False
        for item in found:
            if isinstance(item, Metrics):
                metrics = metrics or item.values != {}
                self._findings.metrics(item, out)
            elif isinstance(item, Progress):
                out += self._meter.see(stream, item, at_ms)
            else:
                out.append(item)
        return metrics

    def _explained(self, detail: Mapping[str, Json], out: list[LogEvent]) -> tuple[Code, str | None]:
        try:
            return meaning.explain(detail, self._language, self._book)
        except Exception as error:  # any bug of any plugin's advice
            if self._book is BOOK:
                raise
            self._book = BOOK
            out.append(broken("the driver's advice", error, self._language))
            return meaning.explain(detail, self._language)

    def _fault(self, report: Report, out: list[LogEvent]) -> Fault:
        code, message = self._explained(report.detail, out)
        fault = Fault(code, message, report.severity, report.detail)
        if self._classify is not None:
            try:
                better = meaning.given_code(self._classify(fault))
            except Exception as error:  # noqa: BLE001 - any bug of any plugin's classifier
                self._classify = None
                out.append(broken("the driver's classify", error, self._language))
            else:
                if better is not None:
                    fault = Fault(better, fault.message, fault.severity, fault.detail)
        return fault
