"""Dictionaries in a log: on one line, over several, nested, and those that are settings."""

import json
import pprint
from typing import Any

import pytest

from k12ai_ws.logs.batch import parse
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import Metrics

RESULT: dict[str, Any] = {
    "epoch": 2,
    "train": {"loss": 0.5},
    "validation": {"loss": 0.625, "accuracy": 0.75},
    "note": "x",
}
FLAT = {"epoch": 2, "train/loss": 0.5, "validation/loss": 0.625, "validation/accuracy": 0.75}


def metrics(log: str) -> list[dict[str, float | None]]:
    return [dict(e.values) for e in parse(log.encode()) if isinstance(e, Metrics)]


@pytest.mark.parametrize("indent", [None, 0, 2, 4])
def test_the_same_object_on_one_line_and_over_several(indent: int | None) -> None:
    text = json.dumps(RESULT, indent=indent) + "\n"
    assert metrics(text) == [FLAT]
    assert metrics("words before\n" + 2 * text + "words behind\n") == [FLAT, FLAT]


def test_what_pprint_prints() -> None:
    shown = {"epoch": 1, "train_loss": 0.51234, "val_accuracy": 0.91234, "another_long_score": 0.123456}
    assert metrics(pprint.pformat(shown, width=40) + "\n") == [shown]


def test_an_object_is_read_over_a_restart_at_any_byte() -> None:
    data = (json.dumps(RESULT, indent=2) + "\n").encode()
    for cut in range(len(data)):
        first, second = Pipeline(["auto"]), Pipeline(["auto"])
        events = first.feed(data[:cut])
        second.load(first.dump())
        events += second.feed(data[cut:]) + second.close(at_ms=1)
        assert [dict(e.values) for e in events if isinstance(e, Metrics)] == [FLAT], cut


def test_what_comes_into_the_middle_of_an_object_is_not_lost() -> None:
    log = '{\n  "epoch": 1,\n  "loss": 0.5,\nepoch=2 val_loss=0.25\n'
    assert metrics(log) == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "val_loss": 0.25}]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("{'loss': [0.5371984], 'acc': np.float64(0.59375)}", {"loss": 0.5371984, "acc": 0.59375}),
        ('{"epoch": 1, "metrics": [{"name": "loss", "value": 0.5}]}', {"epoch": 1, "metrics/loss": 0.5}),
        ('{"ts": 1700000000.12, "metrics": {"loss": 0.5}, "step": 10}', {"step": 10, "metrics/loss": 0.5}),
    ],
)
def test_forms_of_values(line: str, values: dict[str, float]) -> None:
    assert metrics(line + "\n") == [values]


@pytest.mark.parametrize(
    "log",
    [
        "{'loss': [0.5, 0.25, 0.125], 'acc': [0.7, 0.8, 0.9]}\n",  # a whole history: no one moment
        '{"lr": 0.1, "epochs": 10, "batch_size": 32, "warmth": 0.5}\n',
        json.dumps({"lr": 0.1, "epochs": 10, "loss": "ce", "opt": {"name": "sgd", "warmth": 0.9}}, indent=2) + "\n",
        '{\n  "name": "x",\n  "files": [\n    "a",\n    "b"\n  ]\n}\n',
        "int main() {\n  return 0;\n}\n",
    ],
)
def test_settings_and_other_braces_are_left_alone(log: str) -> None:
    assert metrics(log) == []


def test_an_object_without_an_end_is_bounded() -> None:
    pipeline = Pipeline(["auto"])
    for i in range(5000):
        pipeline.feed(b'{\n  "a%d": [\n' % i)
    assert len(json.dumps(pipeline.dump())) < 200_000
