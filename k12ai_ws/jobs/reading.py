"""Reading one job's log: chunks in, encoded events and the position they reach out. Runs in a parsing thread."""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from k12ai_ws.access.redaction import without
from k12ai_ws.launchers.launcher import Chunk
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.store.store import LogPosition, NewEvent
from k12ai_ws.wire.bodies import Body, Fault, Json, LogEvent, LogLines, Metrics, Progress
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.envelope import encode, envelope
from k12ai_ws.wire.job import JobRecord

from .culprit import Culprit
from .pipelines import auto_pipeline

TAIL_LINES = 10
TAIL_CHARS = 300
"""The last lines kept for a job that dies without an exception, each cut to so many characters."""

SUSPECT_LINES = 50
"""How many lines a job may print after an exception that looked handled, and still have died of it."""


def encode_event(record: JobRecord, body: Body, at_ms: int) -> NewEvent:
    """A job's event as the store takes it: enveloped and encoded, without `seq`, and without the job's secrets."""
    message = envelope(
        without(body, record.secrets),
        tag="framework",
        op=record.op,
        at_ms=at_ms,
        user=record.user,
        service_uuid=record.service_uuid,
        language=record.language,
        extra={"service_name": record.service_name, "job_id": record.job_id},
    )
    return NewEvent(body.type, encode(message))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a piece of log gave: events to store, the position after it, and the last of each kind for the record."""

    events: Sequence[NewEvent] = ()
    position: LogPosition | None = None
    last_metrics: Json = None
    last_progress: Json = None
    last_error: Json = None


NOTICE = "notice"
"""The kind of the warning that a reader begins with."""


def auto_reader(record: JobRecord, start: LogPosition | None, *, notice: Fault | None = None) -> "LogReader":
    """Reads with the preset `auto` and the rules in the record (which cannot hang) from `start` on, whoever read
    before, and after a restart too.
    """
    whole = start is None or (reads_auto(start) and is_whole(start))
    return LogReader(record, lambda: auto_pipeline(record, whole=whole), start, notice=notice, auto=True)


def reads_auto(start: LogPosition | None) -> bool:
    """Whether an `auto_reader` has come to this position."""
    return start is not None and isinstance(start.state, dict) and bool(start.state.get("auto"))


def is_whole(start: LogPosition | None) -> bool:
    """Whether the parsers that go on from this position know of all that is before it."""
    return start is None or (isinstance(start.state, dict) and "pipeline" in start.state)


def forgetting(start: LogPosition, why: str) -> LogPosition:
    """The position without what the parsers had stored there, and why that is lost."""
    state = start.state if isinstance(start.state, dict) else {}
    return LogPosition(start.offset, {k: v for k, v in state.items() if k != "pipeline"} | {"lost": why})


class LogReader:
    """Wraps the pure pipeline: keeps the offset and the tail, encodes events with the time their bytes were printed.

    `notice` is a warning to put before the next event, unless an earlier server has said one. `auto` says that the
    pipeline reads with the preset `auto`, whatever the job's driver chose, and that a restart shall go on so.

    `stale` says why the parsers could not go on from `start`, None where they do: they may be half loaded, so make
    another reader, with new ones, from `forgetting(start, stale)`.
    """

    def __init__(
        self,
        record: JobRecord,
        pipeline: Callable[[], Pipeline],
        start: LogPosition | None,
        *,
        notice: Fault | None = None,
        auto: bool = False,
    ) -> None:
        self._record = record
        self._pipeline = pipeline()
        self.auto = auto
        self._notices: list[Fault] = []
        self._tail: list[str] = []
        self._warned: set[str] = set()
        self._suspect: Json = None  # the last exception that looked handled, and the lines printed since
        self._culprit = Culprit()
        self.stale: str | None = None
        self.offset = start.offset if start else 0
        if start is not None:
            state = start.state if isinstance(start.state, dict) else {}
            self._tail = list(state.get("tail", ()))
            self._suspect = state.get("suspect")
            self._culprit = Culprit(state.get("culprit"))
            self._warned = set(state.get("warned", (NOTICE,)))  # a state of before `warned`: its notice was said
            self._load(state, pipeline)
        if notice is not None and (NOTICE not in self._warned or (auto and not reads_auto(start))):
            self._warned.add(NOTICE)
            self._notices.append(notice)

    def _load(self, state: dict[str, Json], pipeline: Callable[[], Pipeline]) -> None:
        try:
            stored = state["pipeline"]
            if self.auto and not state.get("auto"):  # others read before: what is theirs alone stays behind
                stored = {**stored, "parsers": self._pipeline.dump()["parsers"], "off": []}
            self._pipeline.load(stored)
        except Exception as e:  # noqa: BLE001 - another version's state, or a driver's parser, which may raise anything
            self._pipeline = pipeline()
            self.stale = f"{type(e).__name__}: {e}"
            if "pipeline" not in state:
                self.stale = None
                why = state.get("lost", "a parser kept what cannot be stored")
                text = (
                    f"what the log parsers had in hand at the restart is lost, and the log is read on without it: {why}"
                )
                self._notices.append(Fault(Code.WARNING, text, severity="warning"))

    @property
    def tail(self) -> Sequence[str]:
        """The last lines that the job printed."""
        return tuple(self._tail)

    @property
    def suspect(self) -> Fault | None:
        """An exception that looked handled, because the job printed more after it, but only little: where the job
        died and nothing else explains it (a farewell in an exit handler, other processes' output), it died of this.
        """
        if self._suspect is None or self._suspect["since"] > SUSPECT_LINES:
            return None
        return Fault(self._suspect["code"], self._suspect["message"], detail=self._suspect["detail"])

    def read(self, chunks: Sequence[Chunk]) -> Reading:
        """The events of these chunks, in order."""
        found: list[tuple[int, LogEvent]] = []
        for chunk in chunks:
            events = self._pipeline.feed(chunk.data, stream=chunk.stream, at_ms=chunk.at_ms)
            found.extend((chunk.at_ms, event) for event in events)
            self.offset = chunk.position
        return self._reading(found)

    def idle(self, at_ms: int) -> Reading:
        """What was held back, when nothing more came for a while."""
        return self._reading([(at_ms, e) for e in self._pipeline.idle(at_ms=at_ms)])

    def close(self, at_ms: int) -> Reading:
        """The rest, at the end of the log."""
        found: list[tuple[int, LogEvent]] = [(at_ms, e) for e in self._pipeline.close(at_ms=at_ms)]
        if not found:  # the job printed nothing
            found, self._notices = [(at_ms, notice) for notice in self._notices], []
        return self._reading(found)

    def _reading(self, found: Sequence[tuple[int, LogEvent]]) -> Reading:
        if not found:
            return Reading()
        if self._notices:
            found, self._notices = [*((found[0][0], notice) for notice in self._notices), *found], []
        last: dict[str, Json] = {}
        events: list[NewEvent] = []
        printed: list[str] = []  # the lines of the chunk that the events are of
        before: object = None
        secrets = self._record.secrets
        for at_ms, told in found:
            event = without(told, secrets)
            printed, before = printed if isinstance(before, LogLines) or not isinstance(event, LogLines) else [], event
            try:
                _check(event)
                events.append(encode_event(self._record, event, at_ms))
            except Exception as e:  # noqa: BLE001 - a driver's parser may give anything: it costs this event alone
                events += self._unusable(event, e, at_ms)
                continue
            match event:
                case Metrics():
                    last["last_metrics"] = {"timestamp": at_ms, **event.body()}
                case Progress():
                    last["last_progress"] = {"timestamp": at_ms, **event.body()}
                case Fault(severity="error"):
                    own = self._culprit.takes({"timestamp": at_ms, **event.body(self._record.language)})
                    if own is not None:
                        last["last_error"] = own
                case Fault(code=code, message=message, detail=detail) if _may_kill(detail):
                    since = _lines_since(detail, printed)
                    self._suspect = {"code": int(code), "message": message, "detail": dict(detail), "since": since}
                case LogLines(lines=lines):
                    printed += lines
                    if self._suspect is not None:
                        self._suspect["since"] += len(lines)
                    kept = [line[:TAIL_CHARS] for line in lines[-TAIL_LINES:] if line.strip()]
                    self._tail = (self._tail + kept)[-TAIL_LINES:]
        if self._suspect is not None and self._suspect["since"] > SUSPECT_LINES:
            self._suspect = None
        remembered: Json = self._pipeline.dump()
        try:
            encode(remembered)
        except TypeError as e:  # a parser of the driver keeps something in `state` that is no JSON value
            remembered = None
            text = f"the state of a log parser cannot be stored: {e}; a restart loses it"
            events += self._warn("state", text, found[-1][0])
        state = {"tail": self._tail, "suspect": self._suspect, "warned": sorted(self._warned), "auto": self.auto}
        self._culprit.passes(found[-1][0])
        if (culprit := self._culprit.state) is not None:
            state["culprit"] = culprit
        if remembered is not None:
            state["pipeline"] = remembered
        return Reading(events, LogPosition(self.offset, state), **last)

    def _unusable(self, event: object, error: Exception, at_ms: int) -> Sequence[NewEvent]:
        shown = reprlib.repr(event)
        return self._warn(
            "event", f"a log parser gave {shown}, which is no event: {type(error).__name__}: {error}", at_ms
        )

    def _warn(self, kind: str, text: str, at_ms: int) -> Sequence[NewEvent]:
        """A warning of a driver's fault; one of a kind, as the fault may come with every line."""
        if kind in self._warned:
            return ()
        self._warned.add(kind)
        return (encode_event(self._record, Fault(Code.WARNING, text, severity="warning"), at_ms),)


def _may_kill(detail: Mapping[str, Json]) -> bool:
    """Whether an error that looked handled is one that a process can die of: an exception or a crash."""
    return bool(detail.get("traceback") or detail.get("language"))


def _lines_since(detail: Mapping[str, Json], printed: Sequence[str]) -> int:
    """How many of a chunk's lines, whose event comes before what is read in them, stand below this error."""
    last = str(detail.get("raw") or "").rstrip().rpartition("\n")[2].strip()
    if not last:
        return 0
    return next((since for since, line in enumerate(reversed(printed)) if last in line), len(printed))


def _check(event: object) -> None:
    """Raises TypeError for what is no event that a log may give."""
    if not isinstance(event, Metrics | Progress | Fault | LogLines):
        raise TypeError("a parser gives Metrics, Progress or Fault")
    if isinstance(event, Metrics):
        for name, value in event.values.items():
            if not (isinstance(name, str) and (value is None or type(value) in (int, float))):
                raise TypeError(f"metrics map names to numbers, not {reprlib.repr(name)} to {reprlib.repr(value)}")
