"""Which of a job's errors is its own: in a job of many processes, that of the first one that failed. Pure.

When one process of several dies, the others fail for want of it (connections break, collective operations time out),
and the launcher then says which of its children failed. All these are errors in the log; the job died of the first.
"""

import re
from collections.abc import Mapping

from k12ai_ws.wire.bodies import Json

SAME_INCIDENT_MS = 60_000
"""Errors of different processes this close together have one cause."""
TIMEOUT_MS = 3_600_000
"""So long a process may wait in vain for one that died: above the usual limits of collective operations."""
SUMMARY_MS = 600_000
"""So long a launcher may take to say that a child failed."""
RANKS = 4
"""Errors kept, of the first ranks that failed."""

_AFTERMATH = re.compile(
    r"[Cc]onnection (?:closed|reset|aborted|refused|was lost)|[Bb]roken pipe|remote process exited|NCCL communicator"
    r"|nccl(?:Remote|System|Internal)Error|Watchdog caught|collective operation timeout|[Ss]ocket [Tt]imeout"
    r"|[Ww]ait timeout|process group watchdog|[Tt]imed out waiting|Timed out after \d{1,9} ?ms waiting|TCPStore"
    r"|failed to recv|Got signal: 15|SIGTERM|transport/tcp|peer closed"
)
_AFTERMATH_TYPES = frozenset(
    (
        "ConnectionResetError",
        "ConnectionAbortedError",
        "ConnectionRefusedError",
        "BrokenPipeError",
        "EOFError",
        "DistBackendError",
        "DistNetworkError",
        "DistStoreError",
        "SignalException",
        "NCCLTimeout",
    )
)
_SUMMARY_TYPES = frozenset(("ChildFailedError", "ProcessFailed", "MPI_ABORT", "MakeError", "ProcessExitedException"))


class Culprit:
    """Told every error of a job, in the log's order; keeps which one is the job's own. The state is JSON."""

    def __init__(self, state: Json = None) -> None:
        self._own: dict[str, Json] | None = state["own"] if state else None
        self._ranks: dict[str, Json] = dict(state["ranks"]) if state else {}

    @property
    def state(self) -> Json:
        """What another one needs to go on."""
        return {"own": self._own, "ranks": self._ranks} if self._own else None

    def takes(self, error: Mapping[str, Json]) -> Mapping[str, Json] | None:
        """The job's own error after `error` (a body with its `timestamp`, ms), or None where it stays the same.

        A launcher's word that another rank failed first gives that one's error back.
        """
        facts = _facts(error)
        own = self._own
        if facts["summary"] and own is not None and facts["at_ms"] - own["at_ms"] <= SUMMARY_MS:
            first = self._ranks.get(str(facts["rank"]))
            self._ranks = {}
            if first is not None and facts["rank"] != own["rank"]:
                self._own = _facts(first)
                return dict(first)
            if not own["summary"] and not (facts["killed"] and own["python"]):
                return None
        elif own is not None and _follows(own, facts):
            self._keep(error, facts)
            return None
        if own is None or facts["at_ms"] - own["at_ms"] > SAME_INCIDENT_MS:
            self._ranks = {}
        self._own = facts
        return error

    def _keep(self, error: Mapping[str, Json], facts: Mapping[str, Json]) -> None:
        """Keeps the first error of a rank that is not the own one: a launcher may name it yet."""
        rank = facts["rank"]
        if rank is not None and str(rank) not in self._ranks and len(self._ranks) < RANKS and not facts["summary"]:
            self._ranks[str(rank)] = dict(error)


def _facts(error: Mapping[str, Json]) -> dict[str, Json]:
    detail = error.get("detail") or {}
    name = str(detail.get("exc_type") or "").rpartition(".")[2]
    text = str(detail.get("exc_text") or "")[:4000]
    code = detail.get("exit_code")
    return {
        "at_ms": int(error["timestamp"]),
        "rank": detail.get("rank"),
        "summary": name in _SUMMARY_TYPES,
        "aftermath": name in _AFTERMATH_TYPES or bool(_AFTERMATH.search(text)),
        "killed": isinstance(code, int) and code < 0,
        "python": "language" not in detail and not text.startswith("Fatal Python error"),
    }


def _follows(own: Mapping[str, Json], later: Mapping[str, Json]) -> bool:
    """Whether a later error only follows from the one that is the job's own."""
    passed = later["at_ms"] - own["at_ms"]
    several = own["rank"] is not None and later["rank"] is not None and own["rank"] != later["rank"]
    if own["aftermath"] and not later["aftermath"]:
        return False
    if later["aftermath"] and not own["aftermath"]:
        return bool(passed <= (TIMEOUT_MS if several else SAME_INCIDENT_MS))
    return bool(several and passed <= SAME_INCIDENT_MS)
