"""What is remembered of lines' shapes changes no event: a reader that remembers nothing gives the same."""

import json
import random
import re

import pytest

from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import LogEvent, LogLines, Metrics

FORMS = [
    "epoch=3 step=17 loss=0.1234 acc=0.8812 lr=1.01e-04",
    "Epoch 3/20 - loss: 0.1234 - accuracy: 0.9611 - val_loss: 0.3",
    "{'loss': 0.5213, 'grad_norm': 1.204, 'learning_rate': 1.25e-05, 'epoch': 1.25}",
    '{"step": 120, "train": {"loss": 0.25, "acc@1": 71.25}, "valid": {"f1": 0.75}}',
    "[10]\tvalid_0's auc: 0.812\tvalid_0's binary_logloss: 0.512",
    "Test: Acc@1 71.200 Acc@5 91.125 Loss 1.2345",
    "step 250: train loss 2.1233, val loss 2.2345",
    "iter 250: loss 2.1233, time 12.34ms, mfu 1.21%",
    "2026-11-23 14:00:01,123 INFO train: epoch 4 | loss 0.512 | ppl 12.34 | gnorm 1.2",
    "top-1 acc: 71.2 top-5 acc: 91.1",
    "r2: 0.91 r7: 0.25 rmse: 1.25",
    "Train set: Average loss: 0.1234, Accuracy: 9412/10000 (94%)",
    "loss 1,234.5 at step 1,200",
    "valid | epoch 001 | loss -1.5 | nll_loss +2.5",
    "loss: nan acc: 0.5",
    "loaded shard 17 of 97 in 0.25 s from 10.0.0.17:8080",
    "[worker-7f3a] batch 17: loss=0.25",
]
BEGINNING = "epoch 1 loss: 0.6931\n" * 500
"""Long enough that nothing above decides any more what a line is."""


def varied(form: str, rng: random.Random) -> str:
    """The line with other digits in all its numbers, or in its words too."""
    words = rng.random() < 0.2
    return re.sub(r"\d", lambda m: rng.choice("123456789") if words or rng.random() < 0.5 else m[0], form)


def metrics_of(events: list[LogEvent]) -> list[LogEvent]:
    return [event for event in events if not isinstance(event, LogLines)]


def remembering(lines: list[str]) -> list[LogEvent]:
    pipeline = Pipeline(["auto"])
    pipeline.feed(BEGINNING.encode())
    return metrics_of(pipeline.feed("".join(f"{line}\n" for line in lines).encode()) + pipeline.close(at_ms=0))


def forgetting(lines: list[str]) -> list[LogEvent]:
    pipeline = Pipeline(["auto"])
    pipeline.feed(BEGINNING.encode())
    events: list[LogEvent] = []
    for line in lines:
        state = json.loads(json.dumps(pipeline.dump()))
        pipeline = Pipeline(["auto"])
        pipeline.load(state)
        events += pipeline.feed(f"{line}\n".encode())
    return metrics_of(events + pipeline.close(at_ms=0))


@pytest.mark.parametrize("form", FORMS)
def test_what_is_remembered_of_a_shape_changes_nothing(form: str) -> None:
    rng = random.Random(form)
    lines = [varied(form, rng) for _ in range(60)]
    assert remembering(lines) == forgetting(lines)


def test_shapes_in_turn_are_kept_apart() -> None:
    rng = random.Random(5)
    lines = [varied(rng.choice(FORMS), rng) for _ in range(300)]
    events = remembering(lines)
    assert events == forgetting(lines)
    assert sum(isinstance(event, Metrics) for event in events) > 200


def test_a_number_that_belongs_to_a_name_makes_another_name() -> None:
    lines = ["acc1: 0.50 loss: 0.25"] * 9 + ["acc5: 0.75 loss: 0.25"]
    values = [event.values for event in remembering(lines) if isinstance(event, Metrics)]
    assert list(values[-2]) == ["epoch", "acc1", "loss"] or list(values[-2]) == ["acc1", "loss"]
    assert values[-1]["acc5"] == 0.75


def test_more_digits_are_another_shape_with_the_same_meaning() -> None:
    lines = ["loss=0.25 acc=0.5", *(f"loss={10**-n:.{n}f} acc=0.5" for n in range(1, 12))]
    values = [event.values["loss"] for event in remembering(lines) if isinstance(event, Metrics)]
    assert values == [0.25, *(float(f"{10**-n:.{n}f}") for n in range(1, 12))]
