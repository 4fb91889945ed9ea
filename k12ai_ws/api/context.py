"""What every handler works with: the stages below, and how an answer is made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from k12ai_ws.access.gate import Gate
from k12ai_ws.events.hub import Hub
from k12ai_ws.jobs.manager import JobManager
from k12ai_ws.settings import Settings
from k12ai_ws.store.store import Store
from k12ai_ws.telemetry.metrics import Metrics
from k12ai_ws.telemetry.now import Now
from k12ai_ws.wire.bodies import Body, Fault, Json
from k12ai_ws.wire.codes import Code, Language
from k12ai_ws.wire.envelope import encode, envelope

from .places import Bounds
from .readiness import Readiness
from .statistics import Statistics
from .underway import Underway


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to every handler by the composition root. `look` sees what there is now, for `/metrics`."""

    settings: Settings
    store: Store
    hub: Hub
    jobs: JobManager
    statistics: Statistics
    readiness: Readiness
    bounds: Bounds
    gate: Gate
    clock_ms: Callable[[], int]
    new_id: Callable[[], str]
    metrics: Metrics
    look: Callable[[], Awaitable[Now]]
    underway: Underway

    def message(
        self,
        body: Body,
        *,
        tag: str,
        op: str,
        language: Language,
        user: str = "",
        service_uuid: str = "",
        extra: Mapping[str, Json] | None = None,
    ) -> bytes:
        """An unstored message of now, encoded."""
        return encode(
            envelope(
                body,
                tag=tag,
                op=op,
                at_ms=self.clock_ms(),
                user=user,
                service_uuid=service_uuid,
                language=language,
                extra=extra,
            )
        )

    def refusal(self, fault: Fault) -> bytes:
        """What a connection is told that is refused before it has asked for anything."""
        return self.message(fault, tag="platform", op="connect", language=self.settings.language)


@dataclass(frozen=True, slots=True)
class Answer:
    """An encoded message, the HTTP status it has over REST, and the code of an error."""

    payload: bytes
    status: int = 200
    code: int = Code.SUCCESS
