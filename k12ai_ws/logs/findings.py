"""What parsers say, made fit for the contract: finite numbers, a bounded number of names, each warning once."""

import math
from collections.abc import Mapping, Sequence

from k12ai_ws.wire.bodies import Fault, Json, LogEvent, Metrics
from k12ai_ws.wire.codes import Code, Language

from .limits import Limits


class Findings:
    """Takes metrics of one job's parsers. JSON has no NaN: a number that is not finite becomes None, with a warning."""

    def __init__(self, limits: Limits, language: Language) -> None:
        self._most = limits.names
        self._longest = limits.name_chars
        self._language: Language = language
        self._not_finite = False
        self._too_many = False

    def metrics(self, item: Metrics, out: list[LogEvent]) -> None:
        """Appends the event, and the warnings that it is the first to give reason for."""
        values = item.values
        if type(values) is not dict and not isinstance(values, Mapping):
            out.append(item)  # a plugin breaks its types' promise: judged where events are encoded
        elif not values:
            return
        elif len(values) <= self._most and _plain(values, self._longest):
            out.append(item)
        else:
            self._mended(values, out)

    def _mended(self, values: Mapping[str, float | None], out: list[LogEvent]) -> None:
        kept = {self._cut(name): _finite(value) for name, value in list(values.items())[: self._most]}
        if len(values) > self._most and not self._too_many:
            self._too_many = True
            out.append(Fault(Code.WARNING, self._too_many_message(), "warning"))
        out.append(Metrics(kept))
        bad = [str(name) for name, value in kept.items() if value is None]
        if bad and not self._not_finite:
            self._not_finite = True
            out.append(self._not_finite_fault(bad))

    def _cut(self, name: str) -> str:
        too_long = isinstance(name, str) and len(name) > self._longest
        return f"{name[: self._longest - 1]}…" if too_long else name

    def _too_many_message(self) -> str:
        return {
            "en": f"one line showed more than {self._most} metrics; the first {self._most} are kept",
            "zh": f"一行日志包含超过{self._most}个指标; 仅保留前{self._most}个",
        }[self._language]

    def _not_finite_fault(self, names: Sequence[str]) -> Fault:
        shown = ", ".join(names[:8])
        message = {
            "en": f"{shown} is NaN or infinite: lower the learning rate, clip gradients, look for bad input values",
            "zh": f"{shown} 变为NaN或无穷大: 请降低学习率, 裁剪梯度, 并检查输入数据",
        }[self._language]
        return Fault(Code.LOSS_NOT_FINITE, message, "warning", {"names": list(names)})

    def dump(self) -> Json:
        """The state, as JSON."""
        return [self._not_finite, self._too_many]

    def load(self, state: Json) -> None:
        """Goes on from a dumped state."""
        self._not_finite, self._too_many = state


def _plain(values: Mapping[str, float | None], longest: int) -> bool:
    """Whether all are finite numbers: their sum says so at once. (A sum that overflows is looked at more closely.) And
    no name is too long.
    """
    try:
        return math.isfinite(sum(values.values())) and max(map(len, values)) <= longest  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        return False


def _finite(value: float | None) -> float | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def broken(what: str, error: Exception, language: Language) -> Fault:
    """The warning that a plugin's code raised, and is not asked again in this job."""
    reason = f"{type(error).__name__}: {error}"[:500]
    message = {
        "en": f"{what} raised {reason}; it is switched off for this job",
        "zh": f"{what} 抛出异常 {reason}; 本任务中已停用",
    }[language]
    return Fault(Code.UNKNOWN, message, "warning", {"exc_type": type(error).__name__, "exc_text": str(error)[:500]})
