"""What one check of the doctor says."""

from dataclasses import dataclass
from typing import Literal

from k12ai_ws.wire.bodies import Json

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `ok`, `warn` (it works, with less) or `fail` (it does not), and what was found.

    `advice` says what to do; every finding that is not ok has one (ValueError without).
    """

    name: str
    status: Verdict
    found: str
    advice: str | None = None

    def __post_init__(self) -> None:
        if self.status != "ok" and not self.advice:
            raise ValueError(f"finding {self.name!r} is {self.status} and gives no advice")

    def to_json(self) -> dict[str, Json]:
        """`{name, status, found, advice}`; advice is null where there is none."""
        return {"name": self.name, "status": self.status, "found": self.found, "advice": self.advice}


def size_of(count: int | None) -> str:
    """Bytes, for people."""
    return "size not told" if count is None else f"{count / (1 << 30):.1f} GiB"
