"""What must hold for any log, whatever it is and however it comes."""

import time
from dataclasses import dataclass, replace
from random import Random

from k12ai_ws.logs.limits import Limits
from k12ai_ws.logs.presets import PRESETS
from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Code

from .patience import Hanging, patience
from .script import Op, Outcome, Reader, play, split, written
from .validity import wrong

TIGHT = Limits(
    line_chars=300,
    lines_per_event=5,
    block_lines=40,
    block_chars=3_000,
    raw_chars=500,
    text_chars=400,
    frames=8,
    chain=4,
    open_blocks=3,
    tail_lines=3,
    foreign_lines=4,
    bars=3,
    bars_per_second=2,
    names=6,
)
"""Bounds so low that small logs reach every one of them."""
SECONDS_PER_MB = 25.0
"""Slower than this, a log that nobody would call big keeps a server busy; the usual is below 0.5."""
HANGS_S = 10.0
LEAST_SECONDS = 0.25
"""What takes less is not judged: on a busy machine clocks are coarse."""


class Broken(Exception):
    """A log for which something that must hold does not; `oracle` names what."""

    def __init__(self, oracle: str, text: str) -> None:
        super().__init__(f"{oracle}: {text}")
        self.oracle = oracle


def state_bound(limits: Limits) -> int:
    """Most characters of a dumped state, as JSON in which a character may take six.

    Per stream a line and what waits of it, and the open tracebacks; beside them the bars and the parsers' few words.
    """
    stream = 4 * limits.line_chars + 9_000 + limits.open_blocks * (3 * limits.block_chars + 3 * limits.line_chars)
    return 6 * (2 * stream + 4 * limits.bars * 2_000 + 20 * limits.line_chars) + 50_000


@dataclass(frozen=True, slots=True)
class Case:
    """One log, and the number from which all choices of its reading follow."""

    data: bytes
    seed: int

    def reader(self) -> Reader:
        """The presets, bounds and language that this case reads with."""
        rng = Random(f"{self.seed}r")
        presets = ("auto",) if rng.random() < 0.7 else tuple(rng.sample(sorted(PRESETS), rng.randint(0, 3)))
        return Reader(presets, TIGHT if rng.random() < 0.5 else Limits(), rng.choice(("en", "en", "zh")))

    def script(self) -> list[Op]:
        """How the log comes."""
        return written(self.data, Random(f"{self.seed}w"))


def examine(case: Case) -> Outcome:
    """Reads the log in several ways. Raises Broken where one of the promises does not hold."""
    reader, script = case.reader(), case.script()
    began = time.thread_time()
    whole = _played("raises", script, reader)
    _in_time(time.thread_time() - began, case, script, reader)
    for event in whole.raw:
        for words in wrong(event, reader.limits):
            raise Broken("event", words)
    if sum(isinstance(e, Fault) and e.code == Code.LOSS_NOT_FINITE and "names" in e.detail for e in whole.raw) > 1:
        raise Broken("event", "more than one warning that a metric is not finite")
    rng = Random(f"{case.seed}s")
    _same("split", whole, _played("raises when split", split(script, rng, restarts=False), reader))
    restarted = _played("raises after a restart", split(script, rng, restarts=True), reader)
    _same("restart", whole, restarted)
    if restarted.state_chars > state_bound(reader.limits):
        raise Broken("state", f"{restarted.state_chars} characters, more than {state_bound(reader.limits)}")
    if len(case.data) < 1500:
        _same("bytes", whole, _played("raises byte by byte", split(script, rng, restarts=True, single=True), reader))
    _streams_apart(script, reader, whole)
    return whole


def _played(oracle: str, script: list[Op], reader: Reader) -> Outcome:
    try:
        with patience(HANGS_S):
            return play(script, reader)
    except Hanging as hanging:
        raise Broken("hangs", f"no end after {HANGS_S:g} s") from hanging
    except Exception as error:
        raise Broken(oracle, repr(error)) from error


def _in_time(seconds: float, case: Case, script: list[Op], reader: Reader) -> None:
    """The clock counts this thread alone; a second try excuses the machine."""
    allowed = max(LEAST_SECONDS, SECONDS_PER_MB * len(case.data) / 1e6)
    if seconds > allowed:
        began = time.thread_time()
        play(script, reader)
        seconds = min(seconds, time.thread_time() - began)
    if seconds > allowed:
        raise Broken("time", f"{seconds:.2f} s for {len(case.data)} bytes")


def _same(oracle: str, one: Outcome, other: Outcome) -> None:
    if (difference := one.same(other)) is not None:
        raise Broken(f"{oracle} {difference.partition(':')[0].removesuffix(' events')}", difference)


def _streams_apart(script: list[Op], reader: Reader, whole: Outcome) -> None:
    """The lines and the errors of a stream are those that it gives without the other; how bad an error is, and whether
    it goes on, may show in what the other stream says after it.
    """
    if len({op.stream for op in script if op.what == "feed"}) < 2:
        return
    quiet = replace(reader, presets=())
    errors: list[str] = []
    for stream in ("stdout", "stderr"):
        alone = _played("raises", [op for op in script if op.what != "feed" or op.stream == stream], quiet)
        if alone.lines[stream] != whole.lines[stream]:
            raise Broken("streams", f"lines of {stream}: {alone.lines[stream]!r:.500} and {whole.lines[stream]!r:.500}")
        errors += [str(event.detail.get("exc_type")) for event in alone.events if isinstance(event, Fault)]
    both = [str(event.detail.get("exc_type")) for event in play(script, quiet).events if isinstance(event, Fault)]
    if sorted(errors) != sorted(both):
        raise Broken("streams", f"{len(errors)} errors of the streams alone, {len(both)} of both")
