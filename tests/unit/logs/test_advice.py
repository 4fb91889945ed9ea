"""Which advice speaks of which error, and that it speaks of no other.

`fixtures/advice.jsonl` has one error a line: its type and text, what else the advice looks at (`file`, `source`,
`suggestion`, `language`), and the code and the first words that are right for it. `of` says where it is from: errors
provoked on a CPU with Python 3.11, torch 2.13, numpy 2.4, pandas 3.1, scikit-learn 1.9, xgboost 3.2, lightgbm 4.7,
catboost 1.2, transformers 5.23, datasets 5.2, and keras 3.15 on tensorflow (texts cut to what matters);
`documented`: texts of GPUs, clusters and other programs, from their documentation and issues. A null means that
nothing is to be said.
"""

import json
import re
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from k12ai_ws.logs.advice import ADVICE, BOOK, Advice, AdviceBook, AdviceError, read
from k12ai_ws.logs.advice.packages import package_of
from k12ai_ws.logs.classify import book_with, explain
from k12ai_ws.wire.codes import Code

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "fixtures" / "advice.jsonl").read_text(encoding="utf-8").splitlines()
]


def detail(row: Mapping[str, Any]) -> dict[str, Any]:
    """An error's detail as the log's reader gives it."""
    out = {"exc_type": row["exc_type"], "exc_text": row["exc_text"], "chain": []}
    out["traceback"] = [{"filename": row.get("file", "/app/train.py"), "source": row.get("source", "")}]
    return out | {key: row[key] for key in ("suggestion", "language") if key in row}


def name(row: Mapping[str, Any]) -> str:
    return f"{row['of']}-{row['exc_type'].rpartition('.')[2]}"


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_the_right_advice_speaks(row: Mapping[str, Any]) -> None:
    code, english = explain(detail(row), "en")
    _, chinese = explain(detail(row), "zh")
    assert code == row["code"]
    if row["en"] is None:
        assert (english, chinese) == (None, None)
    else:
        assert (english or "").startswith(row["en"])
        assert (chinese or "").startswith(row["zh"])


def test_every_piece_of_advice_has_an_error_that_it_speaks_of() -> None:
    spoken = {id(BOOK.first(read(detail(row)))) for row in ROWS}
    silent = [f"{a.types} {a.contains[:40]!r}: {a.en[:60]}" for a in ADVICE if id(a) not in spoken]
    assert not silent, "add an error to fixtures/advice.jsonl for each"
    assert len(ADVICE) >= 100


@pytest.mark.parametrize("row", [row for row in ROWS if row["en"]], ids=name)
def test_a_sentence_is_one_and_whole(row: Mapping[str, Any]) -> None:
    for language in ("en", "zh"):
        sentence = explain(detail(row), language)[1] or ""  # type: ignore[arg-type]
        assert not re.search(r"\[\[|\]\]|\{\d+\}|  | [,:;] | \(\)|\{(?:tried|free|got)\}", sentence), sentence
        assert "\n" not in sentence
        assert sentence == sentence.strip()
        assert len(sentence) < 700


@pytest.mark.parametrize("entry", ADVICE, ids=lambda a: a.en[:30])
def test_the_built_in_advice_is_right_in_itself(entry: Advice) -> None:
    entry.check()
    assert not entry.en[0].isupper() or entry.en.split()[0].strip(":,") in {
        "Python", "Keras", "BatchNorm", "LayerNorm", "OpenCV", "JSON", "YAML", "NLTK", "PIL", "CatBoost", "LightGBM",
        "NaN",
    }  # fmt: skip
    assert not entry.en.endswith(".")
    assert re.search(r"[\u4e00-\u9fff]", entry.zh), "the Chinese sentence has no Chinese"
    assert not re.search("[，：；。（）？！]", entry.zh), "punctuation is of half width"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ValueError", "the price must be positive"),
        ("RuntimeError", "stopped"),
        ("mylab.errors.DataError", "row 3 is wrong"),
        ("Exception", ""),
        ("RuntimeError", "the information is missing"),  # `inf` and `nan` inside of words
        ("ValueError", "financial loss is not given"),
        ("TypeError", "Shape is no colour"),
        ("ConnectorError", "could not join"),
        ("AbortedByUser", "enough"),
    ],
)
def test_nothing_is_said_where_nothing_is_known(kind: str, text: str) -> None:
    assert explain({"exc_type": kind, "exc_text": text, "traceback": [], "chain": []}, "en")[1] is None


def test_a_long_text_is_searched_at_both_ends() -> None:
    end = "Received a label value of 5 which is outside the valid range of [0, 3)."
    text = "Graph execution error:\n" + "  File x\n" * 5000 + end
    message = explain({"exc_type": "InvalidArgumentError", "exc_text": text}, "en")[1] or ""
    assert "label is 5" in message


def test_values_are_bounded_and_in_one_line() -> None:
    message = explain({"exc_type": "KeyError", "exc_text": "k" * 50_000}, "en")[1] or ""
    assert len(message) < 400


@pytest.mark.parametrize(
    ("module", "package"),
    [("cv2", "opencv-python-headless"), ("sklearn", "scikit-learn"), ("yaml", "PyYAML"), ("PIL", "pillow"),
     ("google.protobuf.text_format", "protobuf"), ("torch", "torch"), ("torch.foo", "torch")],
)  # fmt: skip
def test_the_package_of_a_module(module: str, package: str) -> None:
    assert package_of(module) == package


def test_a_package_is_named_only_where_it_is_known() -> None:
    """A package that has the name of somebody's own file may be a stranger's."""
    for module in ("utils", "config", "src", "train_utils", "my_stuff"):
        for error in (
            {"exc_type": "ModuleNotFoundError", "exc_text": f"No module named '{module}'"},
            {"exc_type": "ModuleNotFound", "exc_text": f"python: No module named {module}", "language": "shell"},
        ):
            code, message = explain(error, "en")
            assert code == Code.MODULE_NOT_FOUND
            assert "a file or folder of your own" in (message or "")
            assert f"package {module}" not in (message or "")


@pytest.mark.parametrize("entry", ADVICE, ids=lambda a: a.en[:30])
def test_no_job_is_said_to_have_no_network_or_to_have_one(entry: Advice) -> None:
    """It depends: on the launcher, and on what the service asks for."""
    assert not re.search(r"without a network|have no network|job has no network|no network\)|do not have", entry.en)
    assert "任务没有网络" not in entry.zh


class TestADriversOwn:
    OWN = Advice(
        r"only (\d+) rows in (\S+)",
        en="the survey {2} has {1} rows[[ of {all}]]: 10 are needed",
        zh="调查{2}只有{1}行[[ (共{all}行)]]: 至少需要10行",
        types="SurveyError",
        facts=r"of (?P<all>\d+)",
        code=Code.DATASET_MISSING,
    )

    def test_it_speaks_and_gives_its_code(self) -> None:
        book = book_with([self.OWN])
        error = {"exc_type": "lab.SurveyError", "exc_text": "only 3 rows in a.csv of 9"}
        assert explain(error, "en", book) == (Code.DATASET_MISSING, "the survey a.csv has 3 rows of 9: 10 are needed")
        assert explain(error, "zh", book)[1] == "调查a.csv只有3行 (共9行): 至少需要10行"

    def test_it_comes_before_ours_and_ours_remain(self) -> None:
        own = Advice(r"^'label'$", en="call your column target", zh="请将列命名为target", types="KeyError")
        book = book_with([own])
        assert explain({"exc_type": "KeyError", "exc_text": "'label'"}, "en", book) == (
            Code.KEY_ERROR,
            "call your column target",
        )
        assert "'x'" in (explain({"exc_type": "KeyError", "exc_text": "'x'"}, "en", book)[1] or "")

    def test_without_types_it_holds_for_every_type(self) -> None:
        book = book_with(
            [Advice(r"lab rule \d", en="read the lab's rules", zh="请阅读实验室规则", contains="lab rule")]
        )
        for kind in ("NameError", "KeyError", "OddError", "RuntimeError"):
            assert explain({"exc_type": kind, "exc_text": "lab rule 3"}, "en", book)[1] == "read the lab's rules"

    def test_without_any_the_book_is_ours(self) -> None:
        assert book_with([]) is BOOK
        assert AdviceBook([]).first(read({"exc_type": "KeyError", "exc_text": "x"})) is None

    def test_it_costs_no_copy_of_ours(self) -> None:
        tracemalloc.start()
        try:
            book = book_with([self.OWN])
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert book is not BOOK
        assert kept < 100_000, "bytes"

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"pattern": "("}, "no regular expression"),
            ({"pattern": "x" * 2000}, "at most"),
            ({"pattern": "x", "en": "see {2}"}, "no such group"),
            ({"pattern": "x", "zh": ""}, "zh must be a sentence"),
            ({"pattern": ""}, "for every error"),
            ({"pattern": "x", "code": 5}, "not in the contract's table"),
            ({"pattern": "x", "facts": "("}, "facts"),
            ({"pattern": "x", "contains": ("CUDA",)}, "contains must be a text"),
            ({"pattern": "x", "contains": "CUDA||HIP"}, "has an empty text"),
            ({"pattern": "x", "file": 3}, "file must be a text of at most 1000 characters, not 3"),
            ({"pattern": "x", "source": None}, "source must be a text"),
            ({"pattern": "x", "types": ["KeyError"]}, "types must be names in a tuple"),
            ({"pattern": "x", "types": ("KeyError", 3)}, "types must be names in a tuple"),
            ({"pattern": "x", "types": "lab.SurveyError"}, "without their modules, such as 'SurveyError'"),
            ({"pattern": "x", "speaker": "Python"}, "speaker must be 'python', 'foreign' or 'any', not 'Python'"),
            ({"pattern": "x", "code": "100905"}, "not in the contract's table"),
            ({"pattern": "x", "code": [1]}, "not in the contract's table"),
        ],
    )
    def test_a_wrong_one_is_refused_with_a_reason(self, wrong: dict[str, Any], why: str) -> None:
        with pytest.raises(AdviceError, match=re.escape(why)):
            Advice(**{"en": "a", "zh": "甲", **wrong})


def test_memory_that_is_reserved_but_unused_is_named() -> None:
    text = (
        "CUDA out of memory. Tried to allocate 1.70 GiB. GPU 0 has a total capacty of 6.00 GiB of which 0 bytes "
        "is free. Of the allocated memory 2.93 GiB is allocated by PyTorch, "
        "and 2.30 GiB is reserved by PyTorch but unallocated."
    )
    message = explain({"exc_type": "torch.cuda.OutOfMemoryError", "exc_text": text}, "en")[1] or ""
    assert "for 1.70 GiB (0 bytes of its 6.00 GiB were free)" in message
    assert "2.30 GiB lie reserved but unused" in message
