"""Presets by name: what the page about them shows is what they read; `auto` reads it too, and says who wrote it."""

import json
import re
from pathlib import Path

import pytest

from k12ai_ws.logs.batch import parse
from k12ai_ws.logs.parser import LogParser
from k12ai_ws.logs.pipeline import Pipeline, UnknownPreset
from k12ai_ws.logs.presets import PRESETS, compose, preset
from k12ai_ws.logs.presets.frameworks import forms
from k12ai_ws.wire.bodies import Metrics

ROOT = Path(__file__).resolve().parents[3]
SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(text|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FORMS = {row.name for row in forms.PRESETS}


def sections() -> dict[str, tuple[str, list[dict[str, float | None]]]]:
    """name -> its sample and the events that the page promises."""
    page = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    found = {}
    for name, body in SECTION.findall(page):
        blocks = dict(BLOCK.findall(body))
        found[name] = (blocks["text"], [json.loads(line) for line in blocks["json"].splitlines()])
    return found


PAGE = sections()


def metrics(log: str, *parsers: str) -> list[dict[str, float | None]]:
    return [dict(event.values) for event in parse(log.encode(), parsers) if isinstance(event, Metrics)]


def test_the_page_shows_every_preset() -> None:
    assert set(PAGE) == set(PRESETS) - {"auto"}
    assert all(events for _, events in PAGE.values())


@pytest.mark.parametrize("name", sorted(PAGE))
def test_a_preset_reads_what_the_page_shows(name: str) -> None:
    sample, events = PAGE[name]
    assert metrics(sample, name) == events
    assert metrics(sample, "auto") == events


@pytest.mark.parametrize("name", sorted(set(PAGE) - FORMS))
def test_auto_says_which_framework_wrote_a_log(name: str) -> None:
    parser = preset("auto")
    assert parser.framework is None
    for line in PAGE[name][0].splitlines():
        list(parser.feed(line))
    assert parser.framework == name


def test_a_form_stands_until_a_framework_shows_itself() -> None:
    parser = preset("auto")
    list(parser.feed("Epoch 1: 100%|###| 10/10 [00:00<00:00, 26.2it/s, loss=0.5]"))
    assert parser.framework == "tqdm"
    list(parser.feed("{'train_runtime': 0.21, 'train_loss': 0.69, 'epoch': 3.0}"))
    assert parser.framework == "huggingface"
    list(parser.feed("[3]\ttrain-logloss:0.48\teval-auc:0.98"))
    assert parser.framework == "huggingface"  # the first one stays


def test_a_named_preset_is_its_own_framework() -> None:
    assert preset("keras").framework == "keras"


def test_presets_together_give_no_metric_twice() -> None:
    log = "epoch=1 loss=0.5\nepoch,train_loss\n2,0.25\n"
    assert metrics(log, "keyvalue", "csv") == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "train_loss": 0.25}]
    assert metrics("epoch=1 loss=0.5\n", "auto", "keyvalue") == [{"epoch": 1, "loss": 0.5}]


def test_objects_stay_where_they_are_and_names_become_one_parser() -> None:
    class Mine(LogParser):
        pass

    first, last = Mine(), Mine()
    parsers = compose([first, "keras", last, "csv"])
    assert [parsers[0], parsers[2]] == [first, last]
    assert len(parsers) == 3


def test_a_narrow_preset_reads_no_more_than_its_own() -> None:
    assert metrics('{"epoch": 1, "loss": 0.5}\n', "csv") == []
    assert metrics("epoch=1 loss=0.5\n", "jsonlines") == []
    assert metrics("epoch,loss\n1,0.5\n", "keras") == []
    assert metrics("{'epoch': 1, 'loss': 0.5}\n", "keras") == []
    assert metrics('{"epoch": 1, "loss": 0.5}\n', "sklearn") == []
    for name in ("xgboost", "lightgbm", "catboost", "marian", "skopt"):
        assert metrics("epoch=1 loss=0.5\nEpoch [1/3], Loss: 0.5\nTest accuracy: 0.9\n", name) == []
    assert metrics("epoch=1 loss=0.5\n", "xgboost", "keras") == [{"epoch": 1, "loss": 0.5}]


def test_an_unknown_preset_names_those_that_exist() -> None:
    with pytest.raises(UnknownPreset, match=r"no log preset 'kears'.*allennlp, auto, autogluon, caffe, cat.*, csv"):
        Pipeline(["auto", "kears"])
