"""The parser that reads a log by its rules."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import orjson
import re2

from k12ai_ws.logs.parser import Found, LogParser
from k12ai_ws.logs.sieve import shape_of
from k12ai_ws.wire.bodies import Fault, Json, Metrics
from k12ai_ws.wire.codes import Code, Language

from .budget import Budget, Clock
from .found import Finding, reader_of
from .groups import only_places
from .rule import Rule

MAX_LINE = 4_000
"""A longer line (in characters) is not tried: it is no report of metrics."""
MAX_ERRORS = 100
"""Most error events of one rule; then it says so and gives no more."""
_SHOWN_CHARS = 200


def _signs(rules: Sequence[Rule]) -> str | None:
    """A pattern of the texts that the rules need, one for each; None where a rule needs none, and so every line."""
    needs = [max(rule.needs, key=len, default="") for rule in rules]
    return "|".join(re2.escape(shape_of(need).decode()) for need in needs) if all(needs) else None


def _listed(said: Sequence[dict[str, Json]]) -> str:
    """The first rules' patterns, and how many more there are."""
    patterns = ", ".join(f"`{rule['pattern']}`" for rule in said[:5])
    return f"{patterns} (+{len(said) - 5})" if len(said) > 5 else patterns


class RulesParser(LogParser):
    """Reads every line by all of these rules. What they find in one line is one event; of two values of one name, the
    first rule's counts.

    `told` are groups of these rules, by index, one for each who wrote some and wants to know: `close` says so where
    none of a group found anything in the whole log. By default all are one group. With a `clock` the rules that cost
    too much are switched off (see budget.py), and that is said. `whole`: it is fed the log from its beginning.
    """

    exclusive = True

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        told: Sequence[Sequence[int]] | None = None,
        clock: Clock | None = None,
        language: Language = "en",
        whole: bool = True,
    ) -> None:
        self._rules = tuple(rules)
        self._told = [range(len(rules))] if told is None else told
        self._budget = Budget(clock, len(rules)) if clock is not None else None
        self._language: Language = language
        self._plans = [(rule.needs, reader_of(rule), only_places(rule.regex)) for rule in rules]
        self.signs = _signs(rules)
        stored = orjson.dumps([rule.to_json() for rule in rules])
        self._key = hashlib.sha256(stored).hexdigest()[:16]
        self.state = self._nothing(whole)

    def feed(self, line: str) -> Iterable[Found]:
        """What the rules find in this line."""
        raw: bytes | None = None
        metrics: dict[str, float | None] = {}
        positions: dict[str, float] = {}
        out: list[Found] = []
        for index, (needs, read, places) in enumerate(self._plans):
            if not all(need in line for need in needs):
                continue
            if raw is None:
                if len(line) > MAX_LINE:
                    self._notes()["long"] += 1
                    return ()
                raw = line.encode("utf-8", "replace")
                if self._budget is not None:
                    self._budget.earn(self._notes().setdefault("cost", self._budget.fresh()), len(raw))
            work = partial(read, line, raw)
            found = work() if self._budget is None else self._bought(self._budget, index, work, out)
            if found is None:
                continue
            self._note(index, found)
            if places:
                self._notes()["at"].update({k: v for k, v in found.positions.items() if k != "rank"})
            positions = found.positions | positions
            metrics = found.metrics | metrics
            out += self._bounded(index, found)
        if metrics:
            out.insert(0, Metrics({**self._notes()["at"], **positions, **metrics}))
        return out

    def close(self) -> Iterable[Found]:
        """One warning of the groups where no rule found anything; none where a part of the log is not known."""
        notes = self._notes()
        vain = {index for group in self._told if not any(notes["found"][i] for i in group) for index in group}
        if not vain or not notes.get("whole", True):
            return []
        said = [self._of_rule(index, notes) for index in sorted(vain)]
        detail: dict[str, Json] = {"rules": said}
        if notes["long"]:
            detail["lines_too_long"] = notes["long"]
        return [Fault(Code.WARNING, self._message(said, notes["long"]), "warning", detail)]

    # ------------------------------------------------------------------ inside

    def _notes(self) -> dict[str, Json]:
        """What is remembered. Of other rules than these (they were changed between two servers) nothing counts."""
        if self.state.get("rules") != self._key:
            self.state = self._nothing(not self.state)
        return self.state

    def _nothing(self, whole: bool) -> dict[str, Json]:
        return {"rules": self._key, "found": [0] * len(self._rules), "bad": {}, "long": 0, "at": {}, "whole": whole}

    def _bought(
        self, budget: Budget, index: int, work: Callable[[], Finding | None], out: list[Found]
    ) -> Finding | None:
        """What a rule finds that is not switched off, and one warning of those that became too dear by it."""
        cost = self._notes()["cost"]
        if index in cost["off"]:
            return None
        found = budget.spend(cost, index, work)
        if dear := Budget.too_dear(cost):
            out.append(self._switched_off(dear))
        return found

    def _switched_off(self, dear: Sequence[int]) -> Fault:
        said: list[dict[str, Json]] = [{"pattern": self._rules[index].pattern[:_SHOWN_CHARS]} for index in dear]
        message = {
            "en": f"log rules take too long, and are switched off for this job: {_listed(said)}. Make the patterns "
            "simpler (smaller numbers in repetitions), or give the rules a `contains`",
            "zh": f"日志规则耗时过长, 本任务中已停用: {_listed(said)}。请简化表达式 (减小重复次数), 或设置 `contains`",
        }[self._language]
        return Fault(Code.WARNING, message, "warning", {"rules": said})

    def _note(self, index: int, found: Finding) -> None:
        notes = self._notes()
        if found.metrics or found.events or (self._plans[index][2] and found.positions):
            notes["found"][index] += 1
        if found.bad is not None:
            count, sample = notes["bad"].get(str(index), (0, found.bad[:_SHOWN_CHARS]))
            notes["bad"][str(index)] = [count + 1, sample]

    def _bounded(self, index: int, found: Finding) -> Sequence[Found]:
        if self._rules[index].kind != "error" or not found.events:
            return found.events
        count = self._notes()["found"][index]
        if count <= MAX_ERRORS:
            return found.events
        if count > MAX_ERRORS + 1:
            return ()
        shown = self._rules[index].pattern[:_SHOWN_CHARS]
        message = {
            "en": f"the log rule `{shown}` gave {MAX_ERRORS} errors; the ones after them are left out",
            "zh": f"日志规则 `{shown}` 已产生{MAX_ERRORS}条错误; 其后的不再报告",
        }[self._language]
        return (Fault(Code.WARNING, message, "warning"),)

    def _of_rule(self, index: int, notes: dict[str, Json]) -> dict[str, Json]:
        out: dict[str, Json] = {"pattern": self._rules[index].pattern[:_SHOWN_CHARS]}
        if str(index) in notes["bad"]:
            out["not_a_number"], out["captured"] = notes["bad"][str(index)]
        return out

    def _message(self, said: Sequence[dict[str, Json]], long: int) -> str:
        zh = self._language == "zh"
        patterns = _listed(said)
        text = (
            f"日志规则在该日志中没有找到任何内容: {patterns}"
            if zh
            else f"the log rules found nothing in this log: {patterns}"
        )
        for rule in said:
            if "captured" in rule:
                text += (
                    f"; `{rule['pattern']}` 匹配了, 但捕获的 {rule['captured']!r} 不是数字 ({rule['not_a_number']}行)"
                    if zh
                    else f"; `{rule['pattern']}` matched, but what it captured is no number: {rule['captured']!r} "
                    f"(lines: {rule['not_a_number']})"
                )
                break
        if long:
            text += (
                f"; {long}行超过{MAX_LINE}个字符, 未尝试"
                if zh
                else (f"; lines of more than {MAX_LINE} characters are not tried, and there were {long}")
            )
        return text + (
            "。可用 k12ai parse --rule 在保存的日志上试验" if zh else ". Try them on the log: k12ai parse --rule"
        )
