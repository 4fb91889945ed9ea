"""The examples of docs/rules.md do what the page says."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from k12ai_ws.logs.batch import parse
from k12ai_ws.logs.rules import MAX_RULES, Rule, with_rules
from k12ai_ws.logs.rules.configured import MAX_STEPS
from k12ai_ws.logs.rules.found import MAX_MATCHES
from k12ai_ws.logs.rules.parser import MAX_LINE
from k12ai_ws.logs.rules.regex import MAX_GROUPS, MAX_NAME, MAX_PATTERN, MAX_PROGRAM
from k12ai_ws.wire.bodies import Metrics

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```\n(?:```text\n(.*?)```\n```json\n(.*?)```)?", PAGE, re.DOTALL)


@pytest.mark.parametrize(("rules", "log", "wanted"), EXAMPLES, ids=[example[0].split("\n")[0] for example in EXAMPLES])
def test_an_example(rules: str, log: str, wanted: str) -> None:
    made = [Rule.from_json(table) for table in tomllib.loads(f"[[logs.rules]]\n{rules}")["logs"]["rules"]]
    found = [dict(e.values) for e in parse(log.encode(), with_rules(made)) if isinstance(e, Metrics)]
    assert found == (json.loads(wanted) if wanted else [])


def test_there_are_examples() -> None:
    assert len([example for example in EXAMPLES if example[2]]) >= 5
    assert len(EXAMPLES) >= 7


def test_the_bounds_are_what_the_page_says() -> None:
    bounds = PAGE[PAGE.index("| bound |") :]
    for bound in (MAX_RULES, MAX_PATTERN, MAX_GROUPS, MAX_PROGRAM, MAX_STEPS, MAX_LINE, MAX_MATCHES, MAX_NAME):
        assert f"{bound:,}" in bounds
