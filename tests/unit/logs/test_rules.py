"""Rules through the pipeline: what they read, beside what the presets read."""

import itertools
import json
import math
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.logs.rules import (
    MAX_RULES,
    Rule,
    RuleError,
    for_nobody,
    read_configured,
    read_rules,
    rules_schema,
    with_rules,
)
from k12ai_ws.logs.rules.budget import START_NS
from k12ai_ws.wire.bodies import Fault, LogEvent, LogLines, Metrics, Progress
from k12ai_ws.wire.codes import Code


def made(rules: list[Any]) -> list[Rule]:
    return [Rule(**rule) if isinstance(rule, dict) else Rule(rule) for rule in rules]


def events(rules: list[Any], log: str, *presets: str, language: str = "en") -> list[LogEvent]:
    pipeline = Pipeline(with_rules([*made(rules), *presets], language=language), language=language)  # type: ignore[arg-type]
    found = pipeline.feed(log.encode()) + pipeline.close(at_ms=0)
    return [event for event in found if not isinstance(event, LogLines)]


def metrics(rules: list[Any], log: str, *presets: str) -> list[dict[str, Any]]:
    return [dict(event.values) for event in events(rules, log, *presets) if isinstance(event, Metrics)]


def warnings(rules: list[Any], log: str, **kwargs: Any) -> list[Fault]:
    return [event for event in events(rules, log, **kwargs) if isinstance(event, Fault)]


PAIRS = r"(?P<name>[\w|-]+)\s*=\s*(?P<value>\S+)"


@pytest.mark.parametrize(
    ("rule", "line", "wanted"),
    [
        (r"loss (?P<loss>\S+) acc (?P<acc>\S+)", "loss 0.5 acc 98%", {"loss": 0.5, "acc": 98}),
        (r"at (?P<step>\d+): (?P<reward>\S+)", "at 12: -1.5e-3", {"step": 12, "reward": -0.0015}),
        (r"(?P<reward>\S+) at (?P<epoch>\d+)", "7 at 2", {"epoch": 2, "reward": 7}),
        (r"\[rank(?P<rank>\d+)\] (?P<x>\d+)", "[rank3] 5", {"rank": 3, "x": 5}),
        (PAIRS, "epoch = 3 | loss=0.25", {"epoch": 3, "loss": 0.25}),
        (PAIRS, "Epoch=3 loss=0.25 val-acc=.5", {"epoch": 3, "loss": 0.25, "val-acc": 0.5}),
        (PAIRS, "a=1 a=2", {"a": 1}),
        ({"pattern": r"mse: (?P<value>\S+)", "name": "val/mse"}, "mse: 0.1", {"val/mse": 0.1}),
        ({"pattern": r"mse: ([0-9.]+)", "name": "mse"}, "mse: 0.1 is good", {"mse": 0.1}),
        ({"pattern": r"acc (?P<acc>\S+)", "scale": 0.01}, "acc 57%", {"acc": 0.57}),
        ({"pattern": r"acc (?P<acc>\S+) at (?P<step>\d+)", "scale": 0.01}, "acc 57% at 3", {"step": 3, "acc": 0.57}),
        (r"(?P<split>\w+) score (?P<score>\S+)", "Valid score 3", {"valid_score": 3}),
        (r"(?P<split>\w+): (?P<train_loss>\S+)", "train: 3", {"train_loss": 3}),
        (r"total (?P<total>\S+)", "total 1,234,567.5", {"total": 1234567.5}),
        (r"total (?P<total>\S+)", "total +12,345", {"total": 12345}),
        (r"loss (?P<loss>\S+)", "loss 1e400", {"loss": None}),
        (r"loss (?P<loss>\S+)", "loss -Infinity", {"loss": None}),
        (r"loss (?P<loss>\S+)", "loss NaN", {"loss": None}),
        (r"損失 (?P<loss>\S+)", "損失 0.5 あと", {"loss": 0.5}),
        (r"(?P<a>\d+)(?: of (?P<b>\d+))?", "x 5", {"a": 5}),
        ({"pattern": r"loss=(?P<loss>\S+)", "contains": "final"}, "final loss=2", {"loss": 2}),
    ],
)
def test_what_a_rule_reads(rule: Any, line: str, wanted: dict[str, Any]) -> None:
    assert metrics([rule], f"before\n{line}\nafter\n") == [wanted]


@pytest.mark.parametrize(
    "value", ["N/A", "0,5", "1_000", "0x1f", "1.2.3", "--", "12,34", "1e", "tensor(1.)", "٣", "5s"]
)
def test_what_is_no_number_gives_nothing(value: str) -> None:
    rule = r"loss (?P<loss>\S+)"
    assert metrics([rule], f"loss {value}\n") == []
    (warning,) = warnings([rule], f"loss {value}\nloss {value}\n")
    assert warning.detail["rules"] == [{"pattern": rule, "not_a_number": 2, "captured": value}]
    assert repr(value) in str(warning.message)


def test_names_are_bounded() -> None:
    assert metrics(
        [r"<(?P<name>[^>]*)> (?P<value>\S+)"], "<" + "n" * 101 + "> 1\n<> 2\n<a\tb> 3\n< val loss > 4\n"
    ) == [{"val loss": 4}]


def test_what_several_rules_find_in_a_line_is_one_event() -> None:
    rules = [r"loss=(?P<loss>\S+)", r"step (?P<step>\d+).*acc=(?P<acc>\S+)", r"=(?P<loss>\S+)"]
    assert metrics(rules, "step 3 loss=0.5 acc=0.9\n") == [{"step": 3, "loss": 0.5, "acc": 0.9}]


def test_a_rule_of_positions_alone_is_for_the_lines_below() -> None:
    rules = [r"^== round (?P<epoch>\d+)", r"score (?P<score>\S+)"]
    log = "score 1\n== round 1\nscore 2\n\nscore 3\n== round 2 score 4\n"
    assert metrics(rules, log) == [
        {"score": 1},
        {"epoch": 1, "score": 2},
        {"epoch": 1, "score": 3},
        {"epoch": 2, "score": 4},
    ]
    assert not warnings(rules[:1], log)


def test_of_a_line_that_a_rule_read_the_presets_see_nothing() -> None:
    log = "epoch=1 loss=0.5\nepoch=2 loss=oops acc=0.7\n"
    assert metrics([r"loss=(?P<my_loss>\d\S*)"], log, "auto") == [{"my_loss": 0.5}, {"epoch": 2, "acc": 0.7}]


def test_a_digit_in_the_text_that_a_rule_needs_counts() -> None:
    log = "".join(f"top{n}: 0.{n}\n" for n in range(1, 8))
    assert metrics([r"top5: (?P<top5>\S+)"], log) == [{"top5": 0.5}]


def test_long_lines_are_not_tried_and_that_is_said() -> None:
    log = "loss=" + "1" * 4000 + "\n"
    (warning,) = warnings([r"loss=(?P<loss>\d)"], log)
    assert warning.detail["lines_too_long"] == 1
    assert "4000" in str(warning.message)
    assert metrics([r"loss=(?P<loss>\d)$"], "x" * 3993 + " loss=1\n") == [{"loss": 1}]


class TestProgressAndErrors:
    def test_progress(self) -> None:
        rule = {"pattern": r"file (?P<current>\d+) of (?P<total>\d+) (?P<unit>\w+)", "kind": "progress"}
        found = events([rule], "file 3 of 12 pages\nfile 24 of 12 pages\nfile 1 of 0 pages\n")
        assert [(e.value, e.current, e.total, e.unit) for e in found if isinstance(e, Progress)] == [
            (0.25, 3, 12, "pages"),
            (1.0, 24, 12, "pages"),
        ]

    def test_percent(self) -> None:
        rule = {"pattern": r"(?P<desc>\w+): (?P<percent>\S+) done", "kind": "progress"}
        (event,) = events([rule], "copy: 12.5% done\n")
        assert isinstance(event, Progress)
        assert (event.value, event.desc, event.total) == (0.125, "copy", None)

    def test_an_error(self) -> None:
        rule = {
            "pattern": r"(?P<filename>[\w.]+):(?P<linenum>\d+): (?P<type>\w+): (?P<text>.*)",
            "kind": "error",
            "code": 100919,
        }
        (event,) = events([rule], "solver.cc:17: BadMatrix: it is singular \n")
        assert event == Fault(
            100919,
            "it is singular",
            "error",
            {
                "filename": "solver.cc",
                "linenum": 17,
                "exc_type": "BadMatrix",
                "exc_text": "it is singular",
                "raw": "solver.cc:17: BadMatrix: it is singular ",
            },
        )

    def test_a_warning(self) -> None:
        (event,) = events([{"pattern": "WARN (?P<text>.*)", "kind": "error", "severity": "warning"}], "WARN hot\n")
        assert event == Fault(Code.UNKNOWN, "hot", "warning", {"raw": "WARN hot"})

    def test_errors_are_bounded_and_that_is_said_once(self) -> None:
        found = events([{"pattern": "E (?P<text>.*)", "kind": "error"}], "E x\n" * 150)
        assert len(found) == 101
        assert isinstance(found[-1], Fault)
        assert (found[-1].severity, found[-1].code) == ("warning", Code.WARNING)


class TestNothingFound:
    RULES = (r"loss is (?P<loss>\S+)", r"acc is (?P<acc>\S+)")

    def test_it_is_said_once_at_the_end(self) -> None:
        (warning,) = warnings(list(self.RULES), "loss: 1\n" * 5)
        assert (warning.code, warning.severity) == (Code.WARNING, "warning")
        assert all(rule in str(warning.message) for rule in self.RULES)
        (chinese,) = warnings(list(self.RULES), "loss: 1\n", language="zh")
        assert "没有找到" in str(chinese.message)

    def test_one_rule_that_found_something_is_enough(self) -> None:
        assert not warnings(list(self.RULES), "acc is 3\n")

    def test_a_log_without_a_line_deserves_no_warning(self) -> None:
        assert not warnings(list(self.RULES), "")

    def test_who_is_told(self) -> None:
        """The rules of a request and of a driver, each by themselves; the operator's never."""
        mine, theirs, operators = made([r"loss is (?P<loss>\S+)", r"acc is (?P<acc>\S+)", r"f1 is (?P<f1>\S+)"])

        def patterns(log: str, **who: Any) -> list[list[str]]:
            pipeline = Pipeline(with_rules([theirs, "auto"], **who))
            found = pipeline.feed(log.encode()) + pipeline.close(at_ms=0)
            return [[rule["pattern"] for rule in e.detail["rules"]] for e in found if isinstance(e, Fault)]

        every = {"asked": [mine], "configured": [operators]}
        assert patterns("x\n", **every) == [[mine.pattern, theirs.pattern]]
        assert patterns("f1 is 3\n", **every) == [[mine.pattern, theirs.pattern]]
        assert patterns("acc is 3\n", **every) == [[mine.pattern]]
        assert patterns("loss is 3\n", **every) == [[theirs.pattern]]
        assert patterns("acc is 3\n", configured=[operators]) == []
        assert patterns("acc is 3\n", asked=[theirs]) == [], "a rule of both is of both"

    def test_the_operators_rules_alone_are_not_told_of(self) -> None:
        pipeline = Pipeline(with_rules(["auto"], configured=made([r"loss is (?P<loss>\S+)"])))
        assert not [e for e in pipeline.feed(b"x\n") + pipeline.close(at_ms=0) if isinstance(e, Fault)]

    def test_no_rules_no_warning(self) -> None:
        assert with_rules(["auto"]) == ["auto"]


class TestBudget:
    """Rules whose matching takes too long are switched off, the dearest first; here each look at a clock takes 1 s."""

    @staticmethod
    def read(rules: list[Any], lines: int, *, restart: bool = False) -> list[LogEvent]:
        def fresh() -> Pipeline:
            return Pipeline(with_rules(["auto"], asked=made(rules), clock=lambda: next(ticks) * 1_000_000_000))

        ticks = itertools.count()
        pipeline, found = fresh(), []
        for n in range(lines):
            found += pipeline.feed(f"a {n} b {n}\n".encode())
            if restart:
                state = json.loads(json.dumps(pipeline.dump()))
                pipeline = fresh()
                pipeline.load(state)
        return [e for e in found + pipeline.close(at_ms=0) if not isinstance(e, LogLines)]

    @pytest.mark.parametrize("restart", [False, True])
    def test_the_dearest_are_switched_off_and_that_is_said_once(self, restart: bool) -> None:
        rules = [r"a (?P<a>\d+)", r"b (?P<b>\d+)", {"pattern": r"(?P<c>\d+)$", "contains": "0 b"}]
        found = self.read(rules, 31, restart=restart)
        names = ["".join(sorted(e.values)) for e in found if isinstance(e, Metrics)]
        assert names == ["abc", "ab", "a", "c", "c", "c"], "of the lines 0, 1, 2, 10, 20 and 30"
        (said,) = [e for e in found if isinstance(e, Fault)]
        assert (said.code, said.severity, said.detail) == (
            Code.WARNING,
            "warning",
            {"rules": [{"pattern": rule} for rule in rules[:2]]},
        )
        assert "switched off" in str(said.message)

    def test_what_is_ordinary_costs_nothing(self) -> None:
        pipeline = Pipeline(with_rules(["auto"], asked=made([PAIRS]), clock=time.thread_time_ns))
        found = pipeline.feed(b"a=1 b=2 c=3\n" * 2000)
        assert not [e for e in found if isinstance(e, Fault)]
        assert sum(pipeline.dump()["parsers"][0]["cost"]["spent"]) < START_NS / 10


LOG = "== round 1\nscore 1 bad x\nscore 2\nE a\n== round 2\nscore 3\nloss=nan\nE b\n"
LOG_RULES = [
    r"round (?P<epoch>\d+)",
    r"score (?P<score>\S+)(?: bad (?P<bad>\S+))?",
    {"pattern": "E (?P<text>.*)", "kind": "error"},
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(LOG)), max_size=6), st.booleans())
def test_any_split_and_any_restart_give_the_same(cuts: list[int], restart: bool) -> None:
    def fresh() -> Pipeline:
        return Pipeline(with_rules([*made(LOG_RULES), "auto"]))

    pipeline, found = fresh(), []
    ends = [0, *sorted(cuts), len(LOG)]
    for begin, end in pairwise(ends):
        found += pipeline.feed(LOG[begin:end].encode())
        if restart:
            state = json.loads(json.dumps(pipeline.dump(), allow_nan=False))
            pipeline = fresh()
            pipeline.load(state)
    found += pipeline.close(at_ms=0)
    assert [e for e in found if not isinstance(e, LogLines)] == events(LOG_RULES, LOG, "auto")


def test_what_other_rules_remembered_counts_for_nothing() -> None:
    before = Pipeline(with_rules(made([r"round (?P<epoch>\d+)"])))
    before.feed(b"round 7\n")
    after = Pipeline(with_rules(made([r"score (?P<score>\S+)"])))
    after.load(json.loads(json.dumps(before.dump())))
    found = after.feed(b"score 2\n") + after.close(at_ms=0)
    assert [e.values for e in found if isinstance(e, Metrics)] == [{"score": 2}]


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("loss=1.e+-,%naif ()\t日\x00"), max_size=60))
def test_whatever_is_printed_it_gives_finite_numbers_or_none(line: str) -> None:
    found = metrics([PAIRS, r"(?P<x>\S*)"], line + "\n")
    assert all(v is None or math.isfinite(v) for values in found for v in values.values())


def test_the_schema_has_every_field() -> None:
    schema = rules_schema()
    properties = schema["items"]["properties"]
    full = {"pattern": "(?P<value>x)", "name": "a", "scale": 2, "contains": "x", "kind": "metrics", "severity": "error"}
    assert properties.keys() == full.keys() | {"code"}
    assert read_rules([full] * schema["maxItems"], "log_rules")
    for code in properties["code"]["enum"]:
        assert Rule("(?P<text>x)", kind="error", code=code)
    for name in ("pattern", "contains", "name"):
        with pytest.raises(RuleError):
            Rule.from_json(full | {name: "x" * (properties[name]["maxLength"] + 1)})


class TestProgressOfARule:
    def test_the_built_in_reader_does_not_report_the_line_again(self) -> None:
        rule = {"pattern": r"shard (?P<current>\d+) of (?P<total>\d+)", "kind": "progress"}
        found = events([rule], "shard 3 of 10\nshard 4 of 10\n", "auto")
        assert [(e.current, e.desc) for e in found if isinstance(e, Progress)] == [(3, None), (4, None)]

    def test_a_rule_that_reads_no_progress_leaves_it(self) -> None:
        log = "shard 3 of 10: 30%|###       | 3/10 [00:01<00:02, 3.00it/s]\n"
        assert [e for e in events([r"shard (?P<shard>\d+)"], log, "auto") if isinstance(e, Progress)]


class TestRefusals:
    @pytest.mark.parametrize(
        ("rule", "loc", "words"),
        [
            ({"pattern": "loss"}, "pattern", "nothing is captured"),
            ({"pattern": "(x)"}, "pattern", "give the rule a `name`"),
            ({"pattern": "(x)=(y)"}, "pattern", r"name the groups: `\(\?P<name>"),
            ({"pattern": "(x)=(y)", "name": "z"}, "pattern", "name the groups"),
            ({"pattern": "(?P<name>x)"}, "pattern", "none `value`"),
            ({"pattern": "(?P<value>x)"}, "pattern", "neither"),
            ({"pattern": "(?P<value>x)(?P<name>y)", "name": "n"}, "pattern", "both"),
            ({"pattern": "(?P<value>x)(?P<z>y)", "name": "n"}, "pattern", "write two rules"),
            ({"pattern": "(?P<a>x)", "name": "n"}, "pattern", "group is `value`"),
            ({"pattern": "(?P<split>x)"}, "pattern", "no metric"),
            ({"pattern": "(?P<rank>x)"}, "pattern", "nothing that it could belong to"),
            ({"pattern": "(?P<a>x)", "kind": "progress"}, "pattern", "current and total"),
            ({"pattern": "(?P<percent>x)(?P<loss>x)", "kind": "progress"}, "pattern", "no group loss"),
            ({"pattern": "(?P<a>x)", "kind": "error"}, "pattern", "needs the group text"),
            ({"pattern": "(?P<a>x)", "kind": "metric"}, "kind", "there are metrics, progress, error"),
            ({"pattern": "(?P<a>x)", "kind": None}, "kind", "must be a text"),
            ({"pattern": "(?P<a>x)", "scale": 0}, "scale", "not 0"),
            ({"pattern": "(?P<a>x)", "scale": True}, "scale", "number"),
            ({"pattern": "(?P<a>x)", "scale": 1e308}, "scale", "1e-30 to 1e\\+30"),
            ({"pattern": "(?P<a>x)", "scale": -1e-31}, "scale", "1e-30 to 1e\\+30"),
            ({"pattern": "(?P<a>x)", "scale": 10**400}, "scale", "1e-30 to 1e\\+30"),
            ({"pattern": "(x)", "name": "epoch"}, "name", r"no metric.*\(\?P<epoch>"),
            ({"pattern": "(?P<value>x)", "name": "Step"}, "name", r"no metric.*\(\?P<step>"),
            ({"pattern": "(?P<a>x)", "scale": "2"}, "scale", "not '2'"),
            ({"pattern": "(?P<a>x)", "scale": math.nan}, "scale", "finite"),
            ({"pattern": "(?P<a>x)", "code": 100919}, "code", "kind error"),
            ({"pattern": "(?P<a>x)", "severity": "warning"}, "severity", "kind error"),
            ({"pattern": "(?P<text>x)", "kind": "error", "code": 100003}, "code", "such as 100919"),
            ({"pattern": "(?P<text>x)", "kind": "error", "severity": "fatal"}, "severity", "error, warning"),
            ({"pattern": "(?P<text>x)", "kind": "error", "scale": 2}, "scale", "kind metrics"),
            ({"pattern": "(?P<text>x)", "kind": "error", "name": "x"}, "name", "kind metrics"),
            ({"pattern": "(x)", "name": " a"}, "name", "no spaces around"),
            ({"pattern": "(x)", "name": ""}, "name", "1 to 100"),
            ({"pattern": "(?P<a>x)", "contains": ""}, "contains", "1 to 200"),
            ({"pattern": "(?P<a>x)", "contains": "a\nb"}, "contains", "printable"),
            ({"pattern": 5}, "pattern", "must be a text, not int"),
            ({"patern": "x"}, "patern", "did you mean pattern"),
            ({"pattern": "(?P<a>x)", "zzz": 1}, "zzz", "there are pattern, name"),
            ({}, "pattern", "needs a pattern"),
            ("loss", "", "a rule is a table"),
            ({"pattern": "(?P<a>x)", "services": ["a"]}, "services", "no such field"),
        ],
    )
    def test_one_rule(self, rule: Any, loc: str, words: str) -> None:
        with pytest.raises(RuleError, match=words) as caught:
            read_rules([rule], "log_rules")
        (problem,) = caught.value.problems
        assert problem["loc"] == f"log_rules.0.{loc}".rstrip(".")
        assert set(problem) == {"loc", "msg", "type"}

    def test_all_that_is_wrong_is_said(self) -> None:
        with pytest.raises(RuleError) as caught:
            read_rules([{"pattern": "x"}, {"pattern": "(?P<a>x)"}, {"patern": "x"}], "log_rules")
        assert [problem["loc"] for problem in caught.value.problems] == ["log_rules.0.pattern", "log_rules.2.patern"]

    def test_how_many(self) -> None:
        rules = [{"pattern": f"(?P<a{n}>x)"} for n in range(MAX_RULES + 1)]
        assert len(read_rules(rules[1:], "log_rules")) == MAX_RULES
        with pytest.raises(RuleError, match="there are 51 rules: 50 are the most"):
            read_rules(rules, "log_rules")

    def test_how_large_all_together(self) -> None:
        """What a line can cost at worst is bounded, however a stranger writes his rules."""
        rules = [{"pattern": rf"a{n}(?P<a>.{{200}})"} for n in range(7)]
        assert len(read_rules(rules[:6], "log_rules")) == 6
        with pytest.raises(RuleError, match=r"log_rules: the patterns together are too large"):
            read_rules(rules, "log_rules")


class TestConfigured:
    def test_rules_for_nobody(self) -> None:
        rules = [
            {"pattern": "(?P<a>x)", "services": ["k12cv"], "tasks": ["train"]},
            {"pattern": "(?P<a>x)", "tasks": ["predict"]},
            {"pattern": "(?P<a>x)", "services": ["nosuch"]},
            {"pattern": "(?P<a>x)", "services": ["k12cv", "k12nlq"]},
            {"pattern": "(?P<a>x)", "tasks": ["nope"]},
            {"pattern": "(?P<a>x)", "services": ["k12cv"], "tasks": ["predict"]},
        ]
        said = list(for_nobody(read_configured(rules), {"k12cv": ["train"], "k12nlp": ["predict"]}))
        assert [text.partition(":")[0] for text in said] == [f"logs.rules.{n}" for n in (2, 3, 4, 5)]
        assert "'nosuch'" in said[0]
        assert "k12cv, k12nlp" in said[0]
        assert "'k12nlq'" in said[1]
        assert "'nope'" in said[2]
        assert "'predict'" in said[3]
        assert not list(for_nobody(read_configured(rules[:2]), {"k12cv": ["train"], "k12nlp": ["predict"]}))

    def test_for_whom(self) -> None:
        every, some = read_configured(
            [{"pattern": "(?P<a>x)"}, {"pattern": "(?P<a>x)", "services": ["k12cv"], "tasks": ["train"]}]
        )
        assert every.is_for("k12nlp", "predict")
        assert some.is_for("k12cv", "train")
        assert not some.is_for("k12cv", "predict")
        assert not some.is_for("k12nlp", "train")

    @pytest.mark.parametrize("names", ["k12cv", [], [1], {"k12cv": 1}])
    def test_names_are_a_list(self, names: Any) -> None:
        with pytest.raises(RuleError, match=r"rules\.0\.services: must be a list of names"):
            read_configured([{"pattern": "(?P<a>x)", "services": names}])


@pytest.mark.parametrize(
    "rule",
    [
        {"pattern": r"(?P<a>x)"},
        {"pattern": r"(x)", "name": "a b", "scale": 0.01, "contains": "c"},
        {"pattern": r"(?P<text>x)", "kind": "error", "code": 100919, "severity": "warning"},
    ],
)
def test_a_rule_survives_being_stored(rule: dict[str, Any]) -> None:
    assert Rule.from_json(rule).to_json() == rule
    assert Rule.from_json(json.loads(json.dumps(Rule(**rule).to_json()))) == Rule(**rule)
