"""docs/errors.md says what is there: every code with its descriptions, every field of advice, an example that works."""

import dataclasses
import re
from pathlib import Path

import pytest

from k12ai_ws.drivers import Advice, Code, Driver
from k12ai_ws.logs.advice import ADVICE
from k12ai_ws.logs.classify import book_with, explain
from k12ai_ws.wire.codes import MEANINGS

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", list(Code), ids=lambda code: code.name)
def test_every_code_stands_there_with_its_descriptions(code: Code) -> None:
    assert f"| {int(code)} | {MEANINGS[code].en} | {MEANINGS[code].zh} |" in TEXT


def test_no_code_stands_there_that_is_not_in_the_table() -> None:
    assert {int(number) for number in re.findall(r"\b100\d{3}\b", TEXT)} <= {int(code) for code in Code}


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Advice) if f.name != "pattern"])
def test_every_field_of_advice_stands_there(field: str) -> None:
    assert re.search(rf"^\| .*`{field}`", TEXT, re.MULTILINE)


def test_the_number_of_pieces_is_right() -> None:
    (said,) = re.findall(r"There are (\d+) pieces", TEXT)
    assert int(said) == len(ADVICE)


def test_the_example_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, type[Driver]] = {}
    exec(code, names)
    book = book_with(names["Survey"].advice)
    found = explain({"exc_type": "lab.SurveyError", "exc_text": "only 3 rows in a.csv"}, "en", book)
    assert found == (Code.DATASET_MISSING, "the survey a.csv has 3 rows, and 10 are needed: merge it with another")


def test_the_example_at_the_top_is_true() -> None:
    (shown,) = re.findall(r'"message": "(the GPU had[^"]*)"', TEXT)
    text = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB of which 1.10 GiB is free."  # noqa: E501
    assert explain({"exc_type": "torch.OutOfMemoryError", "exc_text": text}, "en") == (Code.GPU_OUT_OF_MEMORY, shown)
