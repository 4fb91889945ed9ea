"""The hunt: new logs from old ones; those that reach code that none reached before are kept and changed further."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import k12ai_ws.logs

from . import grammar
from .mutate import mutated
from .oracles import HANGS_S, Broken, Case, examine
from .patience import Hanging, patience
from .script import Reader

LOGS = str(Path(k12ai_ws.logs.__file__).parent)
LONGEST = 40_000
"""Bytes of a made log: more finds nothing more, and takes longer."""
KEPT = 3_000


def reached(case: Case) -> frozenset[tuple[str, int, int]]:
    """The steps from line to line of our own code that reading this log takes."""
    seen: set[tuple[str, int, int]] = set()

    def tracer(frame: FrameType, event: str, arg: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(LOGS):
            return None
        before = frame.f_lineno

        def local(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal before
            if event == "line":
                seen.add((name, before, frame.f_lineno))
                before = frame.f_lineno
            return local

        return local

    pipeline = Reader(case.reader().presets, case.reader().limits).pipeline()
    old = sys.gettrace()
    sys.settrace(tracer)
    try:
        with patience(HANGS_S):
            pipeline.feed(case.data)
            pipeline.close(at_ms=0)
    except (Exception, Hanging):  # noqa: BLE001 - `examine` says it better
        return frozenset(seen)
    finally:
        sys.settrace(old)
    return frozenset(seen)


@dataclass(slots=True)
class Hunt:
    """One run: what it has tried, what reached new code, what it found."""

    rng: Random
    kept: list[bytes] = field(default_factory=list)
    steps: set[tuple[str, int, int]] = field(default_factory=set)
    tried: int = 0
    found: dict[str, int] = field(default_factory=dict)

    def cases(self, until: float) -> Iterator[Case]:
        """Logs to read until that time (`time.monotonic`): first the seeds, then what becomes of them."""
        seeds = list(self.kept)
        self.kept.clear()
        for data in seeds:
            yield Case(data, self.rng.randrange(1 << 30))
        while time.monotonic() < until:
            if not self.kept or self.rng.random() < 0.3:
                data = grammar.log(self.rng)
            else:
                data = mutated(self._one(), self.rng, self.kept)
            yield Case(data[:LONGEST], self.rng.randrange(1 << 30))

    def _one(self) -> bytes:
        """The newest are the most promising."""
        last = len(self.kept) - 1
        return self.kept[last - int(last * self.rng.random() ** 2)]

    def run(self, seconds: float, report: Callable[[Case, Broken], None]) -> None:
        """Hunts for so long. What it finds goes to `report`, a few of each kind."""
        for case in self.cases(time.monotonic() + seconds):
            self.tried += 1
            new = reached(case) - self.steps
            if new:
                self.steps |= new
                self.kept.append(case.data)
                if len(self.kept) > KEPT:
                    del self.kept[self.rng.randrange(len(self.kept))]
            try:
                examine(case)
            except Broken as broken:
                kind = broken.oracle
                if broken.__cause__ or kind in ("event", "state", "time"):
                    kind += re.sub(r"[\d\n]+", "0", f": {broken.__cause__ or broken!r}")[:80]
                self.found[kind] = self.found.get(kind, 0) + 1
                if self.found[kind] <= 2 and len(self.found) < 200:
                    report(case, broken)


def smaller(case: Case, broken: Broken, seconds: float = 10.0) -> tuple[Case, Broken]:
    """A shorter log that breaks the same promise."""
    if broken.oracle == "growth":
        return case, broken
    until, step = time.monotonic() + seconds, max(1, len(case.data) // 2)
    while step and time.monotonic() < until:
        at, shrunk = 0, False
        while at < len(case.data) and time.monotonic() < until:
            data = case.data[:at] + case.data[at + step :]
            for seed in range(case.seed, case.seed + (6 if step < 40 else 2)):
                try:
                    examine(Case(data, seed))
                except Broken as again:
                    if again.oracle == broken.oracle:
                        case, broken, shrunk = Case(data, seed), again, True
                        break
            else:
                at += step
        if not shrunk or step > 1:
            step //= 2
    return case, broken
