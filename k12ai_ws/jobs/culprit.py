"""Which of a job's errors is its own: in a job of many processes, that of the first one that failed. Pure.

When one process of several dies, the others fail for want of it (connections break, collective operations time out),
and the launcher then says which of its children failed. All these are errors in the log; the job died of the first.
"""

import re
from collections.abc import Mapping

from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.envelope import encode

SAME_INCIDENT_MS = 60_000
"""Errors of different processes this close together have one cause."""
KEPT_CHARS = 8_000
"""Length that the `raw` of a kept error is cut to; one whose JSON is longer than twice that is not kept."""
TIMEOUT_MS = 3_600_000
"""So long a process may wait in vain for one that died: above the usual limits of collective operations."""
SUMMARY_MS = 600_000
"""So long after the last error a launcher may take to say that a child failed."""
RANKS = 4
"""Errors kept, of the first ranks that failed."""

_AFTERMATH = re.compile(
    r"[Cc]onnection (?:closed|reset|aborted|refused|was lost)|[Bb]roken pipe|[Ss]ocket [Tt]imeout|[Ww]ait timeout"
    r"|[Tt]imed out waiting|failed to recv|SIGTERM|peer closed"
)
_AFTERMATH_TYPES = frozenset(
    ("ConnectionResetError", "ConnectionAbortedError", "ConnectionRefusedError", "BrokenPipeError", "EOFError")
)
"""Of other processes, these follow from an error; of the same one, they are errors like any other."""
_OF_SEVERAL = re.compile(
    r"remote process exited|NCCL communicator|nccl(?:Remote|System|Internal)Error|Watchdog caught"
    r"|collective operation timeout|process group watchdog|Timed out after \d{1,9} ?ms waiting|TCPStore|transport/tcp"
    r"|Got signal: 15"
)
_TYPES_OF_SEVERAL = frozenset(
    ("DistBackendError", "DistNetworkError", "DistStoreError", "SignalException", "NCCLTimeout")
)
"""These there are only among several processes, whether or not the log tells them apart."""
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
        if facts["summary"] and own is not None and facts["at_ms"] - _seen_ms(own) <= SUMMARY_MS:
            first = self._ranks.get(str(facts["rank"]))
            self._ranks = {}
            if first is not None and facts["rank"] != own["rank"]:
                self._own = _facts(first) | {"seen_ms": facts["at_ms"]}
                return dict(first)
            if not own["summary"] and not (facts["killed"] and own["python"]):
                own["seen_ms"] = facts["at_ms"]
                return None
        elif own is not None and _follows(own, facts):
            self._keep(error, facts)
            own["seen_ms"] = facts["at_ms"]
            return None
        if own is None or facts["at_ms"] - own["at_ms"] > SAME_INCIDENT_MS:
            self._ranks = {}
        self._own = facts
        return error

    def _keep(self, error: Mapping[str, Json], facts: Mapping[str, Json]) -> None:
        """Keeps the first error of a rank that is not the own one: a launcher may name it yet."""
        rank = facts["rank"]
        if facts["summary"] or (facts["aftermath"] and self._own is not None and not self._own["aftermath"]):
            return  # whoever names it
        if rank is not None and str(rank) not in self._ranks and len(self._ranks) < RANKS:
            kept = _shortened(error)
            if len(encode(kept)) <= 2 * KEPT_CHARS:
                self._ranks[str(rank)] = kept

    def passes(self, at_ms: int) -> None:
        """The time of the log (ms): what was kept for a launcher's word is dropped where that cannot come any more."""
        if self._ranks and (self._own is None or at_ms - _seen_ms(self._own) > SUMMARY_MS):
            self._ranks = {}


def _shortened(error: Mapping[str, Json]) -> dict[str, Json]:
    """The error with a `raw` that says how much of its middle is left out."""
    detail = dict(error["detail"])
    raw = detail.get("raw")
    if isinstance(raw, str) and (cut := len(raw) - KEPT_CHARS) > 0:
        half = KEPT_CHARS // 2
        detail["raw"] = f"{raw[:half]}\n... {cut} characters left out ...\n{raw[-half:]}"
    return {**error, "detail": detail}


def _seen_ms(own: Mapping[str, Json]) -> int:
    """When the last error came that was the own one or followed from it."""
    return int(own.get("seen_ms", own["at_ms"]))


def _facts(error: Mapping[str, Json]) -> dict[str, Json]:
    detail = error.get("detail") or {}
    name = str(detail.get("exc_type") or "").rpartition(".")[2]
    text = str(detail.get("exc_text") or "")[:4000]
    code = detail.get("exit_code")
    of_several = name in _TYPES_OF_SEVERAL or bool(_OF_SEVERAL.search(text))
    return {
        "at_ms": int(error["timestamp"]),
        "rank": detail.get("rank"),
        "summary": name in _SUMMARY_TYPES,
        "aftermath": of_several or name in _AFTERMATH_TYPES or bool(_AFTERMATH.search(text)),
        "several": of_several,
        "killed": isinstance(code, int) and code < 0,
        "python": "language" not in detail and not text.startswith("Fatal Python error"),
    }


def _follows(own: Mapping[str, Json], later: Mapping[str, Json]) -> bool:
    """Whether a later error only follows from the one that is the job's own."""
    passed = later["at_ms"] - own["at_ms"]
    several = own["rank"] is not None and later["rank"] is not None and own["rank"] != later["rank"]
    if own["aftermath"] and not later["aftermath"]:
        return False
    if later["aftermath"] and not own["aftermath"] and (later["several"] or own["rank"] != later["rank"]):
        return bool(passed <= (TIMEOUT_MS if several else SAME_INCIDENT_MS))
    return bool(several and passed <= SAME_INCIDENT_MS)
