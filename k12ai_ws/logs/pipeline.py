"""The whole reading of one job's log: bytes in, events out. No I/O, no clock, no threads."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from k12ai_ws.wire.bodies import Fault, Json, LogEvent, LogLines, Metrics, Stream
from k12ai_ws.wire.codes import Code, Language

from . import classify as meaning
from .bars import read_progress
from .limits import Limits
from .lines import LineSplitter, Split
from .parser import Found, LogParser
from .presets import UnknownPreset, preset
from .presets.generic import GenericParser
from .presets.pairs import read_pairs
from .presets.prefilter import worth_reading
from .progress import ProgressMeter
from .tracebacks import HINTS, Report, TracebackRecogniser
from .tracebacks.syntax import RECORD

__all__ = ["Pipeline", "UnknownPreset"]

VERSION = 1
"""Of the dumped state."""
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


def _ordinary(line: str) -> bool:
    """Whether a line after an exception is output of its own: a log record, a progress bar or metrics."""
    if RECORD.match(line) or read_progress(line):
        return True
    return worth_reading(line) and any(reading.values() is not None for reading in read_pairs(line))


def _finite(value: float | None) -> float | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _has(line: str, hints: list[str]) -> bool:
    for hint in hints:  # noqa: SIM110 - a generator costs more than the test itself
        if hint in line:
            return True
    return False


class Pipeline:
    """Reads one job's log.

    `parsers`: presets by name, or parser objects, which must be new: they hold the state of one log. `classify` may
    give a better code for an error (a driver's own); one that raises is switched off like a parser. `language` is that
    of the messages. `app_roots`: folders of the user's own code, where they are known. Raises UnknownPreset.
    """

    def __init__(
        self,
        parsers: Sequence[LogParser | str],
        *,
        classify: Callable[[Fault], int | None] | None = None,
        language: Language = "en",
        limits: Limits | None = None,
        app_roots: Sequence[str] | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._parsers = [preset(parser) if isinstance(parser, str) else parser for parser in parsers]
        self._quick = all(isinstance(parser, GenericParser) for parser in self._parsers)
        self._off: set[int] = set()
        self._classify = classify
        self._language: Language = language
        self._splitters = {stream: LineSplitter(self._limits) for stream in STREAMS}
        self._recognisers = {stream: TracebackRecogniser(self._limits, _ordinary, app_roots) for stream in STREAMS}
        self._meter = ProgressMeter(self._limits)
        self._not_finite = False
        self._too_many = False

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
        for index, parser in enumerate(self._parsers):
            if index not in self._off:
                self._ask(index, parser, None, out)
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
            "said": [self._not_finite, self._too_many],
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
        self._off = set(state["off"])
        self._not_finite, self._too_many = state["said"]

    # ------------------------------------------------------------------ inside

    def _read(self, split: Split, stream: Stream, at_ms: int, out: list[LogEvent]) -> None:
        lines = split.lines
        for start in range(0, len(lines), self._limits.lines_per_event):
            cut = split.truncated if not start else 0
            out.append(LogLines(stream, lines[start : start + self._limits.lines_per_event], cut))
        if not lines and not split.passing:
            return
        hints = [hint for hint in HINTS if hint in split.text or (lines and hint in lines[0])]
        if split.passing:
            at = 0
            for index, text in split.passing:
                if index > at:
                    self._lines(lines[at:index], hints, stream, at_ms, out)
                    at = index
                out += self._meter.draw(stream, text, at_ms)
            lines = lines[at:]
        self._lines(lines, hints, stream, at_ms, out)

    def _lines(self, lines: list[str], hints: list[str], stream: Stream, at_ms: int, out: list[LogEvent]) -> None:
        recogniser = self._recognisers[stream]
        quick, unfinished = self._quick, recogniser.open
        begun = 0
        for index, line in enumerate(lines):
            if unfinished or (hints and _has(line, hints)):
                recogniser.remember(lines[begun:index])
                begun = index + 1
                self._items(recogniser.feed(line), stream, at_ms, out)
            elif not quick or worth_reading(line):
                self._ordinary_line(line, stream, at_ms, out)
        recogniser.remember(lines[begun:])

    def _items(self, items: Iterable[str | Report], stream: Stream, at_ms: int, out: list[LogEvent]) -> None:
        for item in items:
            if isinstance(item, str):
                self._ordinary_line(item, stream, at_ms, out)
            else:
                out.append(self._fault(item, out))

    def _ordinary_line(self, line: str, stream: Stream, at_ms: int, out: list[LogEvent]) -> None:
        if "%" in line or "/" in line:
            state = read_progress(line)
            if state is not None:
                out += self._meter.see(stream, state, at_ms)
        for index, parser in enumerate(self._parsers):
            if index not in self._off:
                self._ask(index, parser, line, out)

    def _ask(self, index: int, parser: LogParser, line: str | None, out: list[LogEvent]) -> None:
        """What a parser says to a line, or to the log's end. One that raises is switched off for this job: its bug
        must not end the reading.
        """
        try:
            found = list(parser.close() if line is None else parser.feed(line))
        except Exception as error:  # noqa: BLE001 - any bug of any plugin's parser
            self._off.add(index)
            out.append(self._broken(f"the log parser {type(parser).__name__}", error))
            return
        for item in found:
            self._found(item, out)

    def _found(self, item: Found, out: list[LogEvent]) -> None:
        if isinstance(item, Metrics) and isinstance(item.values, Mapping):  # a plugin may break its types' promise
            if any(isinstance(value, float) and not math.isfinite(value) for value in item.values.values()):
                item = Metrics({name: _finite(value) for name, value in item.values.items()})
            if len(item.values) > self._limits.names:
                item = Metrics(dict(list(item.values.items())[: self._limits.names]))
                if not self._too_many:
                    self._too_many = True
                    out.append(Fault(Code.WARNING, self._too_many_message(), "warning"))
            out.append(item)
            bad = [str(name) for name, value in item.values.items() if value is None]
            if bad and not self._not_finite:
                self._not_finite = True
                out.append(self._not_finite_fault(bad))
        else:
            out.append(item)

    def _too_many_message(self) -> str:
        most = self._limits.names
        return {
            "en": f"one line showed more than {most} metrics; the first {most} are kept",
            "zh": f"一行日志包含超过{most}个指标; 仅保留前{most}个",
        }[self._language]

    def _not_finite_fault(self, names: list[str]) -> Fault:
        shown = ", ".join(names[:8])
        message = {
            "en": f"{shown} is NaN or infinite: lower the learning rate, clip gradients, look for bad input values",
            "zh": f"{shown} 变为NaN或无穷大: 请降低学习率, 裁剪梯度, 并检查输入数据",
        }[self._language]
        return Fault(Code.LOSS_NOT_FINITE, message, "warning", {"names": names[: self._limits.names]})

    def _broken(self, what: str, error: Exception) -> Fault:
        reason = f"{type(error).__name__}: {error}"[:500]
        message = {
            "en": f"{what} raised {reason}; it is switched off for this job",
            "zh": f"{what} 抛出异常 {reason}; 本任务中已停用",
        }[self._language]
        return Fault(Code.UNKNOWN, message, "warning", {"exc_type": type(error).__name__, "exc_text": str(error)[:500]})

    def _fault(self, report: Report, out: list[LogEvent]) -> Fault:
        fault = Fault(
            meaning.code_of(report.detail),
            meaning.message_of(report.detail, self._language),
            report.severity,
            report.detail,
        )
        if self._classify is not None:
            try:
                code = self._classify(fault)
            except Exception as error:  # noqa: BLE001 - any bug of any plugin's classifier
                self._classify = None
                out.append(self._broken("the driver's classify", error))
            else:
                if code is not None:
                    fault = Fault(int(code), fault.message, fault.severity, fault.detail)
        return fault
