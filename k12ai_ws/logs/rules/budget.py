"""What matching a job's rules may cost.

RE2's time is linear in the line, but a byte costs an ordinary pattern 1 ns and a hostile one up to 200,000: it leaves
RE2's automaton no room, and begins anew behind each of 100 matches. No count of a pattern's steps tells the two apart,
so whoever serves strangers lends a clock; without one nothing is measured.
"""

from collections.abc import Callable
from typing import TypeVar

from k12ai_ws.wire.bodies import Json

T = TypeVar("T")
Clock = Callable[[], int]
"""The processor time of the calling thread, in ns; only differences count."""
START_NS = 5_000_000_000
"""What the rules of one job may cost, however short its log."""
PER_LINE_NS, PER_BYTE_NS = 200_000, 300
"""What they may cost beyond, all together, for each line that one is tried on, and for each byte of it. An ordinary
rule takes a hundredth of that.
"""


class Budget:
    """Sums up what rules cost, in a state of JSON values: what each `spent`, what all are `allowed`, who is `off`."""

    def __init__(self, clock: Clock, rules: int) -> None:
        self._clock = clock
        self._rules = rules

    def fresh(self) -> dict[str, Json]:
        """The state at the beginning."""
        return {"spent": [0] * self._rules, "allowed": START_NS, "off": []}

    @staticmethod
    def earn(state: dict[str, Json], size: int) -> None:
        """Rules are tried on a line of `size` bytes."""
        state["allowed"] += PER_LINE_NS + PER_BYTE_NS * size

    def spend(self, state: dict[str, Json], index: int, work: Callable[[], T]) -> T:
        """Does a rule's work, and notes its cost."""
        before = self._clock()
        done = work()
        state["spent"][index] += self._clock() - before
        return done

    @staticmethod
    def too_dear(state: dict[str, Json]) -> list[int]:
        """Where all together cost too much: switches off those that cost most, and says which."""
        spent = state["spent"]
        if sum(spent) <= state["allowed"]:
            return []
        dear = [index for index, cost in enumerate(spent) if cost * 2 >= max(spent)]
        state["spent"] = [0 if index in dear else cost for index, cost in enumerate(spent)]
        state["off"] += dear
        return dear
